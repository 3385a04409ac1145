//! Directories that systemd cannot make for a unit.

use crate::facts::made::{OwnDirectory, own_directories};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// A file or link blocks a directory that systemd must make for the unit.
    ///
    /// systemd makes the directories of `RuntimeDirectory=`, `StateDirectory=`, `CacheDirectory=`,
    /// `LogsDirectory=` and `ConfigurationDirectory=` before it starts a service. If a file or a link without a
    /// target lies there, the start ends with 233/RUNTIME_DIRECTORY, 238/STATE_DIRECTORY, 239, 240 or 241
    /// (systemd.exec(5), "PROCESS EXIT CODES"). The same happens if a link to a directory lies there and the
    /// unit states `User=` or `Group=`: systemd does not change the owner of a link's target. A
    /// `ConfigurationDirectory=` keeps its owner.
    ///
    /// ```bad
    /// file /var/lib/quantum root:root 0644
    /// file /etc/systemd/system/quantum-backend.service.d/state.conf root:root 0644
    /// | [Service]
    /// | StateDirectory=quantum
    /// ```
    /// ```bad
    /// file /var/log/quantum-file root:root 0644
    /// file /etc/systemd/system/quantum-backend.service.d/logs.conf root:root 0644
    /// | [Service]
    /// | LogsDirectory=quantum-file/backend
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/state.conf root:root 0644
    /// | [Service]
    /// | StateDirectory=quantum
    /// | LogsDirectory=quantum
    /// ```
    id: "start-directory-blocked",
    section: D,
    severity: Must,
    needs: [Units, Start],
    cause: Unit,
    why: "the next start fails with 238/STATE_DIRECTORY or a similar status",
    see: [
        "systemctl show -p RuntimeDirectory,StateDirectory,CacheDirectory,LogsDirectory {unit}",
        "stat {path}",
    ],
    mend: "Move it away, or name another directory; `BindPaths=` can show another directory there.",
    man: ["systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings = Vec::new();
    for own in own_directories(unit) {
        let lookup = view.path(Need::Start, &own.path)?;
        let node = match lookup.node()? {
            // Measured: what lies at a ConfigurationDirectory= is left as it is, "Don't change the owner/access mode of
            // the configuration directory" (systemd's exec-invoke.c).
            Some(_) if own.is_roots => continue,
            Some(node) => Some(own_link(unit, &own, lookup, node).unwrap_or(node)),
            // A link in its place that leads nowhere, or a file on the way, where a directory must be.
            None => dangling(unit, &own, lookup).or(lookup.steps.last().map(AsRef::as_ref)),
        };
        let Some(node) = node.filter(|node| node.meta.kind != NodeKind::Directory) else { continue };
        let status = match own.setting.key.as_str() {
            "RuntimeDirectory" => "233/RUNTIME_DIRECTORY",
            "StateDirectory" => "238/STATE_DIRECTORY",
            "CacheDirectory" => "239/CACHE_DIRECTORY",
            "LogsDirectory" => "240/LOGS_DIRECTORY",
            _ => "241/CONFIGURATION_DIRECTORY",
        };
        findings.push(
            Finding::new(
                format!("cannot start ({status}): {} is {}", node.path, node.meta.kind.word()),
                Location::file(node.path.clone()),
                view.service.unit.at.clone(),
            )
            .key(own.path.clone())
            .expected(format!("a directory, or nothing, at {}", own.path))
            .observed(node.meta.kind.word())
            .mend(
                Remedy::decide(format!("move {} away, or name another directory at {}", node.path, own.setting.at))
                    .candidate("", by_hand(&own.setting.at)),
            ),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// A link in the place of the directory, which systemd follows no more when it gives the directory to the user of the unit:
/// measured with 252 and 257, the start fails. Only the link to what a dynamic user once had (`private/NAME`) is one of
/// systemd's own; a unit without User= and Group= gives its directories to nobody.
fn own_link<'l>(
    unit: &EffectiveUnit,
    own: &OwnDirectory<'_>,
    lookup: &'l Lookup,
    node: &Step,
) -> Option<&'l Step> {
    let (_, name) = own.path.rsplit_once('/')?;
    let is_private = node.path.ends_with(&format!("/private/{name}"));
    if !is_given(unit) || is_private || node.meta.kind != NodeKind::Directory {
        return None;
    }
    lookup.links().find(|link| *link.path == *own.path)
}

/// The link in the place of the directory, where it leads nowhere: measured with 252 and 257, the start fails.
fn dangling<'l>(unit: &EffectiveUnit, own: &OwnDirectory<'_>, lookup: &'l Lookup) -> Option<&'l Step> {
    lookup.links().find(|link| *link.path == *own.path && is_given(unit))
}

/// Whether systemd gives the directories of a unit to a user or a group that it states.
fn is_given(unit: &EffectiveUnit) -> bool {
    !unit.is_dynamic() && ["User", "Group"].iter().any(|key| unit.scalar("Service", key).is_some())
}
