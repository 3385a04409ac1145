//! Env files that lie in the governed repository.

use crate::rules::env_files::{contents, demanded_at, none};
use crate::rules::files::is_under;
use crate::rules::prelude::*;

rule! {
    /// A service reads its settings from a file in the repository.
    ///
    /// Files in the repository are committed sooner or later, and a new clone would bring other settings.
    /// Judged is where the file really lies, with links resolved.
    ///
    /// ```bad
    /// file /home/qt/quantum_trader/backend.conf root:qt 0640
    /// | A=1
    /// file /etc/systemd/system/quantum-backend.service.d/10-env.conf root:root 0644
    /// | [Service]
    /// | EnvironmentFile=/home/qt/quantum_trader/backend.conf
    /// ```
    /// ```good
    /// file /home/qt/quantum_trader/backend.conf qt:qt 0640
    /// | A=1
    /// ```
    id: "env-file-in-repository",
    section: C,
    severity: Must,
    needs: [EnvFiles, Fragments],
    cause: Unit,
    why: "the settings of this host get into every clone",
    see: ["systemctl show -p EnvironmentFiles {unit}"],
    mend: "Move the file out of the repository, and name its new path in the unit.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(repository) = &view.contract.repository else {
        return Ok(Outcome::not_applicable("the contract governs no repository"));
    };
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, _) in files {
        let real = view.path(Need::EnvFiles, &path)?.real().unwrap_or(&path);
        if is_under(real, &repository.path.value) {
            let name = real.rsplit('/').next().unwrap_or(real);
            findings.push(
                Finding::new("its settings lie in the repository", Location::file(path.as_str()), demanded_at(view, &path))
                    .key(&*path)
                    .expected(format!("an env file outside {}", repository.path.value))
                    .observed(real)
                    .mend(move_out(view, &path, name)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// The remedy: where its settings belong, a person decides.
fn move_out(view: &ServiceView, path: &str, name: &str) -> Remedy {
    let mut elsewhere = view.service.env_files.iter().map(|file| file.path.as_str()).filter(|file| *file != path);
    let question = match elsewhere.next() {
        Some(file) => format!("move what {name} sets to {file}, and remove {path} from the unit"),
        None => format!("move {name} out of the repository, and name its new place in the unit and the contract"),
    };
    Remedy::decide(question).candidate("look at the unit", format!("systemctl cat -- {}", quoted(&view.service.unit.value)))
}
