//! Programs whose work is to run another program, and where on their command line that one begins.
//!
//! From the manual pages of GNU coreutils, findutils, util-linux, sudo and systemd-run. A program that is not
//! listed here runs nothing, as far as we say; `docker exec` and `ssh` run theirs elsewhere and are left out.

/// What a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    /// Nothing.
    None,
    /// A program and its arguments.
    Words(Vec<String>),
    /// A piece of shell.
    Text(String),
}

/// Wrappers that start their program on this host, as this user and in this directory, and end with it.
const TRANSPARENT: [&str; 12] = [
    "catchsegv",
    "chronic",
    "chrt",
    "dumb-init",
    "env",
    "flock",
    "ionice",
    "nice",
    "numactl",
    "stdbuf",
    "timeout",
    "tini",
];

/// The program and the arguments that such a wrapper starts; `None` for any other program, and where that is not certain.
pub fn started(program: &str, args: &[String]) -> Option<Vec<String>> {
    let moves = |arg: &String| arg.starts_with("-C") || arg.starts_with("--chdir");
    let own = args.iter().take_while(|arg| arg.starts_with('-') || is_assignment(arg));
    if !TRANSPARENT.contains(&program) || program == "env" && own.clone().any(moves) {
        return None;
    }
    match inner_command(program, args) {
        Inner::Words(words) if !words.is_empty() => Some(words),
        _ => None,
    }
}

/// How to find the program on another's command line.
struct Wrapper {
    name: &'static str,
    /// Options that take the next word as their value.
    valued: &'static [&'static str],
    /// Words before the program that are not options (a duration, a lock file).
    positional: usize,
}

const fn wrapper(name: &'static str, valued: &'static [&'static str], positional: usize) -> Wrapper {
    Wrapper { name, valued, positional }
}

const WRAPPERS: [Wrapper; 31] = [
    wrapper(
        "sudo",
        &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group"],
        0,
    ),
    wrapper("doas", &["-u", "-C", "-a"], 0),
    wrapper("env", &["-u", "-C", "--unset", "--chdir"], 0),
    wrapper("timeout", &["-k", "-s", "--kill-after", "--signal"], 1),
    wrapper("nice", &["-n", "--adjustment"], 0),
    wrapper("ionice", &["-c", "-n", "--class", "--classdata"], 0),
    wrapper("chrt", &["-T", "-P", "-D"], 1),
    wrapper("taskset", &[], 1),
    wrapper(
        "xargs",
        &["-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E", "--max-args", "--max-procs", "--delimiter"],
        0,
    ),
    wrapper("parallel", &["-j", "-S", "-a", "--jobs"], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("builtin", &[], 0),
    wrapper("nohup", &[], 0),
    wrapper("setsid", &[], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("time", &["-f", "-o"], 0),
    wrapper("strace", &["-e", "-o", "-p", "-s", "-u", "-E"], 0),
    wrapper("chroot", &[], 1),
    wrapper("watch", &["-n", "--interval"], 0),
    wrapper(
        "systemd-run",
        &["-p", "-u", "-M", "-H", "-E", "--unit", "--property", "--setenv", "--uid", "--gid"],
        0,
    ),
    wrapper("systemd-inhibit", &[], 0),
    wrapper("systemd-cat", &["-t", "-p"], 0),
    wrapper("unshare", &["-R", "-w", "-S", "-G"], 0),
    wrapper("setpriv", &["--reuid", "--regid", "--groups"], 0),
    wrapper("gosu", &[], 1),
    wrapper("ssh-agent", &["-t", "-a"], 0),
    wrapper("dumb-init", &[], 0),
    wrapper("tini", &[], 0),
    wrapper("chronic", &[], 0),
    wrapper("catchsegv", &[], 0),
    wrapper(
        "numactl",
        &[
            "-i",
            "-p",
            "-m",
            "-N",
            "-C",
            "--interleave",
            "--preferred",
            "--membind",
            "--cpunodebind",
            "--physcpubind",
        ],
        0,
    ),
];

/// What `program` with these arguments runs.
pub(super) fn inner_command(program: &str, args: &[String]) -> Inner {
    match program {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" => text_after_c(args),
        "su" => text_after_option(args, &["-c", "--command"]),
        "runuser" => match text_after_option(args, &["-c", "--command"]) {
            Inner::None => after_options(args, &["-u", "-g", "-G", "-s"], 0),
            text => text,
        },
        "eval" => Inner::Text(args.join(" ")),
        "trap" => args
            .iter()
            .find(|arg| !arg.starts_with('-'))
            .map_or(Inner::None, |text| Inner::Text(text.clone())),
        "command" if args.first().is_some_and(|arg| arg.starts_with("-v") || arg.starts_with("-V")) => {
            Inner::None
        }
        "command" => after_options(args, &[], 0),
        "env" => env(args),
        "find" => find(args),
        "flock" => flock(args),
        "uv" | "poetry" | "pipenv" | "pdm" | "hatch" if args.first().is_some_and(|arg| arg == "run") => {
            after_options(&args[1..], &["--with", "--python", "-p"], 0)
        }
        _ => match WRAPPERS.iter().find(|wrapper| wrapper.name == program) {
            Some(wrapper) => after_options(args, wrapper.valued, wrapper.positional),
            None => Inner::None,
        },
    }
}

/// The words after the options, the positional words and any `NAME=value`.
fn after_options(args: &[String], valued: &[&str], positional: usize) -> Inner {
    let mut rest = args;
    let mut skipped = 0;
    while let Some((first, after)) = rest.split_first() {
        if first == "--" {
            rest = after.get(positional - skipped.min(positional)..).unwrap_or_default();
            break;
        }
        let is_option = first.starts_with('-') && first.len() > 1;
        if is_option && valued.contains(&first.as_str()) {
            rest = after.get(1..).unwrap_or_default();
        } else if is_option || is_assignment(first) {
            rest = after;
        } else if skipped < positional {
            skipped += 1;
            rest = after;
        } else {
            break;
        }
    }
    // `sudo -- NAME=value program` is allowed, too.
    let start = rest.iter().position(|word| !is_assignment(word)).unwrap_or(rest.len());
    Inner::Words(rest[start..].to_vec())
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| super::env_file::is_valid_name(name))
}

/// `bash -c TEXT`, `sh -ec TEXT`, `bash -o pipefail -c TEXT`.
fn text_after_c(args: &[String]) -> Inner {
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        if !first.starts_with(['-', '+']) || first.len() < 2 {
            break;
        }
        if !first.starts_with("--") && first.contains('c') {
            let text = after.iter().find(|word| !word.starts_with('-'));
            return text.map_or(Inner::None, |text| Inner::Text(text.clone()));
        }
        let takes_value = matches!(first.as_str(), "-o" | "+o" | "-O" | "--rcfile" | "--init-file");
        rest = after.get(usize::from(takes_value)..).unwrap_or_default();
    }
    Inner::None
}

fn text_after_option(args: &[String], options: &[&str]) -> Inner {
    for (index, arg) in args.iter().enumerate() {
        if options.contains(&arg.as_str()) {
            return args.get(index + 1).map_or(Inner::None, |text| Inner::Text(text.clone()));
        }
        if let Some(text) = options.iter().find_map(|option| arg.strip_prefix(option)?.strip_prefix('=')) {
            return Inner::Text(text.to_owned());
        }
    }
    Inner::None
}

/// `env -S 'python -u' x` splits its word first.
fn env(args: &[String]) -> Inner {
    for (index, arg) in args.iter().enumerate() {
        if !arg.starts_with('-') && !is_assignment(arg) {
            break;
        }
        let Some(attached) = arg.strip_prefix("-S").or_else(|| arg.strip_prefix("--split-string")) else {
            continue;
        };
        let attached = attached.trim_start_matches('=');
        let (text, after) = match attached {
            "" => (args.get(index + 1).map_or("", String::as_str), index + 2),
            text => (text, index + 1),
        };
        let split = text.split_ascii_whitespace().map(str::to_owned);
        let words: Vec<String> = split.chain(args.iter().skip(after).cloned()).collect();
        return after_options(&words, &[], 0);
    }
    after_options(args, &["-u", "-C", "--unset", "--chdir"], 0)
}

fn find(args: &[String]) -> Inner {
    let exec = args.iter().position(|arg| matches!(arg.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"));
    let Some(start) = exec else { return Inner::None };
    let words = args[start + 1..].iter().take_while(|arg| *arg != ";" && *arg != "+");
    Inner::Words(words.cloned().collect())
}

fn flock(args: &[String]) -> Inner {
    match text_after_option(args, &["-c", "--command"]) {
        Inner::None => after_options(args, &["-w", "-E", "--timeout", "--wait", "--conflict-exit-code"], 1),
        text => text,
    }
}
