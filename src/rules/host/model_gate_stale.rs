//! A canary is watched by the gate.

use crate::rules::prelude::*;

rule! {
    /// A canary runs without a recent verdict of the gate.
    ///
    /// While an artefact is on probation, the newest verdict of the gate must have passed it and must not be
    /// older than `gate_within` of its model. `golden gate --model NAME`, run by root, writes a verdict into
    /// the ledger.
    ///
    /// ```good
    /// file /opt/quantum/ai_engine/models/shadow/patchtst.json qt:qt 0644
    /// | what is in shadow is no canary
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"canary","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","model":"patchtst","version":"v2"},"digest":"5e0ad904c674117b17f0223e87030405549a03ad2bccc7cdafd702a8ab66e41d"}
    /// file /opt/quantum/ai_engine/models/active/canary-patchtst.json root:root 0644
    /// | v2
    /// ```
    /// ```good
    /// now 1767000060
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"canary","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","model":"patchtst","version":"v2"},"digest":"5e0ad904c674117b17f0223e87030405549a03ad2bccc7cdafd702a8ab66e41d"}
    /// | {"schema":2,"number":2,"previous":"5e0ad904c674117b17f0223e87030405549a03ad2bccc7cdafd702a8ab66e41d","at":"2025-12-29T09:20:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"gated","verb":"model","plan":"","plan_number":0,"contract":"","steps":[],"result":"passed","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","model":"patchtst"},"digest":"c832f794ede1dd312b9b1644117d1d207636f8ba3696043c3f49edb3c1485d61"}
    /// file /opt/quantum/ai_engine/models/active/canary-patchtst.json root:root 0644
    /// | v2
    /// ```
    id: "model-gate-stale",
    section: F,
    severity: Should,
    needs: [Models, State],
    cause: Host,
    why: "a canary that behaves badly is not noticed",
    see: ["golden model show {name}"],
    mend: "Run the gate, and take the canary back if it does not pass.",
    man: ["redis-cli(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(facts) = view.models()? else {
        return Ok(Outcome::not_applicable("the contract guards no models"));
    };
    super::model_active_unknown::refuse_while_changing(view)?;
    let Some(known) = facts.known.known().map_err(super::plan_interrupted::by_root)? else {
        return Ok(Outcome::Pass);
    };
    let mut findings = Vec::new();
    for model in &view.contract.models {
        let Some(known) = known.get(&model.name) else { continue };
        let Some(canary) = &known.canary else { continue };
        let most = i64::try_from(model.gate_within.value).unwrap_or(i64::MAX);
        let is = match &known.gate {
            None => "no verdict".to_owned(),
            Some(gate) if gate.result != "passed" => format!("entry {}: {}", gate.entry, gate.result),
            Some(gate) if view.now().saturating_sub(gate.at) > most => {
                format!("entry {} is {} s old", gate.entry, view.now().saturating_sub(gate.at))
            }
            Some(_) => continue,
        };
        let name = &model.name;
        findings.push(
            Finding::new(
                format!("the canary {name} {} has no fresh verdict of the gate", canary.version),
                Location::file(crate::facts::state::LEDGER),
                model.gate_within.at.clone(),
            )
            .key(name.as_ref())
            .expected(format!("passed within {most} s"))
            .observed(is)
            .mend(
                Remedy::decide("let the gate judge it, or take it back")
                    .candidate("", format!("golden gate --model {name}"))
                    .candidate("when it is blocked", format!("golden model rollback {name}")),
            ),
        );
    }
    Ok(Outcome::from_findings(findings))
}
