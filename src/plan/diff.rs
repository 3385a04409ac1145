//! The difference that a step makes to a file, as a person reads it before it is made.

use similar::TextDiff;

use super::Write;
use crate::syntax::secret_shape::glob_matches;

/// Unified, three lines of context. Values of secret variables are hidden on both sides.
pub(super) fn unified(write: &Write, secret_names: &[String]) -> String {
    let hide = |text: &str| -> String {
        text.split_inclusive('\n').map(|line| hidden(line, secret_names)).collect()
    };
    let (old, new) = (hide(write.now.as_deref().unwrap_or("")), hide(&write.content));
    if old == new {
        return String::new();
    }
    let from = if write.now.is_some() { write.path.as_str() } else { "/dev/null" };
    TextDiff::from_lines(&old, &new).unified_diff().header(from, &write.path).to_string()
}

fn hidden(line: &str, secret_names: &[String]) -> String {
    let Some((name, value)) = line.split_once('=') else { return line.to_owned() };
    let is_secret = secret_names.iter().any(|pattern| glob_matches(pattern, name.trim()));
    if is_secret && !value.trim().is_empty() { format!("{name}=(secret)\n") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let write = Write {
            path: "/etc/x.env".into(),
            content: "A=2\nAPI_KEY=hunter2\n".into(),
            now: Some("A=1\nAPI_KEY=hunter2\n".into()),
            owner: "root".into(),
            group: "root".into(),
            mode: 0o640,
        };
        let shown = unified(&write, &["*_KEY".to_owned()]);
        assert!(shown.contains("-A=1\n+A=2\n") && shown.contains("API_KEY=(secret)"), "{shown}");
        assert!(!shown.contains("hunter2"));
    }
}
