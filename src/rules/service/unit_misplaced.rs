//! Where the fragment of a unit lies.

use crate::rules::prelude::*;
use crate::rules::remedy::is_packaged;
use crate::systemd::search::OWN_DIRECTORY;

rule! {
    /// The unit file of a service is not in /etc/systemd/system.
    ///
    /// `/usr/lib/systemd/system` belongs to packages: an upgrade overwrites it. `/run/systemd/system` is empty
    /// after a boot. A unit of the contract lies in `/etc/systemd/system`, where the administrator's files win
    /// (systemd.unit(5)). A link from there counts as a file in the directory that it leads to. The unit of a
    /// service with `provision.rendered = false` may lie where its package put it.
    ///
    /// ```bad
    /// move /etc/systemd/system/quantum-rl-agent.service -> /usr/lib/systemd/system/quantum-rl-agent.service
    /// ```
    /// ```bad
    /// move /etc/systemd/system/quantum-rl-agent.service -> /run/systemd/system/quantum-rl-agent.service
    /// ```
    /// ```good
    /// file /usr/lib/systemd/system/quantum-rl-agent.service root:root 0644
    /// | [Service]
    /// | ExecStart=/bin/false
    /// ```
    id: "unit-misplaced",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "a package upgrade overwrites the unit, or a reboot deletes it",
    see: ["systemctl show -p FragmentPath {unit}"],
    mend: "Copy the file there, then reload. golden never moves a unit file.",
    man: ["systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.unit;
    let place = unit.location();
    let fragment = place.path();
    let lookup = view.path(Need::Units, fragment)?;
    let real = lookup.real().unwrap_or(fragment);
    let directory = real.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let is_packages = ["/usr/", "/lib/"].iter().any(|place| directory.starts_with(place));
    if view.service.provision.kept_elsewhere && is_packages {
        return Ok(Outcome::not_applicable("its package keeps the unit"));
    }
    if directory == OWN_DIRECTORY {
        return Ok(Outcome::Pass);
    }
    let message = if directory.starts_with("/run/") {
        "its unit file is gone after the next boot"
    } else if is_packages {
        "its unit file lies where packages keep theirs"
    } else {
        "its unit file lies outside /etc/systemd/system"
    };
    let target = format!("{OWN_DIRECTORY}/{}", demanded.value);
    // A unit file is somebody's: golden never moves one.
    let is_linked = fragment.strip_prefix(OWN_DIRECTORY).is_some_and(|rest| rest.starts_with('/'));
    let is_hidden = !is_linked && view.path(Need::Units, &target)?.node()?.is_some();
    let copy = format!(
        "cp --remove-destination {} {} && systemctl daemon-reload",
        quoted(real),
        quoted(&target)
    );
    let mend = if is_hidden {
        Remedy::decide(format!("decide which unit file counts: {real} hides {target}"))
            .candidate("the one in /etc", format!("rm {} && systemctl daemon-reload", quoted(real)))
    } else if is_linked {
        Remedy::decide(format!("decide whether {target} may be a link to {real}")).candidate("copy it", copy)
    } else if is_packaged(real) {
        Remedy::decide(format!("decide whether the distribution's {real} stays the unit of this service"))
            .candidate("keep a copy that upgrades do not touch", copy)
    } else {
        Remedy::decide(format!("decide whether {real} is kept")).candidate("copy it", copy)
    };
    Ok(Finding::new(message, Location::file(real), demanded.at.clone())
        .expected(target)
        .observed(real)
        .mend(mend)
        .into())
}
