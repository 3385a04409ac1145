//! Masks: a link to /dev/null, or an empty file.

use crate::rules::prelude::*;
use crate::rules::remedy::is_packaged;

rule! {
    /// The unit of a service is masked.
    ///
    /// A unit file that links to `/dev/null`, or that is empty, prevents every start of the unit
    /// (systemd.unit(5)). A mask is often a safety measure that was forgotten.
    ///
    /// ```bad
    /// remove /etc/systemd/system/quantum-execution.service
    /// link /etc/systemd/system/quantum-execution.service -> /dev/null
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-execution.service root:root 0644
    /// ```
    /// ```good
    /// link /run/systemd/system/quantum-execution.service -> /dev/null
    /// ```
    /// ```bad
    /// remove /etc/systemd/system/quantum-execution.service
    /// link /etc/systemd/system/quantum-execution.service -> ../../../dev/null
    /// link /usr/lib/systemd/system/quantum-execution.service -> /dev/null
    /// ```
    id: "unit-masked",
    section: D,
    severity: Must,
    needs: [Fragments],
    cause: Unit,
    why: "a masked service cannot start, not even by hand",
    see: ["systemctl is-enabled {unit}"],
    mend: "Ask who masked it. If a unit file lies below the mask, remove the mask; otherwise write the unit \
           again.",
    man: ["systemd.unit(5)", "systemctl(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let name = &view.service.unit;
    if view.service.kind.value == Kind::Draft {
        return Ok(Outcome::not_applicable("a draft may be masked"));
    }
    let unit = view.effective(&name.value)?;
    if !matches!(unit.load, LoadState::Masked) {
        return Ok(Outcome::Pass);
    }
    let mask = unit.location();
    let below = view.fragments(&name.value)?.into_iter().find(|path| *path != mask.path());
    let is_link = view.path(Need::Fragments, mask.path())?.links().any(|link| *link.path == *mask.path());
    let unmask = match is_link && !is_packaged(mask.path()) {
        true => format!("systemctl unmask {}", quoted(&name.value)),
        false => format!("rm {} && systemctl daemon-reload", quoted(mask.path())),
    };
    let question = "decide whether it may run again: it was masked, perhaps for safety";
    let remedy = match below {
        Some(_) => Remedy::decide(question).candidate("", unmask),
        None => Remedy::decide(format!("{question}; no unit file lies below the mask"))
            .candidate("unmask it, then write the unit", unmask),
    };
    Ok(Finding::new("its unit is masked", mask, name.at.clone())
        .expected("a unit that can be started")
        .observed(below.map_or_else(|| "a mask".to_owned(), |path| format!("a mask over {path}")))
        .mend(remedy)
        .into())
}
