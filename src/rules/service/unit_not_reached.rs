//! Whether the boot comes to what is enabled.

use crate::facts::boot::{Reached, started};
use crate::rules::prelude::*;

rule! {
    /// A service is enabled, and no boot comes to it.
    ///
    /// A link below `app.target.wants` starts a service when `app.target` is started, and nothing else. From the unit that
    /// `default.target` stands for (bootup(7)) the boot must come to the service along `Wants=`, `Requires=`, `BindsTo=`,
    /// `Upholds=` and the links that stand for them (systemd.unit(5)), through units that exist, load and are not masked.
    /// Where a timer, a socket or a path unit starts the service, the boot must come to that one.
    ///
    /// Units that are made when the host boots, such as mounts of /etc/fstab and those of foreign generators
    /// (systemd.generator(7)), are unknown on a disk, and targets that udev starts everywhere. What lies below the `.wants` of
    /// a template is started with each of its instances. A service that nothing
    /// starts at all is reported by `unit-not-enabled`, `timer-not-enabled` or `activation-not-enabled`.
    ///
    /// Enable the target, or the service for a target that is started. A person decides which.
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
    why: "after the next boot nothing starts the service",
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
        Reached::Yes => return Ok(Outcome::Pass),
        Reached::Unpulled => return Ok(Outcome::not_applicable("nothing starts it (reported by unit-not-enabled and its like)")),
        Reached::Unknown(why) => return Err(Undecided::new(why)),
        Reached::No(by, why, at) => (by, why, at),
    };
    let remedy = Remedy::decide(format!("decide what starts {started} at boot"))
        .candidate(format!("have {by} started"), format!("systemctl add-wants multi-user.target {}", quoted(&by)))
        .candidate("start it without", format!("systemctl add-wants multi-user.target {}", quoted(&started)));
    let boot = view.boot_target()?.map_or_else(String::new, |target| format!(" to {target}"));
    Ok(Finding::new(format!("{started} will not come up at a boot{boot}: {why}"), at, service.unit.at.clone())
        .expected("a unit that the boot comes to")
        .observed(why)
        .mend(remedy)
        .into())
}
