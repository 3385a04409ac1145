//! Whose the database is.

use crate::rules::files::owners;
use crate::rules::prelude::*;

rule! {
    /// The database belongs to somebody else.
    ///
    /// Services that cannot write it fail at the first write, not at the start. The files that SQLite keeps
    /// beside it (`-wal`, `-shm`) follow its owner.
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
    why: "services fail at the first write, not at the start",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Sqlite { path, owner, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is no database"));
    };
    let Some(owner) = owner else { return Ok(Outcome::not_applicable("the contract names no owner")) };
    let Some(node) = view.path(Need::Databases, &path.value)?.node()? else {
        return Ok(Outcome::not_applicable("it does not exist, which is another rule's word"));
    };
    let accounts = view.accounts()?;
    if accounts.user(&owner.value).is_some_and(|user| user.uid == node.meta.uid) {
        return Ok(Outcome::Pass);
    }
    let path = &path.value;
    Ok(Finding::new("belongs to somebody else", Location::file(path.as_str()), owner.at.clone())
        .expected(format!("owner {}", owner.value))
        .observed(owners(accounts, node.meta.uid, node.meta.gid))
        .mend(format!("chown {0}: {1} && for f in {1}-wal {1}-shm; do [ ! -e \"$f\" ] || chown {0}: \"$f\"; done", owner.value, quoted(path)))
        .into())
}
