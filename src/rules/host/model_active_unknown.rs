//! What is active is what golden made active.

use std::collections::BTreeMap;

use crate::facts::state::Stands;
use crate::rules::prelude::*;

rule! {
    /// A model is active that golden did not activate.
    ///
    /// Each file in `active` in the place of the models must be the one that the ledger names, by its sha256:
    /// the artefact that was promoted last, or the one on probation (with `canary-` before its name). Other
    /// files, other content, links and missing artefacts are findings. While `golden model` changes a model,
    /// the rule is undecided.
    ///
    /// ```bad
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | {"weights": [1]}
    /// ```
    /// ```bad
    /// file /opt/quantum/ai_engine/models/active/other.onnx root:root 0644
    /// | x
    /// ```
    /// ```bad
    /// link /opt/quantum/ai_engine/models/active/patchtst.json -> /opt/quantum/ai_engine/models/shadow/patchtst.json
    /// ```
    /// ```good
    /// file /opt/quantum/ai_engine/models/shadow/patchtst.json qt:qt 0644
    /// | {"weights": [1]}
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | v2
    /// ```
    /// ```good
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | v1
    /// ```
    id: "model-active-unknown",
    section: F,
    severity: Must,
    needs: [Models, State],
    cause: Host,
    why: "a model that was never judged may be trading",
    see: ["golden model list", "sha256sum {models}/active/*"],
    mend: "Find out where the file came from. Activate models only with `golden model shadow`, `canary` and \
           `promote`.",
    man: ["sha256sum(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(facts) = view.models()? else {
        return Ok(Outcome::not_applicable("the contract guards no models"));
    };
    refuse_while_changing(view)?;
    let known = facts.known.known().map_err(super::plan_interrupted::by_root)?;
    let Some(place) = view.contract.model_place() else {
        return Ok(Outcome::not_applicable("the contract names no place of models"));
    };
    let directory = format!("{}/active", place.path.value);
    let mut expected: BTreeMap<String, (&str, u64)> = BTreeMap::new();
    for model in &view.contract.models {
        let Some(known) = known.and_then(|known| known.get(&model.name)) else { continue };
        for (prefix, placed) in [("", &known.active), ("canary-", &known.canary)] {
            let name = format!("{prefix}{}", model.artefact.value);
            expected.extend(placed.iter().map(|placed| (name.clone(), (placed.digest.as_str(), placed.entry))));
        }
    }
    let none = BTreeMap::new();
    let found = facts.active.known()?.unwrap_or(&none);
    let finding = |name: &str, message: String, wanted: String, is: String| {
        let path = format!("{directory}/{name}");
        let archive = format!("{}/archive/TIMESTAMP_MODEL_VERSION", place.path.value);
        Finding::new(message, Location::file(path.as_str()), place.at.clone())
            .key(name)
            .expected(wanted)
            .observed(is)
            .mend(
                Remedy::decide("find out who put it there, and what the service has loaded")
                    .candidate("to take back what made it active", "golden model rollback")
                    .candidate("to keep it aside", format!("mv -nT -- {} {}", quoted(&path), quoted(&archive))),
            )
    };
    let mut findings = Vec::new();
    for (name, digest) in found {
        let is = match digest {
            Observed::Found(digest) => format!("sha256 {digest}"),
            Observed::Absent => continue,
            Observed::Unreadable(why) => why.clone(),
        };
        match expected.remove(&**name) {
            Some((wanted, _)) if digest.known().ok().flatten().is_some_and(|digest| digest == wanted) => {}
            Some((wanted, entry)) => {
                let message = format!("{name} is not the artefact that was activated");
                findings.push(finding(name, message, format!("sha256 {wanted} (entry {entry} of the ledger)"), is));
            }
            None => {
                let message = format!("{name} is active, and golden did not activate it");
                findings.push(finding(name, message, "nothing by that name".to_owned(), is));
            }
        }
    }
    for (name, (wanted, entry)) in expected {
        let message = format!("{name} is missing, though it was activated");
        findings.push(finding(&name, message, format!("sha256 {wanted} (entry {entry} of the ledger)"), "nothing".to_owned()));
    }
    Ok(Outcome::from_findings(findings))
}

/// While a model changes, files and ledger cannot agree: the ledger is written last.
pub(super) fn refuse_while_changing(view: &View) -> Result<(), Undecided> {
    let open = view.state_of_golden()?.open_plans.known().map_err(super::plan_interrupted::by_root)?;
    let changing = open.and_then(|open| {
        open.iter().find(|plan| plan.stands == Stands::Running && plan.verb.starts_with("model "))
    });
    match changing {
        Some(plan) => Err(Undecided::new(format!("golden {} is changing a model just now", plan.verb))),
        None => Ok(()),
    }
}
