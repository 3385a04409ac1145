//! The patterns of a logrotate(8) configuration file: which log files it rotates.

/// The patterns of every stanza with their lines, and the paths of `include`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logrotate {
    /// Patterns of log files.
    pub patterns: Vec<(String, u32)>,
    /// Files and directories that are read in.
    pub includes: Vec<String>,
}

/// Directives that begin a shell script which only `endscript` ends.
const SCRIPTS: &[&str] = &["prerotate", "postrotate", "firstaction", "lastaction", "preremove"];

/// Reads a file; what stands in stanzas but their patterns is ignored.
pub fn parse(bytes: &[u8]) -> Logrotate {
    let text = String::from_utf8_lossy(bytes);
    let mut read = Logrotate::default();
    let mut inside = false;
    let mut script = false;
    for (line, number) in text.lines().zip(1_u32..) {
        let line = line.trim();
        let first = line.split_whitespace().next().unwrap_or("");
        if script {
            script = first != "endscript";
        } else if line.starts_with('#') {
        } else if inside {
            script = SCRIPTS.contains(&first);
            inside = !line.ends_with('}');
        } else if let Some(path) = line.strip_prefix("include ") {
            read.includes.push(path.trim().to_owned());
        } else if line.starts_with(['/', '"', '\'', '{']) {
            let (patterns, rest) = line.split_once('{').unwrap_or((line, ""));
            read.patterns.extend(words(patterns).map(|pattern| (pattern, number)));
            inside = line.contains('{') && !rest.trim_end().ends_with('}');
        }
    }
    read
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => rest[1..].split_once(first).unwrap_or((&rest[1..], "")),
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_stanzas_are_found() {
        let text = "weekly\ninclude /etc/logrotate.d\n/var/log/a/*.log \"/var/log/b c.log\"\n{\n  postrotate\n    \
                    x() { /bin/true; }\n  endscript\n}\n/var/log/d { daily }\n# /var/log/e {\n/var/log/f {\n su a b\n}\n";
        let read = parse(text.as_bytes());
        let names: Vec<_> = read.patterns.iter().map(|(name, line)| (name.as_str(), *line)).collect();
        assert_eq!(
            names,
            [("/var/log/a/*.log", 3), ("/var/log/b c.log", 3), ("/var/log/d", 9), ("/var/log/f", 11)]
        );
        assert_eq!(read.includes, ["/etc/logrotate.d"]);
    }
}
