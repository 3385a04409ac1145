//! `golden gate --from` and `golden scoreboard --from`: recorded telemetry, which needs no host.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// 2026-01-31T12:00:00Z
const NOON: u64 = 1_769_860_800;
const AT: &str = "2026-01-31T12:00:00Z";

/// The line of an event that is so many seconds old.
fn event(age: u64, number: u64) -> String {
    let action = ["BUY", "SELL", "HOLD"][(number % 3) as usize];
    let sure = 0.3 + 0.65 * (number as f64 * 0.618_034).fract();
    format!(
        "{{\"id\":\"{}-{number}\",\"model_breakdown\":{{\"m\":{{\"action\":\"{action}\",\"confidence\":{sure:.4}}}}}}}\n",
        (NOON - age) * 1_000
    )
}

fn healthy(count: u64) -> Vec<String> {
    (0..count).map(|number| event(60, number)).collect()
}

fn run(verb: &str, lines: &[String], more: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_golden"))
        .args(["--contract", "builtin:quantum", verb, "--from", "-", "--at", AT])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, text) = (child.stdin.take().unwrap(), lines.concat());
    // Whoever is refused early does not read to the end.
    let writer = std::thread::spawn(move || drop(to.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn gate(lines: &[String], more: &[&str]) -> (i32, Value) {
    let output = run("gate", lines, &[&["--format", "json"], more].concat());
    let board = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), board)
}

#[test]
fn recorded_events_pass_in_either_order() {
    let mut lines = healthy(2_000);
    assert_eq!(gate(&lines, &[]).0, 0);
    lines.reverse();
    let (code, board) = gate(&lines, &["--model", "m"]);
    assert_eq!(code, 0, "{board:#}");
    assert_eq!((board["recorded"].as_bool(), board["events"]["count"].as_u64()), (Some(true), Some(2_000)));
    let inside: Vec<String> = lines
        .iter()
        .map(|line| {
            line.replace("\"model_breakdown\"", "\"fields\":{\"model_breakdown\"").replace("}}}\n", "}}}}\n")
        })
        .collect();
    assert_eq!(gate(&inside, &[]).0, 0);
}

#[test]
fn the_newest_of_a_longer_file_are_judged() {
    let old = (0..3_000).map(|number| event(7_200, number).replace("SELL", "BUY").replace("HOLD", "BUY"));
    let lines: Vec<String> = old.chain(healthy(2_000)).collect();
    assert_eq!(gate(&lines, &[]).0, 0);
    let reversed: Vec<String> = lines.into_iter().rev().collect();
    assert_eq!(gate(&reversed, &[]).0, 0);
}

#[test]
fn what_is_no_recording_blocks_with_its_line() {
    for (line, because) in [
        ("no json\n", "line 401: it is not a JSON object"),
        ("[]\n", "line 401: it is not a JSON object"),
        ("{\"model_breakdown\":{}}\n", "line 401: it has no id"),
        ("{\"id\":\"x\"}\n", "is not an id of a stream"),
        ("{\"id\":\"1-0\"}\n", "out of order"),
    ] {
        let lines: Vec<String> = healthy(400).into_iter().chain([line.to_owned()]).collect();
        let (code, board) = gate(&lines, &["--model", "m"]);
        assert_eq!(code, 2);
        assert!(board["reasons"].to_string().contains(because), "{because}: {}", board["reasons"]);
    }
    let giant = format!("{{\"id\":\"{}-0\",\"x\":\"{}\"}}\n", NOON * 1_000, "x".repeat(5 << 20));
    let (code, board) = gate(&healthy(400).into_iter().chain([giant]).collect::<Vec<_>>(), &[]);
    assert_eq!(code, 2);
    assert!(board["reasons"].to_string().contains("more than any event"), "{}", board["reasons"]);
}

#[test]
fn an_answer_that_is_given_twice_is_none() {
    let at = NOON * 1_000;
    for line in [
        r#"{"id":"ID","model_breakdown":{"m":{"action":"BUY","action":"SELL","confidence":0.5}}}"#,
        r#"{"id":"ID","model_breakdown":{"m":{"action":"BUY","confidence":0.5}},"model_breakdown":{}}"#,
        r#"{"id":"ID","fields":{"model_breakdown":{},"model_breakdown":{"m":{"action":"BUY","confidence":0.5}}}}"#,
    ] {
        let line = format!("{}\n", line.replace("ID", &format!("{at}-0")));
        let (code, board) = gate(&healthy(400).into_iter().chain([line]).collect::<Vec<_>>(), &[]);
        assert_eq!(code, 2, "{board:#}");
        assert!(board["reasons"].to_string().contains("occurs twice"), "{}", board["reasons"]);
    }
}

#[test]
fn every_reason_is_exit_two() {
    for (lines, more) in [
        (Vec::new(), vec![]),
        (healthy(199), vec![]),
        (healthy(400), vec!["--model", "n"]),
        (healthy(400), vec!["--no-such-option"]),
        (healthy(400), vec!["--at", "yesterday"]),
        ((0..400).map(|number| event(4_000, number)).collect(), vec![]),
    ] {
        let output = run("gate", &lines, &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_page_asks_for_nothing_and_runs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("page.html");
    let lines: Vec<String> =
        healthy(400).into_iter().map(|line| line.replace("\"m\"", "\"m<b onclick='x'>&\"")).collect();
    let output = run("scoreboard", &lines, &["--html", path.to_str().unwrap()]);
    // One model agrees with itself alone: that is no agreement.
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(path).unwrap();
    for word in ["http:", "https:", "//", "<script", "<link", "<img", "url(", "@import", "<b onclick"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(
        page.contains("m&lt;b onclick=&#39;x&#39;&gt;&amp;") && page.contains("prefers-color-scheme: dark")
    );
}
