//! tmpfiles.d(5): what systemd-tmpfiles makes at boot, line by line.

use super::words::{Strictness, Words};

/// A line that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it does.
    pub does: Does,
    /// Its path, the specifiers expanded that are the same on every host. A pattern for what it removes or gives away.
    pub path: String,
    /// The path goes on with what depends on the host.
    pub is_prefix: bool,
    /// Permission bits; `None` where the line leaves them to the type.
    pub mode: Option<u32>,
    /// Owner, by name or number; `None` for root.
    pub user: Option<String>,
    /// Group, the same.
    pub group: Option<String>,
    /// Which of mode, owner and group hold for what is there already too, in this order: `:` before one is for what the line
    /// makes alone.
    pub holds: [bool; 3],
    /// Its argument: where a link leads, what is copied, or what a file will hold. Empty without one.
    pub argument: String,
    /// It counts where something is there already (`f+`, `F`, `L+`).
    pub replaces: bool,
    /// Line in the file, from 1.
    pub line: u32,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Makes a directory: `d`, `v`, `q`, `Q`.
    Directory,
    /// Makes a directory, after what is in it was removed: `D`.
    EmptyDirectory,
    /// Makes a file: `f`, `F`.
    File,
    /// Makes a link: `L`. With `?` only to what is there.
    Link {
        /// `L?`
        if_there: bool,
    },
    /// Copies a file or a tree: `C`.
    Copy,
    /// Makes something, whatever it is: `p`, `c`, `b`.
    Other,
    /// Gives away what is there: `z`, `m`, `e`; all below it, too: `Z`.
    Give {
        /// `Z`
        tree: bool,
    },
    /// Removes what is there: `r`; all below it, too: `R`.
    Remove {
        /// `R`
        tree: bool,
    },
}

impl Line {
    /// How many bytes a file will hold that the line makes.
    pub fn size(&self) -> u64 {
        self.argument.len() as u64
    }
}

/// Directories of tmpfiles.d, the strongest first.
pub const DIRECTORIES: [&str; 4] =
    ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"];

/// The lines that change something; lines that systemd-tmpfiles would refuse are left out.
pub fn parse(text: &str) -> Vec<Line> {
    let numbered = text.lines().zip(1u32..);
    numbered.filter_map(|(text, number)| line(text, number)).collect()
}

fn line(text: &str, number: u32) -> Option<Line> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let mut words = Words::new(text, Strictness::PLAIN);
    let mut next = || words.next_word().ok().flatten().map(|word| word.text);
    let (kind, path) = (next()?, next()?);
    let does = does(&kind)?;
    let stated = |word: Option<String>| word.filter(|word| !word.is_empty() && word != "-");
    // A mode with a tilde is masked by the one that is there, so that what comes of it is not said here.
    let is_of_new = |word: &Option<String>| word.as_ref().is_none_or(|word| word.starts_with([':', '~']));
    let (mode, user, group) = (stated(next()), stated(next()), stated(next()));
    let holds = [!is_of_new(&mode), !is_of_new(&user), !is_of_new(&group)];
    let mode = match mode.map(|mode| mode.trim_start_matches(['~', ':']).to_owned()) {
        Some(mode) => Some(u32::from_str_radix(&mode, 8).ok().filter(|mode| *mode <= 0o7777)?),
        None => None,
    };
    let account = |name: Option<String>| name.map(|name| name.trim_start_matches(':').to_owned());
    let _age = next();
    // The argument is the rest of the line (tmpfiles.d(5), "Argument").
    let argument = words.rest().trim();
    let argument = if argument == "-" { "" } else { argument }.to_owned();
    let replaces = kind.starts_with('F') || kind.contains('+');
    let (path, is_prefix) = expanded(&path)?;
    let is_absolute = path.starts_with('/');
    let (user, group) = (account(user), account(group));
    let line = Line { does, path, is_prefix, mode, user, group, holds, argument, replaces, line: number };
    is_absolute.then_some(line)
}

fn does(kind: &str) -> Option<Does> {
    Some(match kind.chars().next()? {
        'd' | 'v' | 'q' | 'Q' => Does::Directory,
        'D' => Does::EmptyDirectory,
        'f' | 'F' => Does::File,
        'L' => Does::Link { if_there: kind.contains('?') },
        'C' => Does::Copy,
        'p' | 'c' | 'b' => Does::Other,
        'z' | 'm' | 'e' => Does::Give { tree: false },
        'Z' => Does::Give { tree: true },
        'r' => Does::Remove { tree: false },
        'R' => Does::Remove { tree: true },
        _ => return None,
    })
}

/// An argument with its specifiers and escapes as they will be; `None` where it depends on the host.
pub fn argument(text: &str) -> Option<String> {
    if !text.contains(['%', '\\']) {
        return Some(text.to_owned());
    }
    let is_plain = !text.contains('\\');
    expanded_text(text).filter(|(_, is_prefix)| is_plain && !is_prefix).map(|(text, _)| text)
}

/// A path with the specifiers that mean the same on every host (tmpfiles.d(5), "Specifiers"), up to the first that does
/// not, and whether there is one; `None` with one that systemd does not know.
fn expanded(path: &str) -> Option<(String, bool)> {
    let (out, is_prefix) = expanded_text(path)?;
    if is_prefix {
        return Some((out, true));
    }
    let parts: Vec<&str> = out.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    out.starts_with('/').then(|| (format!("/{}", parts.join("/")), false))
}

fn expanded_text(path: &str) -> Option<(String, bool)> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out.push_str(match rest.next()? {
            '%' => "%",
            't' => "/run",
            'S' => "/var/lib",
            'C' => "/var/cache",
            'L' => "/var/log",
            'T' => "/tmp",
            'V' => "/var/tmp",
            'h' => "/root",
            'u' | 'g' => "root",
            'U' | 'G' => "0",
            'a' | 'A' | 'b' | 'B' | 'H' | 'l' | 'm' | 'M' | 'o' | 'v' | 'w' | 'W' => {
                return Some((out, true));
            }
            _ => return None,
        });
    }
    Some((out, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_make_something_are_read() {
        let read = parse("# x\nd /run/a 0750 app app -\nD! %S/b - - -\nx /run/c\nL+ /run/d - - - - /etc/d\n");
        let short: Vec<_> = read.iter().map(|line| (line.does, line.path.as_str(), line.line)).collect();
        assert_eq!(
            short,
            [
                (Does::Directory, "/run/a", 2),
                (Does::EmptyDirectory, "/var/lib/b", 3),
                (Does::Link { if_there: false }, "/run/d", 5)
            ]
        );
        assert_eq!((read[0].mode, read[0].user.as_deref()), (Some(0o750), Some("app")));
        assert_eq!((read[1].mode, read[1].user.as_deref()), (None, None));
        assert_eq!((read[0].holds, read[1].holds, &*read[2].argument), ([true; 3], [false; 3], "/etc/d"));
    }

    #[test]
    fn what_a_file_will_hold_and_what_depends_on_the_host_is_told() {
        let read = parse("f /a 0644 root root - some text\nf+ /b - - - - -\nF /c - - - -\nd /d/%m/x\n");
        let sizes: Vec<_> = read.iter().map(|line| (line.size(), line.replaces)).collect();
        assert_eq!(sizes, [(9, false), (0, true), (0, true), (0, false)]);
        assert_eq!((read[3].path.as_str(), read[3].is_prefix), ("/d/", true));
    }

    #[test]
    fn lines_that_systemd_refuses_make_nothing() {
        for text in ["d run/a", "d /run/a 09 - -", "d /run/%q", "d", "x /run/a"] {
            assert_eq!(parse(text), [], "{text}");
        }
        assert_eq!(parse("v \"/srv/with blank/\" 0755")[0].path, "/srv/with blank");
    }
}
