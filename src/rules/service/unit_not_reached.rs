//! Whether the boot comes to what is enabled.

use crate::facts::boot::{Reached, started};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// A service is enabled, but no boot starts it.
    ///
    /// A link below `app.target.wants` starts a service only when `app.target` starts. From the unit behind
    /// `default.target` (bootup(7)) the boot must reach the service along `Wants=`, `Requires=`, `BindsTo=`,
    /// `Upholds=` and the links that stand for them (systemd.unit(5)), through units that exist, load and are
    /// not masked. If a timer, a socket or a path unit starts the service, the boot must reach that one.
    ///
    /// A target waits for all that it pulls in (systemd.target(5)). A service that a boot pulls into one target and
    /// that is to start after a later one, such as `After=graphical.target` with `WantedBy=multi-user.target`, closes
    /// a circle: systemd does not start it (measured on 247 to 262, if the boot goes to the later target).
    ///
    /// On a disk, these are undecided: units that are made at boot, such as mounts of /etc/fstab and units of
    /// other packages' generators (systemd.generator(7)), and targets that udev starts. Units below the
    /// `.wants` of a template start with each of its instances. A service without any link is reported by
    /// `unit-not-enabled`, `timer-not-enabled` or `activation-not-enabled`.
    ///
    /// ```bad
    /// remove /etc/systemd/system/redis-server.service.wants
    /// dir /etc/systemd/system/app.target.wants root:root 0755
    /// move /etc/systemd/system/multi-user.target.wants/quantum-backend.service -> /etc/systemd/system/app.target.wants/quantum-backend.service
    /// ```
    /// ```bad
    /// link /etc/systemd/system/default.target -> /usr/lib/systemd/system/rescue.target
    /// file /usr/lib/systemd/system/rescue.target root:root 0644
    /// | [Unit]
    /// | Requires=sysinit.target
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/late.conf root:root 0644
    /// | [Unit]
    /// | After=graphical.target
    /// ```
    /// ```good
    /// file /etc/systemd/system/app.target root:root 0644
    /// | [Unit]
    /// | Description=The application
    /// dir /etc/systemd/system/app.target.wants root:root 0755
    /// move /etc/systemd/system/multi-user.target.wants/quantum-backend.service -> /etc/systemd/system/app.target.wants/quantum-backend.service
    /// link /etc/systemd/system/multi-user.target.wants/app.target -> ../app.target
    /// ```
    id: "unit-not-reached",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service does not start after the next boot",
    see: ["systemctl list-dependencies --reverse {unit}"],
    mend: "Enable the target, or enable the service for a target that starts. Choose which.",
    man: ["systemd.unit(5)", "bootup(7)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let service = view.service;
    let Some(started) = started(service) else {
        return Ok(Outcome::not_applicable("it is not meant to start at boot by itself"));
    };
    if !matches!(view.effective(&started)?.load, LoadState::Loaded) {
        return Ok(unit_not_loaded());
    }
    let (by, why, at) = match view.at_boot(&started)? {
        Reached::Yes => return in_circle(view, &started),
        Reached::Unpulled => return Ok(Outcome::not_applicable("nothing starts it (reported by unit-not-enabled, timer-not-enabled or activation-not-enabled)")),
        Reached::Unknown(why) => return Err(Undecided::new(why)),
        Reached::No(by, why, at) => (by, why, at),
    };
    let remedy = Remedy::decide(format!("decide what starts {started} at boot"))
        .candidate(format!("have {by} started"), format!("systemctl add-wants multi-user.target {}", quoted(&by)))
        .candidate("start it without", format!("systemctl add-wants multi-user.target {}", quoted(&started)));
    let boot = view.boot_target()?.map_or_else(String::new, |target| format!(" to {target}"));
    Ok(Finding::new(format!("{started} does not start at a boot{boot}: {why}"), at, service.unit.at.clone())
        .expected("a unit that the boot starts")
        .observed(why)
        .mend(remedy)
        .into())
}

/// What a boot comes to and does not start, since it would have to wait for itself.
fn in_circle(view: &ServiceView, started: &str) -> Ruling {
    let unit = view.effective(started)?;
    let is_plain = unit.scalar("Unit", "DefaultDependencies").is_none_or(|setting| setting.value() == "yes");
    let Some((earlier, later)) = view.circle(unit)?.filter(|_| is_plain) else { return Ok(Outcome::Pass) };
    let named = |word: &str| word == later || word == "default.target";
    let line = unit.words("Unit", "After").into_iter().find(|(word, _)| named(word)).map(|(_, setting)| setting);
    let at = line.map_or_else(|| unit.location(), |setting| setting.at.clone());
    let what = format!("{started} does not start at a boot: it waits for {later}, which waits for {earlier}, which waits for it");
    let question = format!("take {later} out of After= at {at}, or have {later} start it instead of {earlier}");
    Ok(Finding::new(what, at.clone(), view.service.unit.at.clone())
        .expected(format!("no After= for a target later than {earlier}"))
        .observed(line.map_or_else(String::new, written))
        .mend(Remedy::decide(question).candidate("", by_hand(&at)))
        .into())
}
