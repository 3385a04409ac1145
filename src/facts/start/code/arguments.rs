//! Command lines of interpreters whose options take words of their own: Node, Deno, PHP and Java.

use super::Code;

/// Options of `node` that take the next word (node(1), <https://nodejs.org/api/cli.html>).
const NODE_VALUES: &[&str] = &[
    "-C",
    "--allow-fs-read",
    "--allow-fs-write",
    "--build-snapshot-config",
    "--conditions",
    "--cpu-prof-dir",
    "--cpu-prof-interval",
    "--cpu-prof-name",
    "--debug-port",
    "--diagnostic-dir",
    "--disable-proto",
    "--disable-warning",
    "--dns-result-order",
    "--env-file-if-exists",
    "--experimental-config-file",
    "--experimental-default-type",
    "--heap-prof-dir",
    "--heap-prof-interval",
    "--heap-prof-name",
    "--heapsnapshot-near-heap-limit",
    "--heapsnapshot-signal",
    "--icu-data-dir",
    "--input-type",
    "--inspect-port",
    "--inspect-publish-uid",
    "--localstorage-file",
    "--max-http-header-size",
    "--network-family-autoselection-attempt-timeout",
    "--openssl-config",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--secure-heap",
    "--secure-heap-min",
    "--security-revert",
    "--title",
    "--tls-cipher-list",
    "--tls-keylog",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--unhandled-rejections",
    "--v8-pool-size",
    "--watch-path",
];

/// Options of `node` that load code before the script.
const NODE_PRELOADS: &[&str] = &["-r", "--require", "--import", "--loader", "--experimental-loader"];

/// Options of `node` after which it runs no script: the code is a word, a script of package.json or found by name.
const NODE_ENDS: &[&str] = &[
    "-e",
    "-i",
    "-p",
    "-pe",
    "--eval",
    "--experimental-sea-config",
    "--interactive",
    "--print",
    "--run",
    "--test",
];

/// What `node` is given: the modules that it loads first, and the script.
pub(super) fn node(words: &[String]) -> Vec<Code> {
    let mut all = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=').filter(|_| word.starts_with('-')) {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        if name == "--env-file" {
            // Node ends where it is not there; it is read like any other file.
            let file = value.map(str::to_owned).or_else(|| words.next().cloned());
            all.extend(file.map(Code::File));
        } else if NODE_PRELOADS.contains(&name) {
            let Some(value) = value.or_else(|| words.next().map(String::as_str)) else { return all };
            // Yarn's resolver finds packages in archives, from here on.
            if value.contains(".pnp.") {
                all.extend(script_of_node(words.as_slice()));
                return all;
            }
            all.extend(preload(value));
        } else if NODE_ENDS.contains(&name) || name == "-" {
            return all;
        } else if name == "--" {
            all.extend(words.next().map(|file| Code::File(file.clone())));
            return all;
        } else if NODE_VALUES.contains(&name) {
            if value.is_none() {
                words.next();
            }
        } else if !word.starts_with('-') {
            // The debugger is asked for like a script.
            all.extend((word != "inspect").then(|| Code::File(word.clone())));
            return all;
        }
    }
    all
}

/// The script alone.
fn script_of_node(words: &[String]) -> Option<Code> {
    node(words).into_iter().next_back().filter(|code| matches!(code, Code::File(_)))
}

/// A module that is loaded before the script: a file, or a package.
fn preload(name: &str) -> Option<Code> {
    if let Some(path) = name.strip_prefix("file://") {
        return Some(Code::File(path.to_owned()));
    }
    if name.starts_with(['.', '/']) {
        return Some(Code::File(name.to_owned()));
    }
    let is_package = !name.contains(':') && !name.starts_with('#') && !NODE_BUILTINS.contains(&name);
    is_package.then(|| Code::Package(name.to_owned()))
}

/// Modules of Node itself that are worth loading before a script.
const NODE_BUILTINS: &[&str] =
    &["diagnostics_channel", "fs", "inspector", "module", "net", "process", "trace_events"];

/// What `php` is given: `php [options] [-f] <file> [--] [args...]` (php(1)).
pub(super) fn php(words: &[String]) -> Vec<Code> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-d" | "-c" | "-z" | "--define" | "--php-ini" | "--zend-extension" => drop(words.next()),
            "-f" | "--file" => {
                return words.next().map(|file| Code::File(file.clone())).into_iter().collect();
            }
            "-n" | "-e" | "-q" | "-C" | "-H" | "-s" | "-w" | "-l" => {}
            option if option.starts_with("-d") || option.starts_with("-c") => {}
            option if option.starts_with('-') => return Vec::new(),
            file => return vec![Code::File(file.to_owned())],
        }
    }
    Vec::new()
}

/// Options of `java` that take the next word (java(1)).
const JAVA_VALUES: &[&str] = &[
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-reads",
    "--add-exports",
    "--add-opens",
    "--limit-modules",
    "--patch-module",
    "--source",
];

/// What `java` is given: the archive after `-jar`, or a source file; a class lies anywhere on the class path.
pub(super) fn java(words: &[String]) -> Vec<Code> {
    let (mut is_archive, mut all) = (false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-jar" => is_archive = true,
            "-m" | "--module" => return all,
            agent if agent.starts_with("-javaagent:") => {
                let path = agent["-javaagent:".len()..].split('=').next().unwrap_or_default();
                all.push(Code::File(path.to_owned()));
            }
            option if JAVA_VALUES.contains(&option) => drop(words.next()),
            // A variable of options, and a file of them.
            option if option.starts_with(['-', '$', '@']) => {}
            file if is_archive || file.ends_with(".java") => {
                all.push(Code::File(file.to_owned()));
                return all;
            }
            _ => return all,
        }
    }
    all
}

/// Options of `deno run` that take the next word (<https://docs.deno.com/runtime/reference/cli/run/>).
const DENO_VALUES: &[&str] =
    &["-c", "--config", "--import-map", "--cert", "--location", "--seed", "--preload"];

/// What `deno` is given: the file after `run` or `serve`, where it is no address and no package.
pub(super) fn deno(words: &[String]) -> Vec<Code> {
    let Some(("run" | "serve", rest)) = words.split_first().map(|(verb, rest)| (verb.as_str(), rest)) else {
        return Vec::new();
    };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            option if DENO_VALUES.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            file if file.contains(':') => return Vec::new(),
            file => return vec![Code::File(file.to_owned())],
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::given_code;
    use super::*;

    fn code(line: &str) -> Vec<Code> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        given_code(&words[0], &words[1..])
    }

    fn file(path: &str) -> Code {
        Code::File(path.to_owned())
    }

    fn package(name: &str) -> Code {
        Code::Package(name.to_owned())
    }

    #[test]
    fn node_loads_packages_and_files_first() {
        assert_eq!(code("node --import tsx x.ts"), [package("tsx"), file("x.ts")]);
        assert_eq!(
            code("node --require=@a/b/c -r ./y.js x.js"),
            [package("@a/b/c"), file("./y.js"), file("x.js")]
        );
        assert_eq!(
            code("node --import file:///srv/y.mjs -r node:fs x.js"),
            [file("/srv/y.mjs"), file("x.js")]
        );
        assert_eq!(code("node -r ./.pnp.cjs --import tsx x.js"), [file("x.js")]);
    }

    #[test]
    fn options_of_node_take_words() {
        assert_eq!(code("node --conditions production -C a --title t x.js y"), [file("x.js")]);
        assert_eq!(code("node --max-old-space-size=1 --trace x.js"), [file("x.js")]);
        for line in
            ["node --run start", "node -e 1", "node -p 1 x", "node --test a", "node -", "node inspect x.js"]
        {
            assert_eq!(code(line), [], "{line}");
        }
    }

    #[test]
    fn php_and_java() {
        assert_eq!(code("php8.2 -d a=1 -n -f x.php y"), [file("x.php")]);
        assert_eq!(code("/usr/bin/php artisan queue:work --tries=3"), [file("artisan")]);
        for line in
            ["php -S 0.0.0.0:80", "php -r 1", "java -cp lib/* Main", "java -m a/b", "java $OPTIONS Main"]
        {
            assert_eq!(code(line), [], "{line}");
        }
        assert_eq!(code("java -Xmx2G $JAVA_OPTS -jar -ea x.jar nogui"), [file("x.jar")]);
        assert_eq!(code("java --add-opens a/b=c -jar x.jar"), [file("x.jar")]);
        assert_eq!(code("java -javaagent:/y.jar=port=1 -jar x.jar"), [file("/y.jar"), file("x.jar")]);
        assert_eq!(code("node --env-file=.env x.js"), [file(".env"), file("x.js")]);
        assert_eq!(code("deno run -A --config d.json main.ts"), [file("main.ts")]);
        assert_eq!(code("deno run https://x.org/main.ts"), []);
    }
}
