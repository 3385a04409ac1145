//! Credentials that a unit is given from files.

use crate::facts::start::{Credential, credentials, simplified};
use crate::rules::at_start::AtStart;
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;

rule! {
    /// A unit loads a credential from a file that does not exist.
    ///
    /// `LoadCredential=ID:PATH` and `LoadCredentialEncrypted=` with an absolute path need the file (or the
    /// directory, or the socket) when the service starts. Otherwise the start ends with 243/CREDENTIALS
    /// (systemd.exec(5)). A relative name is searched in the credential stores and may be absent.
    /// `SetCredential=` with the same name gives the value if no file is found. Measured on 252 and 257.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/cred.conf root:root 0644
    /// | [Service]
    /// | LoadCredential=token:/etc/quantum/token
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/cred.conf root:root 0644
    /// | [Service]
    /// | LoadCredentialEncrypted=token:/etc/quantum/token
    /// | SetCredential=other:x
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/cred.conf root:root 0644
    /// | [Service]
    /// | LoadCredential=token:/etc/quantum/token
    /// | LoadCredential=name:quantum.token
    /// | SetCredential=token:x
    /// ```
    id: "start-credential-missing",
    section: D,
    severity: Must,
    needs: [Units, Accounts, Start],
    cause: Unit,
    why: "the next start fails with 243/CREDENTIALS",
    see: ["systemctl show -p LoadCredential,LoadCredentialEncrypted {unit}"],
    mend: "Put the file there, or give the credential a value with `SetCredential=`.",
    man: ["systemd.exec(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let start = view.start_of(unit);
    let mut findings = of_old(view, unit, &start)?;
    for Credential { id, path, setting } in credentials(unit) {
        if start.path(&path)?.node()?.is_some() || is_set(unit, "SetCredential", &id) {
            continue;
        }
        view.is_on_disk_alone(&path)?;
        if is_set(unit, "SetCredentialEncrypted", &id) {
            return Err(Undecided::new(format!(
                "{path} does not exist, and whether this host can decrypt SetCredentialEncrypted={id} is not known"
            )));
        }
        let question =
            format!("write {path}, or give the credential {id} a value: SetCredential={id}:VALUE");
        findings.push(
            Finding::new(
                format!("cannot start: {path}, from which the credential {id} is loaded, does not exist"),
                setting.at.clone(),
                view.service.unit.at.clone(),
            )
            .key(id)
            .expected(format!("{path} exists"))
            .observed(written(setting))
            .mend(Remedy::decide(question).candidate("", by_hand(&setting.at))),
        );
    }
    Ok(Outcome::from_findings(findings))
}

/// What systemd 247 cannot load, and later versions can: a relative name, and a directory (measured).
fn of_old(view: &ServiceView, unit: &EffectiveUnit, start: &AtStart) -> Result<Vec<Finding>, Undecided> {
    let learned = unit.version.has(252);
    let mut findings = Vec::new();
    for setting in unit.assignments("Service", "LoadCredential").filter(|_| learned != Some(true)) {
        let Some((id, path)) = setting.value().split_once(':') else { continue };
        let what = match path.starts_with('/') {
            false if is_set(unit, "SetCredential", id) => continue,
            false => "is not an absolute path",
            true if start.path(&simplified(path))?.node()?.is_some_and(|node| node.meta.kind == NodeKind::Directory) => {
                "is a directory"
            }
            true => continue,
        };
        let version = unit.version;
        if learned.is_none() {
            let why = format!("{path} of the credential {id} {what}; it was not measured whether systemd {version} takes it");
            return Err(Undecided::new(why));
        }
        let finding = Finding::new(
            format!("cannot start: {path}, from which the credential {id} is loaded, {what}"),
            setting.at.clone(),
            view.service.unit.at.clone(),
        );
        let question = format!("name a file by its absolute path at {}", setting.at);
        findings.push(
            finding
                .key(id)
                .expected(format!("a file, which systemd {version} alone can load"))
                .observed(written(setting))
                .mend(Remedy::decide(question).candidate("", by_hand(&setting.at))),
        );
    }
    Ok(findings)
}

/// Whether another setting gives the credential a value.
fn is_set(unit: &EffectiveUnit, key: &str, id: &str) -> bool {
    let of_setting = |setting: &Setting| setting.raw().split(':').next() == Some(id);
    unit.assignments("Service", key).any(of_setting)
}
