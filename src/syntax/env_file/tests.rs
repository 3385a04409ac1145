use super::*;

fn values(text: &str, version: u32) -> Vec<(String, String, u32)> {
    parse(text.as_bytes(), version).variables.into_iter().map(|v| (v.name, v.value, v.line)).collect()
}

fn kinds(text: &str) -> Vec<NoteKind> {
    parse(text.as_bytes(), 257).notes.into_iter().map(|note| note.kind).collect()
}

fn drops(text: &str, version: u32) -> Vec<(u32, String, DropReason)> {
    parse(text.as_bytes(), version).dropped.into_iter().map(|d| (d.line, d.text, d.why)).collect()
}

#[test]
fn lines_are_counted_over_quotes_and_continuations() {
    let text = "A='1\n2'\nB=x\\\ny\nC=3\r\nD=4\rE=5\n";
    let lines: Vec<u32> = values(text, 252).into_iter().map(|(_, _, line)| line).collect();
    assert_eq!(lines, [1, 3, 5, 6, 7]);
}

#[test]
fn a_comment_with_a_backslash_swallows_a_line_before_254_only() {
    let text = "# c \\\nA=1\nB=2\n";
    assert_eq!(values(text, 253), [("B".into(), "2".into(), 3)]);
    assert_eq!(drops(text, 253), [(2, "A".into(), DropReason::CommentContinuation)]);
    assert_eq!(values(text, 254).len(), 2);
    assert_eq!(kinds(text), [NoteKind::CommentBackslash]);
}

#[test]
fn what_a_dropped_line_evidently_means_is_kept() {
    let meant = |text: &str| {
        let dropped = parse(text.as_bytes(), 252).dropped.pop().unwrap();
        dropped.meant.map(|variable| format!("{}={}", variable.name, variable.value))
    };
    assert_eq!(meant("export PORT=8000\n").as_deref(), Some("PORT=8000"));
    assert_eq!(meant("export\tA = 'b c'\n").as_deref(), Some("A=b c"));
    assert_eq!(meant("\u{feff}A=1\n").as_deref(), Some("A=1"));
    for text in ["export A=1 B=2\n", "export A=$HOME/x\n", "export A=1 # one\n", "export A='x\n", "A-B=1\n"] {
        assert_eq!(meant(text), None, "{text}");
    }
}

#[test]
fn what_is_dropped_is_named_without_its_value() {
    let text = "export API=secret\n1A=2\nA-B=3\nfoo bar\n=1\nlonglonglonglonglonglonglonglong\n";
    let expected = [
        (1, "export API".to_owned(), DropReason::Export),
        (2, "1A".to_owned(), DropReason::BadKey),
        (3, "A-B".to_owned(), DropReason::BadKey),
        (4, "foo".to_owned(), DropReason::NoEquals),
        (5, "=1".to_owned(), DropReason::NoEquals),
        (6, "longlo…".to_owned(), DropReason::NoEquals),
    ];
    assert_eq!(drops(text, 257), expected);
}

#[test]
fn a_byte_order_mark_costs_the_first_variable_but_not_a_comment() {
    assert_eq!(drops("\u{feff}A=1\n", 257), [(1, "A".into(), DropReason::ByteOrderMark)]);
    assert_eq!(drops("\u{feff}# a=b\nA=1\n", 257), []);
    assert_eq!(drops("\u{feff}\nA=1\n", 257), []);
}

#[test]
fn notes_tell_what_is_misread() {
    assert_eq!(kinds("A=1 # c\n"), [NoteKind::CommentInValue]);
    assert_eq!(kinds("A=1#c\n"), []);
    assert_eq!(kinds("A=\"a\" # c\n"), [NoteKind::CommentInValue, NoteKind::TextAfterQuote]);
    assert_eq!(kinds("A=\"abc\nB=2\n"), [NoteKind::UnterminatedQuote, NoteKind::SwallowedAssignment]);
    assert_eq!(kinds("A=a\"b\"\n"), [NoteKind::LiteralQuote]);
    assert_eq!(kinds("A=a\\\nB=1\n"), [NoteKind::JoinedLine]);
    assert_eq!(kinds("A=C:\\dir\n"), [NoteKind::BackslashLost]);
    assert_eq!(kinds("A=1\r\nB=2\r\n"), [NoteKind::CarriageReturn]);
    assert_eq!(kinds(&format!("A={}\n", "x".repeat(131_072))), [NoteKind::TooLongToExec]);
}

#[test]
fn a_refused_file_gives_nothing() {
    let file = parse(b"A=1\nB=\xff\n", 252);
    assert_eq!(file.fatal, Some(Fatal { line: 2, why: FatalReason::InvalidUtf8 }));
    assert!(file.effective().is_empty() && file.get("A").is_none());
    assert_eq!(parse(b"# \xff\nA=1\n", 252).fatal, None);
    assert_eq!(parse(b"A=1\n# \0\n", 252).fatal, Some(Fatal { line: 2, why: FatalReason::Nul }));
}

#[test]
fn the_last_assignment_counts() {
    let file = parse(b"A=1\nB=2\nA=3\n", 252);
    assert_eq!(file.get("A").map(|v| v.value.as_str()), Some("3"));
    assert_eq!(file.repeated().len(), 1);
    assert_eq!(file.effective().len(), 2);
}
