//! The catalogues of breaks and rewrites, as they stand in the two text files beside this one.

use std::collections::BTreeSet;

/// A change that the audit must catch.
#[derive(Debug, Default)]
pub struct Break {
    /// The section of the contract.
    pub section: String,
    /// What is broken.
    pub name: String,
    /// The shell lines that break it.
    pub shell: String,
    /// The shell line that takes back what files do not show.
    pub undo: Option<String>,
    /// Paths it touches beside those that the shell lines name.
    pub touched: Vec<String>,
    /// systemd is not told.
    pub no_reload: bool,
    /// That a process is older than its files is the point.
    pub strict: bool,
    /// The rule that must fail, or `undecided`.
    pub rule: String,
    /// Its subject, or `any`.
    pub subject: String,
    /// The place it must name: a path, a line of it, an endpoint.
    pub place: String,
    /// Rules that the same break breaks by its nature.
    pub also: Vec<String>,
    /// It takes away what other rules judge: a unit that does not load, a server that is gone.
    pub hides: bool,
}

/// A change that the audit must not notice.
#[derive(Debug, Default)]
pub struct Rewrite {
    /// What is written anew.
    pub name: String,
    /// It moves a value, beyond how it is written.
    pub moves: bool,
    /// The shell lines that do it.
    pub shell: String,
    /// Paths it touches beside those that the shell lines name.
    pub touched: Vec<String>,
}

impl Break {
    /// Every path it may change.
    pub fn paths(&self) -> Vec<String> {
        if self.touched.is_empty() { paths_in(&self.shell) } else { self.touched.clone() }
    }
}

impl Rewrite {
    /// Every path it may change.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = paths_in(&self.shell);
        paths.extend(self.touched.iter().cloned());
        paths
    }
}

/// The shell's variables that the catalogues use.
pub const VARIABLES: &[(&str, &str)] = &[
    ("$U", "/etc/systemd/system"),
    ("$E", "/etc/quantum"),
    ("$R", "/home/qt/quantum_trader"),
    ("$V", "/opt/quantum/venvs"),
];

/// The absolute paths that shell lines name, those below one of them left out. Only trees that hold
/// configuration: what runs, `/bin` and devices are not to be put back.
pub fn paths_in(shell: &str) -> Vec<String> {
    let mut text = shell.to_owned();
    for (name, value) in VARIABLES {
        text = text.replace(name, value);
    }
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('/') {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "/._-*:{}".contains(c)) {
            continue;
        }
        let path: String =
            text[at..].chars().take_while(|c| c.is_alphanumeric() || "/._-@+".contains(*c)).collect();
        let path = path.trim_end_matches(['/', '.']).to_owned();
        let kept = [
            "/etc/",
            "/home/",
            "/opt/quantum/data/b",
            "/opt/quantum/ai",
            "/usr/lib/systemd/system/",
            "/usr/local/",
            "/run/systemd/",
            "/root/",
        ];
        let shape = ["/opt/quantum/data", "/opt/quantum/secrets", "/opt/quantum", "/etc/quantum", "/opt/old"];
        if kept.iter().any(|tree| path.starts_with(tree)) || shape.contains(&path.as_str()) {
            found.insert(path);
        }
    }
    if text.contains("quantum-*.service") {
        found.insert("/etc/systemd/system".to_owned());
    }
    found.into_iter().collect()
}

/// The entries of a catalogue. A line of two blanks or one that begins with a word for details belongs to the
/// entry above it, and so does what a quoted program continues on.
fn entries(text: &str) -> Vec<Vec<&str>> {
    let begins = |line: &str| {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let section = word.len() == 1 && word.starts_with(|c: char| c.is_ascii_uppercase());
        !rest.is_empty() && (section || ["moves", "writes"].contains(&word))
    };
    let mut found: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match found.last_mut() {
            Some(entry) if !begins(line) => entry.push(line),
            _ => found.push(vec![line]),
        }
    }
    found
}

/// The breaks.
pub fn breaks() -> Vec<Break> {
    entries(include_str!("breaks.txt")).into_iter().map(|lines| read_break(&lines)).collect()
}

fn read_break(lines: &[&str]) -> Break {
    let (section, name) = lines[0].split_once(' ').expect("a section and a name");
    let mut entry = Break { section: section.into(), name: name.into(), ..Break::default() };
    for line in &lines[1..] {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "expect" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [rule, subject, place @ ..] = words.as_slice() else {
                    panic!("{name}: expect RULE SUBJECT PLACE")
                };
                (entry.rule, entry.subject, entry.place) =
                    ((*rule).into(), (*subject).into(), place.join(" "));
            }
            "also" => entry.also = rest.split(' ').map(str::to_owned).collect(),
            "undo" => entry.undo = Some(rest.to_owned()),
            "paths" => entry.touched = rest.split(' ').map(str::to_owned).collect(),
            "hides" => entry.hides = true,
            "no-reload" => entry.no_reload = true,
            "strict" => entry.strict = true,
            _ => {
                entry.shell.push_str(line.strip_prefix("  ").unwrap_or(line));
                entry.shell.push('\n');
            }
        }
    }
    assert!(!entry.shell.is_empty() && !entry.rule.is_empty(), "{name} is not a break");
    entry
}

/// Compares a set with the list in a file beside this one; `UPDATE_CATALOGUE=1` writes the list anew.
pub fn compare(file: &str, here: &BTreeSet<String>) {
    compare_at(&format!("tests/machines/machine/{file}"), here);
}

/// Whether a part of a list's entries stands in it.
pub fn compare_part(file: &str, here: &BTreeSet<String>) {
    let listed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines/machine").join(file);
    let known = std::fs::read_to_string(listed).unwrap_or_default();
    let unknown: Vec<&String> = here.iter().filter(|line| !known.lines().any(|one| one == *line)).collect();
    assert!(unknown.is_empty(), "{file} does not hold {unknown:?}; all of the catalogue makes it anew");
}

/// The same for a list anywhere in the repository.
pub fn compare_at(file: &str, here: &BTreeSet<String>) {
    let listed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_CATALOGUE").is_some() {
        let lines: String = here.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&listed, lines).expect("the list is written");
    }
    let known = std::fs::read_to_string(&listed).unwrap_or_default();
    let known: BTreeSet<String> = known.lines().map(str::to_owned).collect();
    assert_eq!(*here, known, "UPDATE_CATALOGUE=1 writes {file} anew; read it before it is committed");
}

/// The rewrites.
pub fn rewrites() -> Vec<Rewrite> {
    entries(include_str!("rewrites.txt")).into_iter().map(|lines| read_rewrite(&lines)).collect()
}

fn read_rewrite(lines: &[&str]) -> Rewrite {
    let (word, name) = lines[0].split_once(' ').expect("a word and a name");
    let mut entry = Rewrite { name: name.into(), moves: word == "moves", ..Rewrite::default() };
    assert!(["moves", "writes"].contains(&word), "{} begins no rewrite", lines[0]);
    for line in &lines[1..] {
        match line.strip_prefix("paths ") {
            Some(paths) => entry.touched = paths.split(' ').map(str::to_owned).collect(),
            None => {
                entry.shell.push_str(line.trim_start());
                entry.shell.push('\n');
            }
        }
    }
    entry
}
