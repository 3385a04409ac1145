//! No text whatever makes the reader panic, and what it says can always be shown.

use proptest::prelude::*;

use super::super::Contract;

/// Judges a text and shows every error.
fn survive(text: &str) {
    let load =
        |path: &str| if path.len().is_multiple_of(2) { Ok(text.to_owned()) } else { Err("no".to_owned()) };
    if let Err(errors) = Contract::parse(text, "golden.toml", false, &load) {
        assert!(!errors.is_empty());
        for error in errors.iter().take(50) {
            assert!(!error.way_out.is_empty() && !error.message.is_empty());
            error.render(text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn anything_like_a_contract(lines in prop::collection::vec(line(), 0..40)) {
        survive(&lines.join("\n"));
    }

    /// The built-in contract with a piece cut out, doubled or replaced.
    #[test]
    fn a_damaged_contract(start in 0usize..12_000, length in 0usize..400, junk in "[\\[\\]{}\"=.,#a-z0-9\\n ]{0,12}") {
        let text = Contract::built_in_text();
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (from, to) = (floor(start), floor(start + length));
        survive(&format!("{}{junk}{}", &text[..from], &text[to..]));
        survive(&format!("{}{}", &text[..to], &text[from..]));
    }
}

/// A line that has some of a contract's words.
fn line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "schema",
        "layout",
        "services",
        "unit",
        "Service",
        "kinds",
        "python",
        "env",
        "variables",
        "a",
        "b",
        "path",
        "equals",
        "one_of",
        "level",
        "kind",
        "venv",
        "after",
        "requires",
        "waivers",
        "extends",
        "forbidden",
        "jobs",
        "\"x y\"",
        "identity",
        "user",
        "holds",
        "env_files",
        "dependencies",
        "safety",
        "gate",
        "contract",
        "name",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "\"a\"",
        "\"/a\"",
        "\"{layout.a}\"",
        "\"{layout.b}/{service}\"",
        "[]",
        "{}",
        "true",
        "2026-01-01",
        "0.5",
        "[\"a\", \"b\"]",
        "{ equals = \"a\" }",
        "{ absent = true, level = \"off\" }",
        "\"quantum\"",
        "\"a.toml\"",
        "\"python\"",
        "[{ a = 1 }]",
        "99999999999999999999",
        "nan",
        "-1",
        "\"\"",
        "\"must\"",
        "{ path = \"/\" }",
    ]);
    let dotted = prop::collection::vec(word, 1..4).prop_map(|words| words.join("."));
    let header = dotted.clone().prop_map(|words| format!("[{words}]"));
    let list = dotted.clone().prop_map(|words| format!("[[{words}]]"));
    prop_oneof![header, list, (dotted, value).prop_map(|(key, value)| format!("{key} = {value}"))]
}
