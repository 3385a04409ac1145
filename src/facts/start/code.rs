//! The code that an interpreter is given by its command line.

mod arguments;

use super::{base_name, from_directory};
use crate::syntax::shell_wrappers;

/// The code that an interpreter is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A file.
    File(String),
    /// A Python module by its dotted name; `runs` with `-m`, else it is imported.
    Module {
        /// Its name.
        name: String,
        /// Started with `-m`.
        runs: bool,
    },
    /// A package that Node looks for in the `node_modules` of the working directory and of those above it.
    Package(String),
    /// A program by its whole path, which another one starts (`env`, `nice`, a shell).
    Program(String),
    /// A program by its name alone, which another one looks for in `PATH` (`env`, `nice`).
    Named(String),
}

/// The code that a command gives to its interpreter, as written: `python x.py`, `python -m a.b`,
/// `uvicorn a.b:app`, `sh x.sh`, `node x.js`, `php x.php`, `java -jar x.jar`, the same behind `env`. More than one for `python -m uvicorn
/// a.b:app`.
pub fn given_code(program: &str, all: &[String]) -> Vec<Code> {
    let (name, words) = (base_name(program), all);
    if let Some(started) = passed_on(name, words)
        && let Some((program, words)) = started.split_first()
    {
        let own = match program.contains('/') {
            true => program.starts_with('/').then(|| Code::Program(program.clone())),
            // A shell may have a command of its own of that name.
            false => (!SHELLS.contains(&name) && !is_looked_for_elsewhere(name, all))
                .then(|| Code::Named(program.clone())),
        };
        return own.into_iter().chain(given_code(program, words)).collect();
    }
    if is_python(name) {
        return python_code(words);
    }
    match name {
        "uvicorn" | "gunicorn" | "hypercorn" | "daphne" | "granian" => {
            application(words).into_iter().collect()
        }
        // Options of a shell that take a word (`-o`), and those that bring the code themselves.
        _ if SHELLS.contains(&name) => script(words, "cso").into_iter().collect(),
        "perl" => options_of_one_letter(words, "eE", "IMmCix0Dl").into_iter().collect(),
        "ruby" => options_of_one_letter(words, "eC", "IrEKTWxi0F").into_iter().collect(),
        "deno" => arguments::deno(words),
        "node" | "nodejs" => arguments::node(words),
        "java" => arguments::java(words),
        _ if is_php(name) => arguments::php(words),
        _ => Vec::new(),
    }
}

/// Whether env(1) is told another `PATH`, or none.
fn is_looked_for_elsewhere(name: &str, words: &[String]) -> bool {
    let clears = |word: &String| matches!(word.as_str(), "-" | "-i" | "--ignore-environment");
    name == "env" && words.iter().any(|word| word.contains("PATH") || clears(word))
}

/// The program and the words that a command starts in its own place or as its child: behind `env`, `nice` and their like,
/// and where a shell is given nothing but one plain command.
fn passed_on(name: &str, words: &[String]) -> Option<Vec<String>> {
    if !SHELLS.contains(&name) {
        return shell_wrappers::started(name, words);
    }
    let [option, text] = words else { return None };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _./:@+-,".contains(c);
    if option != "-c" || !text.chars().all(is_plain) {
        return None;
    }
    let words = text.split_ascii_whitespace().map(str::to_owned);
    let words: Vec<String> = words.skip_while(|word| word == "exec").collect();
    words.first().is_some_and(|program| !is_of_shell(program)).then_some(words)
}

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh"];

/// Whether a shell may take a word for something else than a program.
fn is_of_shell(word: &str) -> bool {
    word.starts_with('-')
        || [".", ":", "cd", "eval", "exit", "source", "test", "trap", "set", "ulimit", "umask"]
            .contains(&word)
}

/// The name of the interpreter that a command starts, behind `env` and its like.
pub fn interpreter(program: &str, words: &[String]) -> String {
    let name = base_name(program);
    match passed_on(name, words).as_deref().and_then(<[String]>::split_first) {
        Some((program, words)) => interpreter(program, words),
        None => name.to_owned(),
    }
}

/// The files of which one runs where an interpreter is given a path that is no file: Python runs the `__main__.py` of a
/// directory, Node the `main` of its package.json, or its index, and adds what a name lacks
/// (<https://nodejs.org/api/modules.html#all-together>).
pub fn entry_files(interpreter: &str, path: &str, main: Option<&str>) -> Vec<String> {
    if is_python(interpreter) {
        return vec![format!("{path}/__main__.py")];
    }
    if !matches!(interpreter, "node" | "nodejs") {
        return Vec::new();
    }
    let extended = |path: &str| ["js", "json", "node"].map(|ending| format!("{path}.{ending}"));
    let index = |path: &str| extended(&format!("{path}/index"));
    let mut all = extended(path).to_vec();
    if let Some(main) = main {
        let main = from_directory(path, main);
        all.extend(extended(&main).into_iter().chain(index(&main)).chain([main]));
    }
    all.extend(index(path));
    all
}

/// `php`, `php8.2`.
fn is_php(name: &str) -> bool {
    name.strip_prefix("php").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Where Debian's Node and a built one look for packages of all users.
const PACKAGES_OF_ALL: &[&str] =
    &["/usr/share/nodejs", "/usr/lib/nodejs", "/usr/lib/node", "/usr/local/lib/node"];

/// The directories in one of which a package lies that Node finds from `directory`
/// (<https://nodejs.org/api/modules.html#loading-from-node_modules-folders>).
pub fn package_directories(directory: &str, name: &str) -> Vec<String> {
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let package = name.split('/').take(parts).collect::<Vec<_>>().join("/");
    let above = std::path::Path::new(directory).ancestors().filter_map(|path| path.to_str());
    let near = above.map(|path| format!("{}/node_modules/{package}", path.trim_end_matches('/')));
    near.chain(PACKAGES_OF_ALL.iter().map(|place| format!("{place}/{package}"))).collect()
}

/// `python`, `python3`, `python3.11`, `pypy3`.
pub fn is_python(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn python_code(words: &[String]) -> Vec<Code> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "-W" | "-X" | "--check-hash-based-pycs" => at += 2,
            "-m" => return words.get(at + 1).map_or(Vec::new(), |name| module(name, &words[at + 2..])),
            "-" => return Vec::new(),
            option if option.starts_with("--") => at += 1,
            option if option.starts_with('-') => {
                // Options may be run together; `-c` and `-m` take the rest.
                if option.contains('c') {
                    return Vec::new();
                }
                if let Some((_, name)) = option.split_once('m') {
                    return match name.is_empty() {
                        true => words.get(at + 1).map_or(Vec::new(), |name| module(name, &words[at + 2..])),
                        false => module(name, &words[at + 1..]),
                    };
                }
                at += 1;
            }
            file => return vec![Code::File(file.to_owned())],
        }
    }
    Vec::new()
}

fn module(name: &str, rest: &[String]) -> Vec<Code> {
    let mut all = vec![Code::Module { name: name.to_owned(), runs: true }];
    all.extend(
        given_code(name, rest).into_iter().filter(|code| matches!(code, Code::Module { runs: false, .. })),
    );
    all
}

/// `package.module:attribute` among the words of an application server.
fn application(words: &[String]) -> Option<Code> {
    let is_module = |name: &str| {
        !name.is_empty()
            && name.split('.').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
    };
    let mut after_option = false;
    for word in words {
        let option = word.starts_with('-');
        if let Some((name, attribute)) = word.split_once(':')
            && !option
            && is_module(name)
            && is_module(attribute.trim_end_matches("()"))
            && !(after_option && attribute.chars().all(|c| c.is_ascii_digit()))
        {
            return Some(Code::Module { name: name.to_owned(), runs: false });
        }
        after_option = option && !word.contains('=');
    }
    None
}

/// The first word that is no option, unless an option of `ends` makes that uncertain.
fn script(words: &[String], ends: &str) -> Option<Code> {
    for word in words {
        match word.strip_prefix('-') {
            None => return Some(Code::File(word.clone())),
            Some("") => return None,
            Some(long) if long.starts_with('-') => {}
            Some(options) if options.contains(|option| ends.contains(option)) => return None,
            Some(_) => {}
        }
    }
    None
}

/// The first word that is no option, of a program whose options are letters that may be run together: one of `ends` brings
/// the code itself, one of `takes` takes the rest of its word or, alone, the next one.
fn options_of_one_letter(words: &[String], ends: &str, takes: &str) -> Option<Code> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(options) = word.strip_prefix('-') else { return Some(Code::File(word.clone())) };
        if options.is_empty() || options.starts_with('-') {
            return if options == "-" { words.next().map(|file| Code::File(file.clone())) } else { None };
        }
        let Some(at) = options.find(|option| ends.contains(option) || takes.contains(option)) else {
            continue;
        };
        if options[at..].starts_with(|option| ends.contains(option)) {
            return None;
        }
        // Perl's -I and Ruby's -I, -r and -E alone take the next word; the others stand alone as well.
        if at + 1 == options.len() && options.ends_with(['I', 'r', 'E']) {
            words.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> Vec<Code> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        given_code(&words[0], &words[1..])
    }

    fn named(name: &str) -> Code {
        Code::Named(name.to_owned())
    }

    fn module(name: &str, runs: bool) -> Code {
        Code::Module { name: name.to_owned(), runs }
    }

    #[test]
    fn interpreters_are_given_files_and_modules() {
        assert_eq!(code("/v/bin/python -u -W error x.py a"), [Code::File("x.py".into())]);
        assert_eq!(code("/v/bin/python3.11 -um a.b c"), [module("a.b", true)]);
        assert_eq!(code("/v/bin/python -m uvicorn a.b:app"), [module("uvicorn", true), module("a.b", false)]);
        assert_eq!(code("/v/bin/uvicorn --host 0.0.0.0 a.b:app"), [module("a.b", false)]);
        assert_eq!(code("/v/bin/gunicorn -b localhost:80 a:app"), [module("a", false)]);
        assert_eq!(code("/usr/bin/env A=1 bash -e x.sh"), [named("bash"), Code::File("x.sh".into())]);
        assert_eq!(code("/usr/bin/node --trace x.js"), [Code::File("x.js".into())]);
    }

    #[test]
    fn what_a_wrapper_or_a_shell_starts_is_given_its_code() {
        let file = |path: &str| Code::File(path.into());
        let program = |path: &str| Code::Program(path.into());
        assert_eq!(code("/usr/bin/nice -n 5 node x.js"), [named("node"), file("x.js")]);
        assert_eq!(code("/usr/bin/timeout -k 1 10 /opt/run --x"), [program("/opt/run")]);
        assert_eq!(code("/usr/bin/env -u A -S node x.js"), [named("node"), file("x.js")]);
        assert_eq!(code("/usr/bin/env A=1 /opt/run"), [program("/opt/run")]);
        assert_eq!(code("/usr/bin/env PATH=/opt node x.js"), [file("x.js")]);
        for line in [
            "/usr/bin/nice -5 run --x",
            "/usr/bin/nice --adjustment=5 run",
            "/usr/bin/ionice -c2 -n7 run",
            "/usr/bin/ionice -c 3 run x",
            "/usr/bin/chrt -f 50 run",
            "/usr/bin/chrt --rr 50 run",
            "/usr/bin/stdbuf -oL run",
            "/usr/bin/stdbuf -o L -e0 run",
            "/usr/bin/timeout --preserve-status 5 run",
            "/usr/bin/timeout -s KILL 5 run",
            "/usr/bin/timeout -k5 --signal=TERM 1h run",
            "/usr/bin/env -- run",
            "/usr/bin/env -u A -i B=1 run",
            "/usr/bin/flock -n /run/lock run x",
            "/usr/bin/flock -w 10 /run/lock run",
            "/usr/bin/flock --timeout=10 /run/lock run",
            "/usr/bin/numactl --interleave=all run",
            "/usr/bin/numactl -N 0 -m 0 run",
            "/usr/bin/tini -- run",
            "/usr/bin/tini -g -- run",
            "/usr/bin/dumb-init -c -- run",
            "/usr/bin/catchsegv run",
        ] {
            let found = code(line);
            assert!(found == [named("run")] || found.is_empty(), "{line}: {found:?}");
        }
        assert_eq!(code("/usr/bin/env -i A=1 -u B node x.js"), [file("x.js")]);
        assert_eq!(code("/usr/bin/env -C /srv node x.js"), []);
        let shell = |text: &str| given_code("/bin/sh", &["-c".into(), text.into()]);
        assert_eq!(shell("exec /opt/run --port 1"), [program("/opt/run")]);
        assert_eq!(shell("node x.js"), [file("x.js")]);
        for text in
            ["cd /srv && node x.js", "A=1 node x.js", "node $X", "test -e /x", "node x.js; true", ". /x"]
        {
            assert_eq!(shell(text), [], "{text}");
        }
    }

    #[test]
    fn perl_and_ruby() {
        assert_eq!(code("perl -w -I /lib -MFoo=bar x.pl"), [Code::File("x.pl".into())]);
        assert_eq!(code("perl -we x"), []);
        assert_eq!(code("ruby -rbundler/setup -I lib x.rb"), [Code::File("x.rb".into())]);
        assert_eq!(code("ruby -C /srv x.rb"), []);
    }

    #[test]
    fn code_that_is_no_file_is_none() {
        assert_eq!(code("/bin/sh -c x"), []);
        assert_eq!(code("/v/bin/python -c pass"), []);
        assert_eq!(code("/v/bin/python -"), []);
        assert_eq!(code("/usr/bin/nginx -g x"), []);
    }
}
