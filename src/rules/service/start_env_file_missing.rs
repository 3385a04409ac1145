//! Env files without which systemd does not start the service.

use crate::rules::prelude::*;
use crate::rules::reach::has_own_root;
use crate::syntax::env_file::FatalReason;

rule! {
    /// An env file that the unit needs does not exist or cannot be read as one.
    ///
    /// systemd reads `EnvironmentFile=` itself, as root. Without a leading `-`, a missing file, a directory or
    /// a file with bytes that are not UTF-8 ends the start before any process exists (`Result=resources`,
    /// systemd.exec(5)).
    ///
    /// Write the file. Do not make it optional: the service would start without its configuration.
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
    needs: [Fragments, EnvFiles],
    why: "the next start fails before a process exists",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let mut findings = Vec::new();
    for setting in unit.assignments("Service", "EnvironmentFile") {
        let path = setting.value();
        if path.starts_with('-') {
            continue;
        }
        let demand = view.service.env_files.iter().find(|file| file.path == path);
        let at = demand.map_or(&view.service.unit.at, |file| &file.at).clone();
        if path.contains(['*', '?', '[']) {
            return Err(Undecided::new(format!(
                "what the pattern {path} matches was not looked at ({})",
                setting.at
            )));
        }
        let lookup = view.path(Need::EnvFiles, path)?;
        let (message, location, observed) = match lookup.node()? {
            None => {
                (format!("cannot start: {path} does not exist"), setting.at.clone(), "nothing".to_owned())
            }
            Some(node) if node.meta.kind != NodeKind::File => {
                let kind = node.meta.kind.word();
                (format!("cannot start: {path} is {kind}"), setting.at.clone(), kind.to_owned())
            }
            Some(_) => match view.env_file(path)?.and_then(|file| file.read.fatal.as_ref()) {
                None => continue,
                Some(fatal) => (
                    format!("cannot start: systemd cannot read {path}"),
                    Location::line(path, fatal.line),
                    words(fatal.why).to_owned(),
                ),
            },
        };
        findings.push(
            Finding::new(message, location, at)
                .key(path)
                .expected(format!("an env file at {path}"))
                .observed(observed)
                .mend(format!(
                    "a person must write {path}; `golden contract show --text` shows what the contract demands in it"
                )),
        );
    }
    Ok(Outcome::from_findings(findings))
}

fn words(why: FatalReason) -> &'static str {
    match why {
        FatalReason::InvalidUtf8 => "bytes that are not UTF-8",
        FatalReason::Nul => "a NUL byte",
        FatalReason::TooLarge => "more than 64 MiB",
    }
}
