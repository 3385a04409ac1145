//! A sandbox that locks what the service must write.

use crate::facts::made::own_directories;
use crate::facts::start::lies_under;
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::by_hand;
use crate::rules::sandbox::{locked, mounts};

rule! {
    /// The sandbox of a unit makes a directory read-only that the service must write.
    ///
    /// `ProtectSystem=strict` makes everything read-only except `/home`, `/root`, `/run/user` and the kernel's
    /// file systems; `full` protects `/usr` and `/etc`; `ProtectHome=read-only` the homes; `ReadOnlyPaths=` the
    /// paths that it names (systemd.exec(5)). `ReadWritePaths=`, `BindPaths=`, `StateDirectory=` and similar
    /// settings open directories again; the nearest one decides. Every directory that the contract lets the
    /// service write must be open.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ProtectSystem=strict
    /// | ReadWritePaths=
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadOnlyPaths=/opt/quantum/data
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ProtectSystem=strict
    /// | ReadWritePaths=/opt/quantum /home/qt/quantum_trader
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadWritePaths=
    /// | BindPaths=/opt/quantum/data
    /// ```
    id: "start-sandbox-locks",
    section: D,
    severity: Must,
    needs: [Units, Start],
    cause: Unit,
    why: "the service starts, and its first write fails",
    see: ["systemctl show -p ProtectSystem,ProtectHome,ReadOnlyPaths,ReadWritePaths {unit}"],
    mend: "Name the directory in `ReadWritePaths=`.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    if view.service.writes.is_empty() {
        return Ok(Outcome::not_applicable("the contract names no directory that it writes"));
    }
    has_own_root(unit)?;
    let mounts = mounts(view, unit);
    let mut findings = Vec::new();
    for directory in &view.service.writes {
        let path = &directory.value;
        let real = view.path(Need::Start, path)?.real().unwrap_or(path);
        let Some(mount) = locked(&mounts, real) else { continue };
        // A directory of the unit's own is mounted under the name that the unit gives it.
        if own_directories(unit).iter().any(|own| !own.is_roots && lies_under(path, &own.path)) {
            continue;
        }
        let same_path = mount.path == *path;
        let remedy = match (same_path, view.path(Need::Start, path)?.node()?) {
            (true, _) => Remedy::decide(format!(
                "decide what {} may lock: the contract lets the service write {path}",
                mount.setting.at
            ))
            .candidate("", by_hand(&mount.setting.at)),
            (false, Some(_)) => view.add(unit, "Service", "ReadWritePaths", std::slice::from_ref(path)),
            // A path that is not there keeps the service from starting.
            (false, None) => {
                Remedy::decide(format!("make {path}, then let the service write it: ReadWritePaths={path}"))
            }
        };
        findings.push(
            Finding::new(
                format!("its sandbox makes {path} read-only"),
                mount.setting.at.clone(),
                directory.at.clone(),
            )
            .key(path.clone())
            .expected(format!("ReadWritePaths={path}"))
            .observed(written(mount.setting))
            .overrode(overridden(mount.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
