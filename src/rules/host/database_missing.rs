//! The database file.

use crate::rules::prelude::*;

rule! {
    /// The database of the contract does not exist.
    ///
    /// A wrapper may run before the database exists; on a compliant host it exists.
    ///
    /// ```bad
    /// remove /opt/quantum/data/quantum_trader.db
    /// ```
    /// ```good
    /// modified /opt/quantum/data/quantum_trader.db 1
    /// ```
    id: "database-missing",
    section: E,
    severity: Must,
    needs: [Databases],
    cause: Host,
    why: "the service creates an empty database and starts without its old data",
    see: ["stat {database}"],
    mend: "Decide where the data comes from: the first start of the service, or a backup.",
    man: ["stat(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Sqlite { path, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is not a database"));
    };
    if view.path(Need::Databases, &path.value)?.node()?.is_some() {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new("does not exist", Location::file(path.value.as_str()), path.at.clone())
        .expected(path.value.as_str())
        .observed("nothing")
        .mend(
            Remedy::decide(format!("decide where the content of {} comes from", path.value))
                .candidate("restore it from a backup", "")
                .candidate("let the first start of the services make an empty one", ""),
        )
        .into())
}
