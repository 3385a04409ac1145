//! Paths of the sandbox that are not there.

use crate::facts::start::{SANDBOX_PATHS, lies_under};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::by_hand;
use crate::rules::sandbox::order::{self, Lack, Missing, Source};

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

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    for key in SANDBOX_PATHS {
        if let Some(finding) = one_missing(view, unit, key)? {
            return Ok(finding.into());
        }
    }
    has_own_root(unit)?;
    let mut looks = Looks::default();
    for missing in order::missing(view, unit, &view.start_of(unit)) {
        looks.add(missing.and_then(|missing| finding(view, unit, &missing)).map(Some));
    }
    looks.ruling()
}

fn finding(view: &ServiceView, unit: &EffectiveUnit, missing: &Missing) -> Result<Finding, Undecided> {
    let Missing { path, lack } = missing;
    let source = &path.source;
    let written_to = view.service.writes.iter().find(|written| lies_under(source, &written.value));
    let at = written_to.map_or(&view.service.unit.at, |written| &written.at);
    let (what, remedy) = match (lack, written_to) {
        (Lack::Hidden(by), _) => (
            format!("does not exist in its sandbox, where {} lies over it", written(by)),
            Remedy::decide(format!("remove {source} from {}, or bind it in with BindPaths=", path.setting.at))
                .candidate("", by_hand(&path.setting.at)),
        ),
        (Lack::Unfit(why), _) => (
            why.clone(),
            Remedy::decide(format!("decide what belongs at {source}, or remove it from {}", path.setting.at))
                .candidate("", by_hand(&path.setting.at)),
        ),
        (Lack::Absent, Some(_)) => {
            ("does not exist".to_owned(), view.make_directory(unit, view.path(Need::Start, source)?))
        }
        (Lack::Absent, None) => (
            "does not exist".to_owned(),
            Remedy::decide(format!(
                "make {source}, remove it from {}, or put a - before it if the service does not need it",
                path.setting.at
            ))
            .candidate("", by_hand(&path.setting.at)),
        ),
    };
    Ok(Finding::new(
        format!("cannot start: {source} of {}= {what}", path.key),
        path.setting.at.clone(),
        at.clone(),
    )
    .key(format!("{}={source}", path.key))
    .expected(format!("{source} exists, or a - before it"))
    .observed(written(path.setting))
    .mend(remedy))
}

/// The path of a setting that has one, where it is not there.
fn one_missing(view: &ServiceView, unit: &EffectiveUnit, key: &str) -> Result<Option<Finding>, Undecided> {
    let Some(setting) = unit.scalar("Service", key) else { return Ok(None) };
    let path = setting.value();
    if !path.starts_with('/') {
        return Ok(None);
    }
    let start = view.start_of(unit);
    let what = match start.has(path)? {
        true => match start.path(path)?.node()?.and_then(|node| order::unfit(node, wanted(key))) {
            Some(what) => what,
            None => return Ok(None),
        },
        false => {
            view.is_on_disk_alone(path)?;
            "does not exist"
        }
    };
    // Before, only in a unit that has a sandbox besides (measured on 247 to 262).
    let version = view.systemd().known()?.copied();
    if key == "IPCNamespacePath" && version.and_then(|version| version.has(254)) != Some(true) {
        let why = format!("{} counts before systemd 254 only in a unit with a sandbox besides, and {path} {what}", written(setting));
        return Err(Undecided::new(why));
    }
    let question = format!("make {path} and what the service needs of it, or correct {}", setting.at);
    let finding = Finding::new(
        format!("cannot start: {path} of {key}= {what}"),
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

/// What a setting of one path needs it to be.
fn wanted(key: &str) -> Source {
    match key {
        "RootDirectory" => Source::Directory,
        "RootImage" => Source::Image,
        _ => Source::Namespace,
    }
}
