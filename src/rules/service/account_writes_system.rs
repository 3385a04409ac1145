//! Paths that decide what runs on the host, and that no service may write.

use std::sync::Arc;

use crate::rules::files::{is_under, octal, owners};
use crate::rules::prelude::*;
use crate::rules::remedy::{set_mode, set_owner};
use crate::rules::strangers::part_of;

rule! {
    /// The user of a service can write files that control the system.
    ///
    /// These files are units, env files, the contract and the tools that audit it. A user who can write one of
    /// them, or a directory above it, decides what runs as which user. Judged by owner and permission bits;
    /// access control lists are not read. In a sticky directory a user can replace only its own files.
    ///
    /// ```bad
    /// owner /etc/systemd/system qt:qt
    /// ```
    /// ```bad
    /// mode /etc/quantum 0777
    /// ```
    /// ```bad
    /// dir /etc/systemd/system/quantum-backend.service.d qt:qt 0755
    /// ```
    /// ```good
    /// mode /etc/quantum 0711
    /// ```
    id: "account-writes-system",
    section: J,
    severity: Must,
    needs: [Accounts, Places, Units],
    cause: Host,
    why: "an attacker who controls the service can change what runs as root",
    see: ["namei -l {path}"],
    mend: "golden gives the contract's guarded paths and the unit's files to root, and removes other users' \
           write permission. Correct directories on the way there, and paths below /usr, yourself.",
    man: ["path_resolution(7)", "systemd.unit(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let user = &view.service.user;
    let Some(who) = view.credentials(&user.value)? else {
        return Ok(Outcome::not_applicable("its user does not exist (reported by account-missing)"));
    };
    if who.uid == 0 {
        return Ok(Outcome::not_applicable("it is root"));
    }
    let accounts = view.accounts()?;
    let mut findings: Vec<Finding> = Vec::new();
    for guarded in guarded(view)? {
        let lookup = view.path(guarded.need, &guarded.path)?;
        let own = lookup.node()?.map(|node| node.path.clone());
        // A mask leads to /dev/null, which everybody may write.
        let counts = |step: &&Arc<Step>| matches!(step.meta.kind, NodeKind::Directory | NodeKind::File);
        for step in lookup.steps.iter().filter(counts) {
            let sticky = step.meta.mode & 0o1000 != 0 && own.as_ref() != Some(&step.path);
            // The owner can give itself the right at any time.
            let writes = step.meta.uid == who.uid || (who.may(Access::Write, &step.meta) && !sticky);
            if !writes || findings.iter().any(|finding| finding.location.path() == &*step.path) {
                continue;
            }
            findings.push(
                Finding::new(format!("{} can write {}", user.value, step.path), Location::file(step.path.clone()), guarded.at.clone())
                    .key(&*step.path)
                    .expected(format!("{} is not writable for {}", step.path, user.value))
                    .observed(format!("{} {}", owners(accounts, step.meta.uid, step.meta.gid), octal(step.meta.mode)))
                    .mend(keep_out(view, &guarded, lookup, step, &who)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// A path that the service must not be able to change, and who says so.
struct Guarded<'a> {
    path: Arc<str>,
    need: Need,
    at: &'a Location,
}

/// What the contract names, and everything that says what the service's unit is.
fn guarded<'a>(view: &'a ServiceView) -> Result<Vec<Guarded<'a>>, Undecided> {
    let named = view.contract.identity.must_not_write.iter();
    let mut all: Vec<Guarded> = named
        .map(|named| Guarded { path: named.value.as_str().into(), need: Need::Places, at: &named.at })
        .collect();
    let unit = view.unit(&view.service.unit.value)?;
    let files = unit.effective.known()?.into_iter().flat_map(|unit| unit.files());
    all.extend(files.chain(&unit.drop_in_directories).map(|path| Guarded {
        path: path.clone(),
        need: Need::Units,
        at: &view.service.unit.at,
    }));
    Ok(all)
}

/// The remedy that narrows who may write what the contract guards and the files of the unit. What lies on the way there,
/// and what is below /usr, is a person's.
fn keep_out(view: &ServiceView, guarded: &Guarded, lookup: &Lookup, step: &Step, who: &Credentials) -> Remedy {
    let is_owner = step.meta.uid == who.uid;
    let narrower = step.meta.mode & !0o022;
    let on_the_way = part_of(lookup, step);
    let mut changes: Vec<Remedy> = Vec::new();
    let spot = || Spot::of_root(&*step.path);
    let is_guarded = is_under(&step.path, &guarded.path) || lookup.real() == Some(&*step.path);
    if !is_guarded || is_under(&step.path, "/usr") {
        let root = || Some("root".to_owned());
        let chown = Change::Owner { at: spot(), owner: root(), group: root() }.shell();
        let chmod = Change::Mode { at: spot(), mode: narrower }.shell();
        let shell = if is_owner { format!("{chown} && {chmod}") } else { chmod };
        return Remedy::decide(format!("decide who may write {}", step.path)).candidate("root alone", shell);
    }
    if is_owner {
        changes.push(set_owner(view, &on_the_way, Some("root"), None));
    }
    if narrower != step.meta.mode {
        changes.push(set_mode(view, &on_the_way, narrower));
    }
    if let Some(person) = changes.iter().find(|remedy| remedy.is_a_persons()) {
        return person.clone();
    }
    Remedy::changes(changes.iter().flat_map(Remedy::list).cloned())
}
