//! Empty assignments that set nothing back.

use crate::rules::prelude::*;
use crate::rules::remedy::{by_hand, of_many};

rule! {
    /// An empty assignment does not reset the setting.
    ///
    /// An empty `ExecStart=` or `Environment=` removes earlier values, but many settings work differently:
    /// after an empty `Restart=` or `PrivateTmp=` the earlier value stays active, and `After=`, `Wants=` and
    /// the other lists of units only grow (systemd.unit(5)). systemd does not warn.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/order.conf root:root 0644
    /// | [Unit]
    /// | After=
    /// | After=network-online.target redis-server.service
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/tmp.conf root:root 0644
    /// | [Service]
    /// | PrivateTmp=
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/restart.conf root:root 0644
    /// | [Service]
    /// | Restart=
    /// | Restart=always
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/part.conf root:root 0644
    /// | [Unit]
    /// | PartOf=
    /// ```
    id: "unit-reset-in-vain",
    section: D,
    severity: Should,
    needs: [Units],
    cause: Unit,
    why: "the value that the line was meant to remove is still active",
    see: ["systemctl cat {unit}"],
    mend: "Write the value that you want. To remove a unit from a list, edit the file that adds it.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let decision = |at: &Location| Remedy::decide(format!("write the value that is meant at {at}, or remove the line"));
    let remedy = |at: &Location| {
        view.empty_line(unit, at)
            .map(|emptied| decision(at).candidate("the earlier value is right", emptied.shell()))
            .unwrap_or_else(|| decision(at).candidate("", by_hand(at)))
    };
    let findings = unit.vain_resets.iter().enumerate().map(|(earlier, reset)| {
        let (text, at, why) = (&reset.text, &reset.at, &reset.why);
        Finding::new(format!("{text} resets nothing: {why}"), at.clone(), view.service.unit.at.clone())
            .key(text.trim_end_matches('='))
            .expected("a value, or no line")
            .observed(text.to_string())
            .mend(of_many(earlier, || remedy(at)))
    });
    Ok(Outcome::from_findings(findings.collect()))
}
