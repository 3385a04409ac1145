//! Masks: a link to /dev/null, or an empty file.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;

rule! {
    /// The unit of a service is masked.
    ///
    /// A unit file that links to `/dev/null`, or that is empty, keeps the unit from being started by
    /// anybody (systemd.unit(5)). Masks are often a safety device that somebody forgot.
    ///
    /// Ask who masked it. Where a unit file lies below the mask, removing the mask brings it back;
    /// otherwise the unit must be written again.
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
    why: "a masked service cannot be started, not even by hand",
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
    let below = view.fragments(&name.value)?.into_iter().find(|path| *path != mask.path.as_ref());
    let remedy = match below {
        Some(_) => view.and_take_up(format!("rm -f {}", quoted(&mask.path))),
        None => format!(
            "a person must decide: somebody masked it, and no unit file lies below the mask; when it may run again, \
             rm {} and write the unit as the contract demands it",
            quoted(&mask.path)
        ),
    };
    Ok(Finding::new("its unit is masked", mask, name.at.clone())
        .expected("a unit that can be started")
        .observed(below.map_or_else(|| "a mask".to_owned(), |path| format!("a mask over {path}")))
        .mend(remedy)
        .into())
}
