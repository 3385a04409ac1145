//! The units that provide dependencies.

use crate::rules::prelude::*;

rule! {
    /// The unit of a dependency is missing, masked or refused.
    ///
    /// A dependency is a unit of the distribution or of the contract. Services that require it cannot start
    /// without it (systemd.unit(5), `BindsTo=`).
    ///
    /// ```bad
    /// link /etc/systemd/system/redis-server.service -> /dev/null
    /// ```
    /// ```good
    /// file /etc/systemd/system/redis-server.service.d/10-limits.conf root:root 0644
    /// | [Service]
    /// | LimitNOFILE=65535
    /// ```
    id: "dependency-unit-missing",
    section: E,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "no service that requires it can start",
    see: ["systemctl cat {unit}"],
    mend: "Install the package that has the unit, unmask it, or correct its file.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(name) = &view.dependency.unit else {
        return Ok(Outcome::not_applicable("the contract names no unit for it"));
    };
    let unit = view.effective(&name.value)?;
    let (message, observed, mend) = match &unit.load {
        LoadState::Loaded => return Ok(Outcome::Pass),
        LoadState::NotFound => (
            format!("{} does not exist", name.value),
            "no unit file".to_owned(),
            install(view, &name.value),
        ),
        LoadState::Masked => (
            format!("{} is masked", name.value),
            "masked".to_owned(),
            Remedy::decide(format!("find out who masked {} and why, and decide whether it may run", name.value))
                .candidate(
                    "",
                    format!("systemctl unmask {0} && systemctl enable --now {0}", quoted(&name.value)),
                ),
        ),
        LoadState::BadSetting(why, at) | LoadState::Error(why, at) => (
            format!("{} is refused by systemd", name.value),
            format!("{why} ({at})"),
            Remedy::decide(format!("correct {at}: {why}")),
        ),
    };
    Ok(Finding::new(message, unit.location(), name.at.clone())
        .expected(format!("{} loaded", name.value))
        .observed(observed)
        .mend(mend)
        .into())
}

/// The packages that the contract names are installed by `golden apply`; which of them brings a unit golden does not know.
fn install(view: &DependencyView, unit: &str) -> Remedy {
    let remedy = Remedy::decide(format!("install the package that brings {unit}"));
    match view.contract.provision.packages.is_empty() {
        true => remedy,
        false => remedy.candidate("install the packages that the contract names", "golden apply"),
    }
}
