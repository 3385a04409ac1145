//! The measured cases of `tests/oracle`, of every version (`tools/measure-oracle`).

#![allow(dead_code, reason = "each test uses what it needs of this")]

use std::path::{Path, PathBuf};

use golden::systemd::version::MEASURED;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Of each measured version the cases of a file: its own, and those of the version beside it that were measured alike.
pub fn measured<T: DeserializeOwned>(file: &str) -> Vec<(u32, Vec<T>)> {
    let of = |version: u32| {
        let mut cases = cases(&folder(&format!("systemd-{version}")), file);
        // A unit whose start ends the manager has no answer.
        cases.retain(|case| case["aborts"] != true);
        let read = |case: Value| serde_json::from_value(case).expect("a case of this kind");
        (version, cases.into_iter().map(read).collect())
    };
    MEASURED.into_iter().map(|version| of(version.0)).collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name)
}

fn cases(folder: &Path, file: &str) -> Vec<Value> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let own: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    let Ok(beside) = std::fs::read_to_string(folder.join("beside")) else { return own };
    let is_own = |other: &Value| own.iter().any(|case| identity(case) == identity(other));
    let mut all = cases(&folder.with_file_name(beside.trim_end()), file);
    all.retain(|other| !is_own(other));
    all.extend(own);
    all
}

/// What was asked, without the answer.
fn identity(case: &Value) -> [&Value; 7] {
    ["name", "expression", "section", "key", "value", "before", "show_property"].map(|key| &case[key])
}
