//! tmpfiles.d(5): what systemd-tmpfiles makes at boot, line by line.

use super::words::{Strictness, Words};

/// A line that makes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it makes.
    pub makes: Makes,
    /// Its path, the specifiers expanded that are the same on every host.
    pub path: String,
    /// The path goes on with what depends on the host.
    pub is_prefix: bool,
    /// Permission bits; `None` where the line leaves them to the type.
    pub mode: Option<u32>,
    /// Owner, by name or number; `None` for root.
    pub user: Option<String>,
    /// Group, the same.
    pub group: Option<String>,
    /// How long the argument is: what a file holds that the line makes.
    pub size: u64,
    /// It is written where the file is there already (`f+`, `F`).
    pub replaces: bool,
    /// Line in the file, from 1.
    pub line: u32,
}

/// What a line makes where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes {
    /// `d`, `D`, `v`, `q`, `Q`
    Directory,
    /// `f`, `F`
    File,
    /// `L`, `p`, `c`, `b`, `C` and their kin: something, whatever it is.
    Other,
}

/// Directories of tmpfiles.d, the strongest first.
pub const DIRECTORIES: [&str; 4] =
    ["/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"];

/// The lines that make something; lines that systemd-tmpfiles would refuse are left out.
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
    let makes = match kind.chars().next()? {
        'd' | 'D' | 'v' | 'q' | 'Q' => Makes::Directory,
        'f' | 'F' => Makes::File,
        'L' | 'p' | 'c' | 'b' | 'C' => Makes::Other,
        _ => return None,
    };
    let stated = |word: Option<String>| word.filter(|word| !word.is_empty() && word != "-");
    let mode = stated(next()).map(|mode| mode.trim_start_matches(['~', ':']).to_owned());
    let mode = match mode {
        Some(mode) => Some(u32::from_str_radix(&mode, 8).ok().filter(|mode| *mode <= 0o7777)?),
        None => None,
    };
    let account = |word: Option<String>| stated(word).map(|name| name.trim_start_matches(':').to_owned());
    let (user, group) = (account(next()), account(next()));
    let _age = next();
    // The argument is the rest of the line (tmpfiles.d(5), "Argument").
    let argument = words.rest().trim();
    let size = if argument == "-" { 0 } else { argument.len() as u64 };
    let replaces = kind.starts_with('F') || kind.contains('+');
    let (path, is_prefix) = expanded(&path)?;
    path.starts_with('/').then_some(Line {
        makes,
        path,
        is_prefix,
        mode,
        user,
        group,
        size,
        replaces,
        line: number,
    })
}

/// A path with the specifiers that mean the same on every host (tmpfiles.d(5), "Specifiers"), up to the first that does
/// not, and whether there is one; `None` with one that systemd does not know.
fn expanded(path: &str) -> Option<(String, bool)> {
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
    let parts: Vec<&str> = out.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    out.starts_with('/').then(|| (format!("/{}", parts.join("/")), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_make_something_are_read() {
        let read = parse("# x\nd /run/a 0750 app app -\nD! %S/b - - -\nr /run/c\nL+ /run/d - - - - /etc/d\n");
        let short: Vec<_> = read.iter().map(|line| (line.makes, line.path.as_str(), line.line)).collect();
        assert_eq!(
            short,
            [
                (Makes::Directory, "/run/a", 2),
                (Makes::Directory, "/var/lib/b", 3),
                (Makes::Other, "/run/d", 5)
            ]
        );
        assert_eq!((read[0].mode, read[0].user.as_deref()), (Some(0o750), Some("app")));
        assert_eq!((read[1].mode, read[1].user.as_deref()), (None, None));
    }

    #[test]
    fn what_a_file_will_hold_and_what_depends_on_the_host_is_told() {
        let read = parse("f /a 0644 root root - some text\nf+ /b - - - - -\nF /c - - - -\nd /d/%m/x\n");
        let sizes: Vec<_> = read.iter().map(|line| (line.size, line.replaces)).collect();
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
