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
    /// (systemd.exec(5), "PROCESS EXIT CODES"). The same happens if a link to a directory lies there, such as one
    /// to another disk, except at a `ConfigurationDirectory=` and on systemd 254. With `DynamicUser=` it happens if
    /// both the directory and the one of the same name in `private` are there (measured on 247 to 262).
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
        // A link in its place, or a file there or on the way, where a directory must be.
        // What lies at a ConfigurationDirectory= is left as it is (measured on 247 to 262).
        if own.is_roots && lookup.node()?.is_some() {
            continue;
        }
        let node = match own_link(view, unit, &own, lookup)? {
            Some(link) => Some(link),
            None => lookup.node()?.or(lookup.steps.last().map(AsRef::as_ref)),
        };
        let node = node.filter(|node| node.meta.kind != NodeKind::Directory);
        let fault = node.map(|node| (node.path.to_string(), format!("is {}", node.meta.kind.word())));
        let fault = match fault {
            None => unfit_private(view, &own, lookup)?,
            found => found,
        };
        let Some((path, what)) = fault else { continue };
        let status = match own.setting.key.as_str() {
            "RuntimeDirectory" => "233/RUNTIME_DIRECTORY",
            "StateDirectory" => "238/STATE_DIRECTORY",
            "CacheDirectory" => "239/CACHE_DIRECTORY",
            "LogsDirectory" => "240/LOGS_DIRECTORY",
            _ => "241/CONFIGURATION_DIRECTORY",
        };
        findings.push(
            Finding::new(
                format!("cannot start ({status}): {path} {what}"),
                Location::file(path.as_str()),
                view.service.unit.at.clone(),
            )
            .key(own.path.clone())
            .expected(format!("a directory, or nothing, at {}", own.path))
            .observed(what)
            .mend(
                Remedy::decide(format!("move {path} away, or name another directory at {}", own.setting.at))
                    .candidate("", by_hand(&own.setting.at)),
            ),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// A link in the place of the directory that systemd did not make itself: `private/NAME` is what a dynamic user once had. The
/// start fails, whoever the unit runs as, except on systemd 254, and there only where the link leads to a directory and the
/// user is not dynamic; what lies at a `ConfigurationDirectory=` may be a link to a directory (measured on 247, 252, 254, 257
/// and 262).
fn own_link<'l>(
    view: &ServiceView,
    unit: &EffectiveUnit,
    own: &OwnDirectory<'_>,
    lookup: &'l Lookup,
) -> Result<Option<&'l Step>, Undecided> {
    const FOLLOWS: u32 = 254;
    let Some(link) = lookup.links().find(|link| *link.path == *own.path) else { return Ok(None) };
    let name = own.path.rsplit_once('/').map_or("", |(_, name)| name);
    let to_private = format!("private/{name}");
    let target = link.target.as_deref().unwrap_or_default();
    if target == to_private || target.ends_with(&format!("/{to_private}")) {
        return Ok(None);
    }
    let Some(node) = lookup.node()? else { return Ok(Some(link)) };
    let version = view.systemd().known()?.copied().unwrap_or_default();
    let is_measured = version.0 == FOLLOWS || version.has(FOLLOWS) == Some(false) || version.has(257) == Some(true);
    match node.meta.kind == NodeKind::Directory && !unit.is_dynamic() {
        true if !is_measured => Err(Undecided::new(format!(
            "it was not measured whether systemd {version} follows the link {}",
            link.path
        ))),
        true if version.0 == FOLLOWS => Ok(None),
        _ => Ok(Some(link)),
    }
}

/// What keeps systemd from moving the directory of a dynamic user to its private place, or from finding it there.
fn unfit_private(
    view: &ServiceView,
    own: &OwnDirectory<'_>,
    lookup: &Lookup,
) -> Result<Option<(String, String)>, Undecided> {
    let is_directory = |step: &Step| step.meta.kind == NodeKind::Directory;
    let Some(private) = &own.private else { return Ok(None) };
    let Some(node) = view.path(Need::Start, private)?.node()? else { return Ok(None) };
    let is_linked = lookup.links().any(|link| *link.path == *own.path);
    let is_public = !is_linked && lookup.node()?.is_some_and(is_directory);
    Ok(match (is_directory(node), is_public) {
        (false, _) => Some((private.clone(), format!("is {}", node.meta.kind.word()))),
        (true, true) => Some((own.path.clone(), format!("is a directory, and so is {private}"))),
        (true, false) => None,
    })
}
