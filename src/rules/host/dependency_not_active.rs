//! Whether dependencies run.

use crate::rules::prelude::*;

rule! {
    /// The unit of a dependency is not active.
    ///
    /// golden asks systemd. The finding shows how the unit ended last.
    ///
    /// ```bad
    /// unit redis-server.service ActiveState=failed SubState=failed Result=exit-code
    /// ```
    /// ```good
    /// unit redis-server.service NRestarts=1
    /// ```
    id: "dependency-not-active",
    section: E,
    severity: Must,
    needs: [Units, Bus],
    cause: Host,
    why: "services that require it do not run",
    see: ["systemctl status {unit}"],
    mend: "golden starts an inactive unit. Find out yourself why a unit has failed.",
    man: ["systemctl(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(name) = &view.dependency.unit else {
        return Ok(Outcome::not_applicable("the contract names no unit for it"));
    };
    let state = view.state(&name.value)?;
    if state.active_state == "active" {
        return Ok(Outcome::Pass);
    }
    if state.load_state != "loaded" {
        return Ok(unit_not_loaded());
    }
    let unit = view.effective(&name.value)?;
    Ok(Finding::new(format!("{} is {}", name.value, state.active_state), unit.location(), name.at.clone())
        .expected("active")
        .observed(format!("{} ({}), result {}", state.active_state, state.sub_state, state.result))
        .mend(mend(&name.value, &state.active_state))
        .into())
}

/// What is inactive is started; what has failed, or is on its way, is looked at first.
fn mend(unit: &str, state: &str) -> Remedy {
    let name = quoted(unit);
    let look = format!("systemctl status {name}; journalctl -n 50 -u {name}");
    match state {
        "inactive" => Change::Unit { verb: Verb::Start, unit: unit.to_owned() }.into(),
        "failed" => Remedy::decide(format!("find out why {unit} has failed"))
            .candidate("", look)
            .candidate(
                "start it again",
                format!("systemctl reset-failed {name} && systemctl start {name}"),
            ),
        _ => Remedy::decide(format!("wait until {unit} is no longer {state}, or find out why it stays so"))
            .candidate("", look),
    }
}
