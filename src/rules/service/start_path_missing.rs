//! Paths of the sandbox that are not there.

use crate::facts::start::{
    NAMESPACE_SETTINGS, NamespacePath, SANDBOX_PATHS, TEMPORARY, lies_under, namespace_paths,
};
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::by_hand;
use crate::rules::sandbox::{self, is_passed_over};

rule! {
    /// The sandbox of a unit names a path that does not exist.
    ///
    /// `ReadWritePaths=`, `ReadOnlyPaths=`, `InaccessiblePaths=`, `BindPaths=` and similar settings are mounts
    /// that systemd makes before the program starts. It makes them of `RootDirectory=`, `RootImage=`,
    /// `MountImages=`, `ExtensionImages=` and `ExtensionDirectories=`, and enters `NetworkNamespacePath=`. A
    /// missing path ends the start with status 226/NAMESPACE or 225/NETWORK, unless a `-` stands before it
    /// (systemd.exec(5)). The directories that systemd makes for the unit exist by then. systemd does not look
    /// at a path below `InaccessiblePaths=`, or at one for which a directory above it says the same, as
    /// `ProtectSystem=strict` does for `ReadOnlyPaths=` (measured on 247 to 262).
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadWritePaths=/opt/quantum/data /opt/quantum/nowhere
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | BindReadOnlyPaths=/srv/nowhere:/opt/quantum/data
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/sandbox.conf root:root 0644
    /// | [Service]
    /// | ReadWritePaths=-/opt/quantum/nowhere /opt/quantum/data
    /// ```
    id: "start-path-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 226/NAMESPACE",
    see: ["systemctl show -p ReadWritePaths,ReadOnlyPaths,InaccessiblePaths,BindPaths {unit}"],
    mend: "Create the directory, or put a `-` before a path that may be absent.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

/// What puts something of the host into the sandbox, or an empty directory.
const BRINGS: &[&str] = &["BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem"];

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    for key in SANDBOX_PATHS {
        if let Some(finding) = one_missing(view, unit, key)? {
            return Ok(finding.into());
        }
    }
    has_own_root(unit)?;
    let mut findings = Vec::new();
    let start = view.start_of(unit);
    let brought = namespace_paths(unit, BRINGS);
    let mounts = sandbox::mounts(view, unit);
    for path in namespace_paths(unit, NAMESPACE_SETTINGS) {
        if let Some(private) = hidden_by_private_tmp(unit, &path, &brought) {
            findings.push(in_private_tmp(view, &path, private));
            continue;
        }
        if path.optional || is_passed_over(&mounts, &path) || start.has(&path.source)? {
            continue;
        }
        let source = &path.source;
        let written_to = view.service.writes.iter().find(|written| lies_under(source, &written.value));
        let at = written_to.map_or(&view.service.unit.at, |written| &written.at);
        let remedy = match written_to {
            Some(_) => view.make_directory(unit, view.path(Need::Start, source)?),
            None => Remedy::decide(format!(
                "make {source}, remove it from {}, or put a - before it if the service does not need it",
                path.setting.at
            ))
            .candidate("", by_hand(&path.setting.at)),
        };
        findings.push(
            Finding::new(
                format!("cannot start: {source} of {}= does not exist", path.key),
                path.setting.at.clone(),
                at.clone(),
            )
            .key(format!("{}={source}", path.key))
            .expected(format!("{source} exists, or a - before it"))
            .observed(written(path.setting))
            .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// The path of a setting that has one, where it is not there.
fn one_missing(view: &ServiceView, unit: &EffectiveUnit, key: &str) -> Result<Option<Finding>, Undecided> {
    let Some(setting) = unit.scalar("Service", key) else { return Ok(None) };
    let path = setting.value();
    if !path.starts_with('/') || view.start_of(unit).has(path)? {
        return Ok(None);
    }
    view.is_on_disk_alone(path)?;
    let question = format!("make {path} and what the service needs of it, or correct {}", setting.at);
    let finding = Finding::new(
        format!("cannot start: {path} of {key}= does not exist"),
        setting.at.clone(),
        view.service.unit.at.clone(),
    );
    Ok(Some(
        finding
            .key(format!("{key}={path}"))
            .expected(format!("{path} exists"))
            .observed(written(setting))
            .overrode(overridden(setting))
            .mend(Remedy::decide(question).candidate("", by_hand(&setting.at))),
    ))
}

/// What makes /tmp and /var/tmp private, where a path below them is named: measured with 252 and 257, systemd looks for it
/// in the new and empty directory. Binds are taken from the host, and what they bring is there.
fn hidden_by_private_tmp<'a>(
    unit: &'a EffectiveUnit,
    path: &NamespacePath<'_>,
    brought: &[NamespacePath<'_>],
) -> Option<&'a Setting> {
    let is_below = TEMPORARY.iter().any(|tmp| path.source != *tmp && lies_under(&path.source, tmp));
    if !is_below || path.optional || BRINGS.contains(&path.key) || !unit.words("Unit", "JoinsNamespaceOf").is_empty() {
        return None;
    }
    if brought.iter().any(|bind| lies_under(&path.source, &bind.target) || lies_under(&bind.target, &path.source)) {
        return None;
    }
    match unit.in_force("PrivateTmp")? {
        ("yes" | "connected" | "disconnected", setting) => Some(setting),
        _ => None,
    }
}

fn in_private_tmp(view: &ServiceView, path: &NamespacePath<'_>, private: &Setting) -> Finding {
    let source = &path.source;
    let question = format!("remove {source} from {}, or bind it in with BindPaths=", path.setting.at);
    Finding::new(
        format!("cannot start: {source} of {}= does not exist in its private /tmp ({})", path.key, written(private)),
        path.setting.at.clone(),
        view.service.unit.at.clone(),
    )
    .key(format!("{}={source}", path.key))
    .expected(format!("{source} exists in the private directory, or a - before it"))
    .observed(written(path.setting))
    .mend(Remedy::decide(question).candidate("", by_hand(&path.setting.at)))
}
