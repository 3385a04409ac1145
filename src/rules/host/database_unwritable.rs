//! Whether its owner can write the database.

use crate::model::looked::End;
use crate::model::answers::BESIDE_SQLITE;
use crate::rules::prelude::*;
use crate::rules::reach::{Runner, obstacle};

rule! {
    /// The database's owner cannot write it.
    ///
    /// Before SQLite changes a database, it creates a journal beside it, or writes into the write-ahead log and
    /// its index (`-journal`, `-wal`, `-shm`; sqlite.org, *Temporary Files Used By SQLite*). So the user whom
    /// the contract names as owner must be able to write the file, the directory and the files that already lie
    /// beside it. Otherwise SQLite opens the database and refuses the first change: "attempt to write a
    /// readonly database".
    ///
    /// A file that belongs to another user is reported by `database-owner-wrong`.
    ///
    /// ```bad
    /// mode /opt/quantum/data/quantum_trader.db 0444
    /// ```
    /// ```bad
    /// file /opt/quantum/data/quantum_trader.db-wal root:root 0644
    /// ```
    /// ```bad
    /// owner /opt/quantum/data root:root
    /// ```
    /// ```good
    /// mode /opt/quantum/data/quantum_trader.db 0600
    /// file /opt/quantum/data/quantum_trader.db-shm qt:qt 0640
    /// ```
    id: "database-unwritable",
    section: E,
    severity: Must,
    needs: [Databases, Accounts],
    cause: Host,
    why: "the service starts, and its first write fails",
    see: ["namei -l {database}", "runuser -u {user} -- test -w {database}"],
    mend: "Give the permissions yourself. The directory belongs to the services' user, who could exchange a \
           file while chmod runs.",
    man: ["chmod(1)", "path_resolution(7)"],
    since: "unreleased",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Sqlite { path, owner, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is not a database"));
    };
    let Some(owner) = owner else { return Ok(Outcome::not_applicable("the contract names no owner")) };
    let database = view.path(Need::Databases, &path.value)?;
    let Some(node) = database.node()? else {
        return Ok(Outcome::not_applicable("it does not exist (reported by database-missing)"));
    };
    let Some(credentials) = view.credentials(&owner.value)? else {
        return Ok(Outcome::not_applicable("its owner does not exist (reported by account-missing)"));
    };
    if node.meta.uid != credentials.uid || node.meta.kind != NodeKind::File {
        return Ok(Outcome::not_applicable("it is not its owner's file (reported by database-owner-wrong or database-invalid)"));
    }
    let runner = Runner { name: owner.value.clone(), credentials };
    let read_and_write = [Access::Read, Access::Write];
    let mut obstacles = vec![obstacle(view, &runner, database, NodeKind::File, &read_and_write)?];
    let real = database.real().unwrap_or(&path.value);
    for beside in BESIDE_SQLITE {
        let lookup = view.path(Need::Databases, &format!("{real}{beside}"))?;
        if lookup.node()?.is_some() {
            obstacles.push(obstacle(view, &runner, lookup, NodeKind::File, &read_and_write)?);
        }
    }
    // Last, since what lies there says more than where it lies.
    let at = database.steps.iter().rposition(|step| step.meta.kind == NodeKind::Directory);
    if let Some(at) = at {
        let steps = database.steps[..=at].to_vec();
        let walked = Lookup { asked: steps[at].path.clone(), steps, end: End::Found };
        let access = [Access::Write, Access::Execute];
        obstacles.push(obstacle(view, &runner, &walked, NodeKind::Directory, &access)?);
    }
    let Some(obstacle) = obstacles.into_iter().flatten().next() else { return Ok(Outcome::Pass) };
    let at = obstacle.at.path().to_string();
    let candidate = obstacle.mend.as_ref().map(|mend| mend.shell()).unwrap_or_default();
    let remedy = Remedy::decide(format!("stop the services, and let {} write {at}", owner.value));
    Ok(Finding::new(format!("cannot be written: {at} {}", obstacle.what), obstacle.at, owner.at.clone())
        .expected(format!("{}, its directory and what lies beside it writable for {}", path.value, owner.value))
        .observed(obstacle.observed)
        .mend(if candidate.is_empty() { remedy } else { remedy.candidate("", candidate) })
        .into())
}
