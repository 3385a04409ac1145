//! Whose the database is.

use crate::model::answers::BESIDE_SQLITE;
use crate::rules::files::owners;
use crate::rules::prelude::*;

rule! {
    /// The database belongs to the wrong user.
    ///
    /// The contract names the user who must own the database. The files that SQLite keeps beside it (`-wal`,
    /// `-shm`) take its owner.
    ///
    /// ```bad
    /// owner /opt/quantum/data/quantum_trader.db root:root
    /// ```
    /// ```good
    /// mode /opt/quantum/data/quantum_trader.db 0600
    /// ```
    id: "database-owner-wrong",
    section: E,
    severity: Must,
    needs: [Databases, Accounts],
    cause: Host,
    why: "the service starts, and its first write fails",
    see: ["stat -c \"%U:%G %a %n\" {database}"],
    mend: "Change the owner yourself. The directory belongs to the services' user, who could exchange the \
           file while chown runs, so golden does not do it.",
    man: ["chown(1)", "stat(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Sqlite { path, owner, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is not a database"));
    };
    let Some(owner) = owner else { return Ok(Outcome::not_applicable("the contract names no owner")) };
    let Some(node) = view.path(Need::Databases, &path.value)?.node()? else {
        return Ok(Outcome::not_applicable("it does not exist (reported by database-missing)"));
    };
    let accounts = view.accounts()?;
    if accounts.user(&owner.value).is_some_and(|user| user.uid == node.meta.uid) {
        return Ok(Outcome::Pass);
    }
    let path = &path.value;
    Ok(Finding::new("belongs to another user", Location::file(path.as_str()), owner.at.clone())
        .expected(format!("owner {}", owner.value))
        .observed(owners(accounts, node.meta.uid, node.meta.gid))
        .mend(mend(path, &owner.value))
        .into())
}

/// The same command for the database and for what SQLite keeps beside it, as far as that is there.
fn mend(path: &str, owner: &str) -> Remedy {
    let beside = BESIDE_SQLITE.iter().map(|beside| format!("{path}{beside}"));
    let files: Vec<String> = std::iter::once(path.to_owned()).chain(beside).map(|file| quoted(&file)).collect();
    let chown = format!("chown --no-dereference {}:", quoted(owner));
    Remedy::decide(format!("stop the services, look at {path}, and give it and what SQLite keeps beside it to {owner}"))
        .candidate("", format!("for f in {}; do [ ! -e \"$f\" ] || {chown} \"$f\"; done", files.join(" ")))
}
