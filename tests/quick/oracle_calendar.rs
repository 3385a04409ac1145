//! What a systemd made of calendar expressions, against our own reading. The cases were measured
//! (`tools/measure-calendar`); a difference is our defect.

use crate::support::oracle;

use golden::systemd::calendar;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    expression: String,
    valid: bool,
    next: Option<String>,
}

/// `Fri 2026-01-16 00:00:00 UTC` in seconds since the epoch.
fn seconds(text: &str) -> i64 {
    let stamp = text.split_once(' ').unwrap().1.trim_end_matches(" UTC").replace(' ', "T");
    format!("{stamp}Z").parse::<jiff::Timestamp>().unwrap().as_second()
}

/// 2026-01-15 12:00:00 UTC, from which the measured answers count.
const BASE: i64 = 1_768_478_400;

#[test]
fn every_expression_is_read_as_systemd_reads_it() {
    for (version, cases) in oracle::measured::<Case>("calendar-cases.json") {
        assert!(cases.len() >= 80, "{version}: {} cases", cases.len());
        let (mut judged, mut times) = (0, 0);
        let mut wrong = Vec::new();
        for case in &cases {
            // A unit file has no blanks around a value.
            let text = case.expression.trim();
            let read = calendar::parse(text);
            let zone = read.as_ref().ok().and_then(|read| read.zone.clone());
            // Whether a host has a zone of these names is for its database to say.
            let depends_on_host = zone.as_ref().is_some_and(|zone| !zone.contains('/'));
            if text != case.expression || depends_on_host {
                continue;
            }
            judged += 1;
            if read.is_ok() != case.valid {
                wrong.push(format!("{text:?}: systemd says valid={}, we {read:?}", case.valid));
            }
            if let (Ok(read), Some(next), None) = (read, &case.next, zone) {
                let expected = (next != "never").then(|| seconds(next));
                let found = read.next(BASE);
                times += 1;
                if found != expected {
                    wrong.push(format!("{text:?}: next {expected:?} {next}, we {found:?}"));
                }
            }
        }
        println!("{version}: {judged} expressions and {times} next times compared");
        assert!(judged >= 220 && times >= 130, "{version}: {judged}, {times}");
        assert!(wrong.is_empty(), "{version}: {} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }
}
