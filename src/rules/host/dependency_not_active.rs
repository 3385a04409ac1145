//! Whether dependencies run.

use crate::rules::prelude::*;

rule! {
    /// The unit of a dependency is not active.
    ///
    /// systemd is asked; what it says of the unit's last end stands in the finding.
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
    why: "services that require it are dead or will be",
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
    let quoted = quoted(&name.value);
    Ok(Finding::new(format!("{} is {}", name.value, state.active_state), unit.location(), name.at.clone())
        .expected("active")
        .observed(format!("{} ({}), result {}", state.active_state, state.sub_state, state.result))
        .mend(match state.active_state.as_str() {
            "failed" => format!("systemctl reset-failed {quoted} && systemctl start {quoted}"),
            _ => format!("systemctl start {quoted}"),
        })
        .into())
}
