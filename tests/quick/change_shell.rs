//! The shell of a change, which a person copies: run by a POSIX shell with hostile words in every place that can hold
//! any, it starts the programs that it names, edits the one file that it means, and nothing else.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use golden::model::change::{Coming, Commit, Going, WorkTree};
use golden::model::{Change, How, Spot, Verb};
use proptest::prelude::*;

/// Programs that the shell of changes names; each is replaced by one that only says that it was called.
const SAID: &[&str] = &[
    "mkdir",
    "chmod",
    "chown",
    "install",
    "ln",
    "rm",
    "mv",
    "systemd-sysusers",
    "gpasswd",
    "apt-get",
    "git",
    "golden",
    "python3",
    "systemctl",
    "redis-cli",
];
/// Programs that only an attack calls.
const NEVER: &[&str] =
    &["touch", "id", "true", "cat", "ls", "curl", "bash", "dash", "perl", "make", "e", "w", "pwned"];

/// What hostile words are made of: the languages of the shell, sed, make, git, python and sysusers.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "9",
    " ",
    "\t",
    "\n",
    "\r",
    "'",
    "\"",
    "\\",
    "`",
    "$",
    "$(touch pwned)",
    "`touch pwned`",
    ";",
    "; touch pwned;",
    "|",
    "&",
    "&& touch pwned",
    ">",
    ">> pwned",
    "<",
    "(",
    ")",
    "{",
    "}",
    "*",
    "?",
    "[",
    "]",
    "[[:",
    ":]]",
    "~",
    "#",
    "!",
    "^",
    "%",
    "=",
    "-",
    "--",
    "-x",
    "/",
    "//",
    "s/a/b/e",
    "1e touch pwned",
    "w pwned",
    "\ne touch pwned\n",
    "\\n",
    "|e",
    "}e touch pwned",
    "ba",
    ":a",
    "$(shell touch pwned)",
    "${IFS}",
    "$'\\x27'",
    "'\"'\"'",
    "');import os;os.system('touch pwned')#",
    "ext::sh -c touch",
    "\u{1b}[2J",
    "\u{9b}",
    "\u{202e}",
    "é",
    "\u{7f}",
    "%s",
    "%n",
    "EOF",
    "u root 0",
    "\\1",
    "&",
    "@",
    ",",
    "+",
    ".",
    "..",
];

fn word() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 1..6).prop_map(|pieces| pieces.concat())
}

fn user() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(word())
}

/// A sandbox: its files, and what was called in it.
struct Sandbox {
    home: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for directory in ["work", "place"] {
            std::fs::create_dir(home.path().join(directory)).unwrap();
        }
        let program = |name: &str, text: String| {
            let path = bin.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let log = home.path().join("log");
        let log = log.display();
        for name in SAID.iter().chain(NEVER) {
            program(name, format!("#!/bin/sh\necho {name} >>{log}\n"));
        }
        let find = |name: &str| {
            ["/usr/bin", "/bin"]
                .iter()
                .map(|at| format!("{at}/{name}"))
                .find(|path| Path::new(path).exists())
                .unwrap()
        };
        // Scripts of sed that would start a program or write another file are an error in its sandbox.
        program(
            "sed",
            format!(
                "#!/bin/sh\necho sed >>{log}\n{} --sandbox \"$@\" || echo sed-failed >>{log}\n",
                find("sed")
            ),
        );
        // The rest is done as the user, so it is part of the shell that is tried.
        program("runuser", format!("#!/bin/sh\necho runuser >>{log}\nshift 3\nexec \"$@\"\n"));
        program("sh", format!("#!/bin/sh\nexec {} \"$@\"\n", shell()));
        Self { home }
    }

    /// The place of a hostile name.
    fn place(&self, name: &str) -> String {
        let name: String = name.chars().filter(|c| *c != '/').take(60).collect();
        let name = if matches!(name.as_str(), "" | "." | "..") { "x".to_owned() } else { name };
        format!("{}/{name}", self.home.path().join("place").display())
    }

    fn run(&self, script: &str) -> Vec<String> {
        let _ = std::fs::remove_file(self.home.path().join("log"));
        let status = Command::new(shell())
            .args(["-c", script])
            .env_clear()
            .env("PATH", self.home.path().join("bin"))
            .current_dir(self.home.path().join("work"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&status.stderr).into_owned();
        // Another test has forked while a program of this sandbox was being written (execve(2), ETXTBSY).
        if said.contains("Text file busy") {
            std::thread::sleep(std::time::Duration::from_millis(50));
            return self.run(script);
        }
        assert!(!said.contains("not found") && !said.to_lowercase().contains("syntax"), "{script}\n{said}");
        let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn names(&self, directory: &str) -> BTreeSet<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt;
        let entries = std::fs::read_dir(self.home.path().join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_vec()).collect()
    }
}

/// A shell that knows nothing beyond POSIX, where there is one.
fn shell() -> &'static str {
    if Path::new("/bin/dash").exists() { "/bin/dash" } else { "/bin/sh" }
}

/// Every variant of a change with these words in it, and the programs that its shell names.
fn changes(sandbox: &Sandbox, words: &[String], user: Option<&String>) -> Vec<(Change, Vec<&'static str>)> {
    let word = |at: usize| words[at % words.len()].clone();
    let path = sandbox.place(&word(0));
    let at = Spot { path: path.clone(), user: user.cloned() };
    let (as_user, root) = (user.is_some(), user.is_none());
    let mut by = vec![];
    if as_user {
        by.push("runuser");
    }
    let and = |more: &[&'static str]| [&by[..], more].concat();
    let commit = |commit: String| Commit { branch: Some(word(2)), commit };
    vec![
        (
            Change::Setting {
                unit: word(0).replace('/', ""),
                section: word(1),
                key: word(2),
                values: vec![word(3), word(4)],
                how: How::Replace,
                over: Some(word(5)),
            },
            vec!["mkdir"],
        ),
        (Change::UnitLine { unit: word(1), path: path.clone(), line: 2, text: Some(word(2)) }, vec!["sed"]),
        (Change::UnitLine { unit: word(1), path: path.clone(), line: 2, text: None }, vec!["sed"]),
        (
            Change::Variable { path: path.clone(), line: Some(2), name: word(1), value: Some(word(2)) },
            vec!["sed"],
        ),
        (Change::Variable { path: path.clone(), line: Some(2), name: word(1), value: None }, vec!["sed"]),
        (Change::Variable { path: path.clone(), line: None, name: word(1), value: Some(word(2)) }, vec![]),
        (Change::Variable { path: path.clone(), line: None, name: word(1), value: None }, vec!["sed"]),
        (
            Change::Assignment { path: path.clone(), name: word(1), was: Some(word(2)), now: Some(word(3)) },
            vec!["golden"],
        ),
        (
            Change::Artefact {
                to: path.clone(),
                now: Some(Coming { from: word(1), digest: word(2) }),
                was: Some(Going { digest: word(3), aside: word(4) }),
            },
            vec!["golden"],
        ),
        (Change::Directive { path: path.clone(), name: word(1), value: word(2) }, vec!["sed"]),
        (
            Change::Server { address: word(0), unit: None, name: word(1), value: word(2), was: word(3) },
            vec!["redis-cli"],
        ),
        (
            Change::Lines { at: at.clone(), line: Some(2), was: word(1), lines: vec![word(2), word(3)] },
            and(&["sed"]),
        ),
        (Change::Lines { at: at.clone(), line: Some(2), was: word(1), lines: vec![] }, and(&["sed"])),
        (Change::Lines { at: at.clone(), line: None, was: String::new(), lines: vec![word(2)] }, and(&[])),
        (Change::Mode { at: at.clone(), mode: 0o755 }, and(&["chmod"])),
        (Change::Owner { at: at.clone(), owner: Some(word(1)), group: Some(word(2)) }, and(&["chown"])),
        (Change::Owner { at: at.clone(), owner: Some(word(1)), group: None }, and(&["chown"])),
        (
            Change::Directory { at: at.clone(), owner: word(1), group: word(2), mode: 0o755 },
            and(&["install"]),
        ),
        (
            Change::File { at: at.clone(), content: word(1), owner: word(2), group: word(3), mode: 0o644 },
            if root { vec!["chown", "chmod"] } else { and(&["chmod"]) },
        ),
        (Change::Link { at: at.clone(), target: word(1) }, and(&["ln"])),
        (Change::Remove { at: at.clone() }, and(&["rm"])),
        (Change::Move { at: at.clone(), to: sandbox.place(&word(1)) }, and(&["mv"])),
        (
            Change::Account { user: Some("qt".into()), group: "qt".into(), home: Some("/home/qt".into()) },
            vec!["systemd-sysusers"],
        ),
        (Change::LeaveGroup { user: word(0), group: word(1) }, vec!["gpasswd"]),
        (Change::Packages { names: vec![word(0), word(1)] }, vec!["apt-get"]),
        (
            Change::Clone { remote: word(0), branch: Some(word(1)), path: word(2), user: word(3) },
            vec!["runuser", "git"],
        ),
        (
            Change::Checkout {
                tree: WorkTree { path: path.clone(), uid: 1, gid: 1, home: word(1) },
                from: commit(word(3)),
                to: commit(word(4)),
            },
            vec!["golden"],
        ),
        (
            Change::Venv {
                path: path.clone(),
                interpreter: word(1),
                requirements: word(2),
                wheelhouse: Some(word(3)),
                uv: Some(word(4)),
            },
            vec!["golden"],
        ),
        (
            Change::Database { at: at.clone(), owner: word(1) },
            if root { vec!["python3", "chown"] } else { and(&["python3"]) },
        ),
        (Change::Restore { at: at.clone(), tree: word(1) }, and(&["git"])),
        (Change::Reload, vec!["systemctl"]),
        (Change::Unit { verb: Verb::Restart, unit: word(0) }, vec!["systemctl"]),
    ]
}

fn is_harmless(sandbox: &Sandbox, change: &Change, programs: &[&str]) {
    let place = change.touches().first().cloned().unwrap_or_default();
    let is_ours = place.starts_with(&sandbox.home.path().display().to_string());
    if is_ours {
        std::fs::write(&place, "one\ntwo\nthree\n").unwrap();
    }
    let mut script = change.shell();
    if let Change::Setting { .. } = change {
        // The directory of units is not this sandbox's: what is tried is the words.
        let own = format!("{}/", sandbox.home.path().join("work").display());
        script = script.replace("/etc/systemd/system/", &own);
    }
    let called = sandbox.run(&script);
    let file = std::fs::read(&place).unwrap_or_default();
    let (work, places) = (sandbox.names("work"), sandbox.names("place"));
    if is_ours {
        std::fs::remove_file(&place).unwrap();
    }
    assert_eq!(called, programs, "{change:?}\n{script}");
    assert!(work.is_empty(), "{change:?}\n{script}\nmade {work:?}");
    assert!(places.len() <= 1, "{change:?}\n{script}\nmade {places:?}");
    let text = String::from_utf8_lossy(&file);
    match change {
        Change::UnitLine { text: Some(line), .. } => {
            assert_eq!(text, format!("one\n{line}\nthree\n"), "{script}")
        }
        Change::UnitLine { text: None, .. } | Change::Variable { line: Some(_), value: None, .. } => {
            assert_eq!(text, "one\n\nthree\n", "{script}");
        }
        Change::Variable { line: None, value: None, .. } => assert_eq!(text, "one\ntwo\nthree\n", "{script}"),
        Change::Directive { name, value, .. } => {
            assert_eq!(text, format!("one\ntwo\nthree\n{name} {value}\n"), "{script}");
        }
        Change::Lines { line: Some(_), lines, .. } => {
            assert_eq!(text, format!("one\n{}\nthree\n", lines.join("\n")), "{script}");
        }
        Change::Lines { line: None, lines, .. } => {
            assert_eq!(text, format!("one\ntwo\nthree\n{}\n", lines.join("\n")), "{script}");
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn hostile_words_stay_words(words in proptest::collection::vec(word(), 6), user in user()) {
        let sandbox = Sandbox::new();
        for (change, programs) in changes(&sandbox, &words, user.as_ref()) {
            is_harmless(&sandbox, &change, &programs);
        }
    }
}

/// Each piece alone in every place: what a random mixture may miss.
#[test]
fn every_hostile_piece_stays_a_word() {
    for piece in PIECES.iter().step_by(3) {
        let sandbox = Sandbox::new();
        let words = [(*piece).to_owned()];
        for user in [None, Some((*piece).to_owned())] {
            for (change, programs) in changes(&sandbox, &words, user.as_ref()) {
                is_harmless(&sandbox, &change, &programs);
            }
        }
    }
}

#[test]
fn names_that_are_more_than_one_word_make_no_account() {
    for name in ["evil 0", "a\nu evil 0", "\"", "-", "", "%u", "a\\x20b"] {
        let change = Change::Account { user: Some(name.into()), group: "qt".into(), home: None };
        assert_eq!(change.shell(), "golden apply", "{name:?}");
    }
}
