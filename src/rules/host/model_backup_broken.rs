//! The way back is open.

use crate::rules::prelude::*;

rule! {
    /// An archived artefact cannot be rolled back to.
    ///
    /// Each artefact that was live before the present one lies in `archive` under the name and with the content
    /// (sha256) that the ledger has. A missing or changed artefact is a finding: golden would refuse a rollback
    /// to it.
    ///
    /// ```good
    /// file /opt/quantum/ai_engine/models/archive/20260110T120000Z_nhits_v2.1 root:root 0644
    /// | what the ledger does not know is no backup
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// | {"schema":2,"number":2,"previous":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466","at":"2026-01-11T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":2,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","kept.2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf":"/opt/quantum/ai_engine/models/archive/20260111T120000.000Z_patchtst_v1.json","model":"patchtst","replaced":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","version":"v2"},"digest":"1dfe8ca1ae22eea26e3fc990c6e678587ff30f77a36c7c662f67b464eba14934"}
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | v2
    /// ```
    /// ```bad
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// | {"schema":2,"number":2,"previous":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466","at":"2026-01-11T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":2,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","kept.2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf":"/opt/quantum/ai_engine/models/archive/20260111T120000.000Z_patchtst_v1.json","model":"patchtst","replaced":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","version":"v2"},"digest":"1dfe8ca1ae22eea26e3fc990c6e678587ff30f77a36c7c662f67b464eba14934"}
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | v2
    /// file /opt/quantum/ai_engine/models/archive/20260111T120000.000Z_patchtst_v1.json root:root 0644
    /// | other
    /// ```
    /// ```good
    /// file /var/lib/golden/ledger.jsonl root:root 0600
    /// | {"schema":2,"number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","at":"2026-01-10T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":1,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","model":"patchtst","version":"v1"},"digest":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466"}
    /// | {"schema":2,"number":2,"previous":"a3d6915b2c8f7887b2735f232fbc2d925b0220ad1e83ccba35cf0e757be88466","at":"2026-01-11T12:00:00Z","by":{"login_uid":null,"login":null,"sudo":null,"uid":0,"euid":0},"event":"promoted","verb":"model","plan":"","plan_number":2,"contract":"","steps":[],"result":"done","left":[],"facts":{"artefact":"81db67b6a5702b9b68f0016f061c409bf3fb16d062fc854d1b424bb4e9c28c56","kept.2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf":"/opt/quantum/ai_engine/models/archive/20260111T120000.000Z_patchtst_v1.json","model":"patchtst","replaced":"2d27fbdf4e8ca207afbfa388ca9172fbcc6c70e534af2476b3b704f87debadcf","version":"v2"},"digest":"1dfe8ca1ae22eea26e3fc990c6e678587ff30f77a36c7c662f67b464eba14934"}
    /// file /opt/quantum/ai_engine/models/active/patchtst.json root:root 0644
    /// | v2
    /// file /opt/quantum/ai_engine/models/archive/20260111T120000.000Z_patchtst_v1.json root:root 0644
    /// | v1
    /// ```
    id: "model-backup-broken",
    section: F,
    severity: Must,
    needs: [Models, State],
    cause: Host,
    why: "if the active model misbehaves, the one before it cannot come back",
    see: ["golden model history", "sha256sum {models}/archive/*"],
    mend: "Restore the artefact from a backup, under the same name.",
    man: ["sha256sum(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(facts) = view.models()? else {
        return Ok(Outcome::not_applicable("the contract guards no models"));
    };
    super::model_active_unknown::refuse_while_changing(view)?;
    let Some(known) = facts.known.known().map_err(super::plan_interrupted::by_root)? else {
        return Ok(Outcome::Pass);
    };
    let mut findings = Vec::new();
    for model in &view.contract.models {
        let backups = known.get(&model.name).map_or(&[][..], |known| &known.backups);
        for backup in backups {
            let is = match &backup.found {
                Observed::Found(digest) if *digest == backup.digest => continue,
                Observed::Found(digest) => format!("sha256 {digest}"),
                Observed::Absent => "nothing".to_owned(),
                Observed::Unreadable(why) => why.clone(),
            };
            let path = if backup.path.is_empty() { "the archive" } else { backup.path.as_str() };
            findings.push(
                Finding::new(format!("a backup of {} is not intact", model.name), Location::file(path), model.at.clone())
                    .key(backup.digest.as_str())
                    .expected(format!("sha256 {}", backup.digest))
                    .observed(is)
                    .mend(
                        Remedy::decide("restore the file from another backup, byte for byte")
                            .candidate("when it is there", "golden audit --section F"),
                    ),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
