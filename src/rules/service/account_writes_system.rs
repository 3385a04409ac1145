//! Paths that decide what runs on the host, and that no service may write.

use std::sync::Arc;

use crate::rules::files::{octal, owners};
use crate::rules::prelude::*;

rule! {
    /// The user of a service can write what decides what runs.
    ///
    /// Units, env files, the contract and the tools that audit it: whoever can write one of them, or a
    /// directory above it, decides what runs as whom. Judged by owner and permission bits; access control
    /// lists are not read. A sticky directory lets nobody replace what others own.
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
    why: "whoever takes over the service rewrites the rules it lives under",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let user = &view.service.user;
    let Some(who) = view.credentials(&user.value)? else {
        return Ok(Outcome::not_applicable("its user does not exist, which is another rule's word"));
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
            if !writes || findings.iter().any(|finding| finding.location.path == step.path) {
                continue;
            }
            findings.push(
                Finding::new(format!("{} can write {}", user.value, step.path), Location::file(step.path.clone()), guarded.at.clone())
                    .key(&*step.path)
                    .expected(format!("{} is not writable for {}", step.path, user.value))
                    .observed(format!("{} {}", owners(accounts, step.meta.uid, step.meta.gid), octal(step.meta.mode)))
                    .mend(mend(step, &who)),
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

fn mend(step: &Step, who: &Credentials) -> String {
    let path = quoted(&step.path);
    match step.meta.uid == who.uid {
        true => format!("chown root:root {path} && chmod go-w {path}"),
        false => format!("chmod go-w {path}"),
    }
}
