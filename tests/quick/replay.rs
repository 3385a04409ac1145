//! The recorded facts that the demo replays without a machine still give their verdicts, and a facts file that is
//! cut off or of another kind gives none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/facts").join(name)
}

fn audit(facts: &Path) -> Output {
    let mut golden = Command::new(env!("CARGO_BIN_EXE_golden"));
    golden.current_dir("/").args(["audit", "--format", "json", "--facts"]).arg(facts).output().unwrap()
}

fn failed_rules(output: &Output) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "golden.report/2");
    assert_eq!(report["scope"], "facts");
    let results = report["results"].as_array().unwrap().iter();
    let failed = results.filter(|result| result["outcome"] == "fail" && result["severity"] == "must");
    failed.map(|result| result["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn recorded_facts_give_their_verdicts() {
    for (name, code, rule) in [
        ("compliant.json", 0, None),
        ("service-as-root.json", 1, Some("unit-runs-as-root")),
        ("env-files-edited-in-a-hurry.json", 1, Some("env-file-mode-wrong")),
        ("redis-for-everybody.json", 1, Some("redis-exposed")),
    ] {
        let output = audit(&recorded(name));
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let failed = failed_rules(&output);
        assert!(rule.is_none_or(|rule| failed.iter().any(|id| id == rule)), "{name}: {failed:?}");
        assert_eq!(rule.is_none(), failed.is_empty(), "{name}: {failed:?}");
    }
}

#[test]
fn half_a_facts_file_is_no_host() {
    let text = std::fs::read_to_string(recorded("compliant.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("half.json", &text[..text.len() / 2]),
        ("empty.json", ""),
        ("other.json", "{\"schema\":\"golden.facts/99\"}"),
        ("list.json", "[]"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = audit(&path);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(output.stdout.is_empty(), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{name}");
    }
    // What was not gathered is undecided, never compliant.
    let mut facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    facts["gathered"] = serde_json::json!(["Accounts", "Units"]);
    let path = folder.path().join("little.json");
    std::fs::write(&path, facts.to_string()).unwrap();
    assert_eq!(audit(&path).status.code(), Some(2));
}

/// What `make demo` shows where no machine can be had.
#[test]
fn the_demo_replays_every_recording_and_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("demo/replay"))
        .current_dir("/")
        .env("GOLDEN", env!("CARGO_BIN_EXE_golden"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let recordings = std::fs::read_dir(root.join("demo/facts")).unwrap().count();
    assert_eq!(shown.matches("recorded facts of").count(), recordings);
    assert!(shown.contains("These were recorded facts"));
}
