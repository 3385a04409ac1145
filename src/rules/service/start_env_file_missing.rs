//! Env files without which systemd does not start the service.

use crate::syntax::glob::pattern;
use crate::rules::earlier::is_made_by_none;
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::rules::remedy::{by_hand, golden};
use crate::syntax::env_file::FatalReason;

rule! {
    /// An env file that the unit needs does not exist or cannot be read.
    ///
    /// systemd reads `EnvironmentFile=` itself, as root. Without a leading `-`, a missing file, a directory or
    /// a file with bytes that are not UTF-8 ends the start before any process exists (`Result=resources`,
    /// systemd.exec(5)).
    ///
    /// ```bad
    /// remove /etc/quantum/backend.env
    /// ```
    /// ```bad
    /// remove /etc/quantum/backend.env
    /// dir /etc/quantum/backend.env root:root 0755
    /// ```
    /// ```bad
    /// data /etc/quantum/backend.env root:qt 0640
    /// | A=\xff\n
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/env.conf root:root 0644
    /// | [Service]
    /// | EnvironmentFile=-/etc/quantum/nowhere.env
    /// ```
    id: "start-env-file-missing",
    section: D,
    severity: Must,
    needs: [Units, EnvFiles, Start],
    cause: Unit,
    why: "the next start fails before the program runs",
    see: ["systemctl show -p EnvironmentFiles,Result {unit}"],
    mend: "Write the file. Do not make it optional: the service would start without its configuration.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let mut looks = Looks::default();
    for setting in unit.assignments("Service", "EnvironmentFile") {
        let path = setting.value();
        if path.starts_with('-') {
            continue;
        }
        let demand = view.service.env_files.iter().find(|file| file.path == path);
        let at = demand.map_or(&view.service.unit.at, |file| &file.at).clone();
        let files = match pattern(path) {
            Some(_) => matching(view, unit, setting)?,
            None => vec![path.to_owned()],
        };
        if files.is_empty() {
            looks.add(Ok(Some(none_matches(setting, at.clone()))));
        }
        for path in &files {
            looks.add(fault(view, unit, setting, path, at.clone()));
        }
    }
    looks.ruling()
}

/// The files that a pattern matches: systemd reads each.
fn matching(view: &ServiceView, unit: &EffectiveUnit, setting: &Setting) -> Result<Vec<String>, Undecided> {
    view.env_file(setting.value())?;
    let files = view.env_files_of(unit)?.into_iter().filter(|file| file.at == setting.at);
    Ok(files.map(|file| file.path).collect())
}

fn none_matches(setting: &Setting, at: Location) -> Finding {
    let path = setting.value();
    Finding::new(format!("cannot start: no file matches {path}"), setting.at.clone(), at)
        .key(path)
        .expected(format!("an env file that {path} matches"))
        .observed("nothing")
        .mend(
            Remedy::decide(format!("write a file that {path} matches, or remove it from {}", setting.at))
                .candidate("", by_hand(&setting.at)),
        )
}

/// What keeps systemd from reading one file.
fn fault(
    view: &ServiceView,
    unit: &EffectiveUnit,
    setting: &Setting,
    path: &str,
    at: Location,
) -> Result<Option<Finding>, Undecided> {
    // It is empty on every host.
    if path == "/dev/null" {
        return Ok(None);
    }
    let (message, location, observed) = match view.path(Need::EnvFiles, path)?.node()? {
        None => {
            view.is_on_disk_alone(path)?;
            is_made_by_none(view, unit, &[], path)?;
            (format!("cannot start: {path} does not exist"), setting.at.clone(), "nothing".to_owned())
        }
        Some(node) if node.meta.kind != NodeKind::File => {
            let kind = node.meta.kind.word();
            (format!("cannot start: {path} is {kind}"), setting.at.clone(), kind.to_owned())
        }
        Some(_) => match view.env_file(path)?.and_then(|file| file.read.fatal.as_ref()) {
            None => return Ok(None),
            Some(fatal) => (
                format!("cannot start: systemd cannot read {path}"),
                Location::line(path, fatal.line),
                words(fatal.why).to_owned(),
            ),
        },
    };
    let remedy = match view.service.env_files.iter().any(|file| file.path == path) {
        true => Remedy::decide(format!("write {path} with what the contract demands in it"))
            .candidate("", golden(view, "apply")),
        false => Remedy::decide(format!("write {path}, or remove it from {}", setting.at))
            .candidate("", by_hand(&setting.at)),
    };
    let finding = Finding::new(message, location, at).key(path);
    Ok(Some(finding.expected(format!("an env file at {path}")).observed(observed).mend(remedy)))
}

fn words(why: FatalReason) -> &'static str {
    match why {
        FatalReason::InvalidUtf8 => "bytes that are not UTF-8",
        FatalReason::Nul => "a NUL byte",
        FatalReason::TooLarge => "more than 64 MiB",
    }
}
