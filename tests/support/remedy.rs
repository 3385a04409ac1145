//! What a report says is to be done about a finding, as one line for a person.

use serde_json::Value;

/// The shell of changes that golden makes; the question and its candidates where a person must decide; nothing where the
/// report says nothing.
pub fn text(remedy: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("").to_owned();
    match remedy["kind"].as_str() {
        Some("do") => word(&remedy["shell"]),
        Some("decide") => {
            let candidates = remedy["candidates"].as_array().into_iter().flatten();
            let candidates: Vec<String> =
                candidates.map(|one| format!("{} {}", word(&one["words"]), word(&one["shell"]))).collect();
            format!("{PERSON} {}: {}", word(&remedy["question"]), candidates.join("; or "))
        }
        _ => String::new(),
    }
}

/// How the words begin that leave a finding to a person.
pub const PERSON: &str = "a person must";

/// Whether a remedy leaves a finding to a person.
pub fn is_a_persons(text: &str) -> bool {
    text.is_empty() || text.starts_with(PERSON)
}
