//! Where the fragment of a unit lies.

use crate::rules::mend::quoted;
use crate::rules::prelude::*;
use crate::syntax::search::OWN_DIRECTORY;


rule! {
    /// The unit file of a service is not in /etc/systemd/system.
    ///
    /// `/usr/lib/systemd/system` belongs to packages: an upgrade overwrites it. `/run/systemd/system` is
    /// empty after a boot. A unit of the contract lies in `/etc/systemd/system`, where the administrator
    /// keeps files and where they win (systemd.unit(5)). A link from there to another directory counts as
    /// lying in that directory.
    ///
    /// Move the file, then reload.
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
    why: "a package upgrade or a reboot takes the unit away",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.unit;
    let fragment = unit.location().path;
    let lookup = view.path(Need::Units, &fragment)?;
    let real = lookup.real().unwrap_or(&fragment);
    let directory = real.rsplit_once('/').map_or("/", |(directory, _)| directory);
    if directory == OWN_DIRECTORY {
        return Ok(Outcome::Pass);
    }
    let message = if directory.starts_with("/run/") {
        "its unit file is gone after the next boot"
    } else if ["/usr/", "/lib/"].iter().any(|place| directory.starts_with(place)) {
        "its unit file lies where packages keep theirs"
    } else {
        "its unit file lies outside /etc/systemd/system"
    };
    let target = format!("{OWN_DIRECTORY}/{}", demanded.value);
    // Where a link in /etc led elsewhere, a copy takes the link's place; else the file itself moves.
    let is_linked = fragment.strip_prefix(OWN_DIRECTORY).is_some_and(|rest| rest.starts_with('/'));
    let is_hidden = !is_linked && view.path(Need::Units, &target)?.node()?.is_some();
    let mend = if is_hidden {
        format!("a person must decide: rm {} lets {} count, which it hides", quoted(real), quoted(&target))
    } else if is_linked {
        view.and_take_up(format!("cp --remove-destination {} {}", quoted(real), quoted(&target)))
    } else {
        view.and_take_up(format!("mv {} {}", quoted(real), quoted(&target)))
    };
    Ok(Finding::new(message, Location::file(real), demanded.at.clone())
        .expected(target)
        .observed(real)
        .mend(mend)
        .into())
}
