//! One variable in several env files of a service.

use std::collections::BTreeMap;

use crate::rules::env_files::{Place, contents, demanded_at, none};
use crate::rules::prelude::*;

rule! {
    /// A variable is set in several env files of one service.
    ///
    /// The last file that sets a variable wins (systemd.exec(5)). If that is intended, the contract says so for
    /// the later file (`overrides = ["NAME"]`). Otherwise a person who rotates a key may change the wrong file.
    ///
    /// ```bad
    /// file /etc/quantum/common.env root:qt 0640
    /// | LOG_LEVEL=DEBUG
    /// file /etc/systemd/system/quantum-backend.service.d/10-common.conf root:root 0644
    /// | [Service]
    /// | EnvironmentFile=
    /// | EnvironmentFile=/etc/quantum/common.env
    /// | EnvironmentFile=/etc/quantum/backend.env
    /// ```
    /// ```good
    /// file /etc/quantum/common.env root:qt 0640
    /// | REGION=home
    /// file /etc/systemd/system/quantum-backend.service.d/10-common.conf root:root 0644
    /// | [Service]
    /// | EnvironmentFile=
    /// | EnvironmentFile=/etc/quantum/common.env
    /// | EnvironmentFile=/etc/quantum/backend.env
    /// ```
    id: "env-variable-shadowed",
    section: C,
    severity: Should,
    needs: [EnvFiles, Units],
    cause: Environment,
    why: "the key is set in several files, and only the last one counts",
    see: ["grep -n \"^{variable}=\" {env-file}"],
    mend: "Keep the variable in one file, or declare `overrides` in the contract.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let order = view.env_files_of(unit)?;
    let files = contents(view)?;
    if files.len() < 2 {
        return Ok(if files.is_empty() { none() } else { Outcome::Pass });
    }
    let mut places: BTreeMap<&str, Vec<Location>> = BTreeMap::new();
    for file in &order {
        let Some((path, content)) = files.iter().find(|(path, _)| *path == file.path) else { continue };
        for variable in content.read.effective().values() {
            places.entry(&variable.name).or_default().push(Location::line(path.as_str(), variable.line));
        }
    }
    let mut findings = Vec::new();
    for (name, places) in places {
        let [before @ .., last] = places.as_slice() else { continue };
        if before.is_empty() || is_declared(view, name, last) {
            continue;
        }
        findings.push(
            Finding::new(format!("{name} is set in {} files", places.len()), last.clone(), demanded_at(view, last.path()))
                .key(name)
                .expected(format!("{name} in one file, or declared as an override"))
                .observed(format!("{name}= counts here"))
                .overrode(before.iter().rev().map(|at| (at.clone(), format!("{name}="))))
                .mend(choose(name, &places)),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// Which of the files it belongs in only a person knows.
fn choose(name: &str, places: &[Location]) -> Remedy {
    let [before @ .., last] = places else { return Remedy::decide(format!("decide which file {name} belongs in")) };
    let question = Remedy::decide(format!(
        "decide which file {name} belongs in, or name it in `overrides` of {} in the contract",
        last.path()
    ));
    places.iter().fold(question, |question, at| {
        let line = at.line_number();
        let words = match before.contains(at) {
            true => format!("the later value stays and {} goes", at.path()),
            false => format!("an earlier value counts and {} goes", at.path()),
        };
        question.candidate(words, Place { path: at.path(), line }.change(name, None).shell())
    })
}

fn is_declared(view: &ServiceView, name: &str, last: &Location) -> bool {
    let file = view.service.env_files.iter().find(|file| *file.path == *last.path());
    file.is_some_and(|file| file.overrides.iter().any(|declared| declared == name))
}
