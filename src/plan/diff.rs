//! The difference that an edit makes to a file, as a person reads it before it is made.

use similar::TextDiff;

use super::draft::Edit;
use crate::contract::Contract;
use crate::contract::secrets::Hiding;
use crate::system::hand::Node;

/// Unified, three lines of context. Secrets are hidden on both sides.
pub(super) fn unified(edit: &Edit, contract: &Contract) -> String {
    let (Some(was), Some(now)) = (text(&edit.was), text(&edit.now)) else { return String::new() };
    let hiding = Hiding::of(contract);
    let (old, new) = (hiding.shown(&edit.path, &was), hiding.shown(&edit.path, &now));
    if old == new {
        return String::new();
    }
    let name = |node: &Node| if *node == Node::Absent { "/dev/null" } else { edit.path.as_str() };
    TextDiff::from_lines(&old, &new).unified_diff().header(name(&edit.was), name(&edit.now)).to_string()
}

/// The text of a file, nothing for nothing; `None` for what has no text.
fn text(node: &Node) -> Option<String> {
    match node {
        Node::Absent => Some(String::new()),
        Node::File { bytes, .. } => String::from_utf8(bytes.clone()).ok().filter(|text| !text.contains('\0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::hand::Rights;

    #[test]
    fn a_secret_is_never_shown() {
        let rights = Rights { uid: 0, gid: 0, mode: 0o640 };
        let edit = Edit {
            path: "/etc/x.env".into(),
            was: Node::file(*b"A=1\nAPI_KEY=hunter2\n", rights),
            now: Node::file(*b"A=2\nAPI_KEY=hunter2\n", rights),
            names: None,
            user: None,
            whole: false,
        };
        let shown = unified(&edit, &Contract::built_in());
        assert!(shown.contains("-A=1\n+A=2\n") && shown.contains("API_KEY=(secret)"), "{shown}");
        assert!(!shown.contains("hunter2"));
        let contract = Contract::built_in();
        let hiding = |line: &str| Hiding::of(&contract).shown("/etc/systemd/system/x.service", line);
        assert_eq!(
            hiding("Environment=A=1 \"SMTP_PASS=hunter2\"\n"),
            "Environment=A=1 \"SMTP_PASS=(secret)\"\n"
        );
        assert_eq!(hiding("ExecStart=/a redis://u:hunter2@h\n"), "ExecStart=/a redis://u:(secret)@h\n");
        assert_eq!(hiding("requirepass hunter2\n"), "requirepass (secret)\n");
        // Of a value that goes over several lines no line is shown.
        let keys = |text: &str| Hiding::of(&contract).shown("/etc/x.env", text);
        let shown = keys("A=1\nAPI_KEY=\"hunter\n2\n\nx\"\nB=2\n");
        assert_eq!(shown, "A=1\nAPI_KEY=\"(secret)\n(secret)\n\n(secret)\"\nB=2\n");
    }
}
