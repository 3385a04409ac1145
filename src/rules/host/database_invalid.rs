//! What the database file really is.

use crate::facts::DependencyFacts;
use crate::rules::prelude::*;

rule! {
    /// The database is not a valid SQLite database.
    ///
    /// The file must be a regular file with SQLite's header, and `PRAGMA quick_check` must find nothing, up to
    /// the size that the contract sets. golden opens the file read-only and creates nothing beside it. A
    /// write-ahead log that a crash left behind cannot be read in this way; the rule is then undecided.
    ///
    /// ```bad
    /// file /opt/quantum/data/quantum_trader.db qt:qt 0644
    /// ```
    /// ```bad
    /// remove /opt/quantum/data/quantum_trader.db
    /// dir /opt/quantum/data/quantum_trader.db qt:qt 0755
    /// ```
    /// ```bad
    /// sqlite /opt/quantum/data/quantum_trader.db database disk image is malformed
    /// ```
    /// ```good
    /// mode /opt/quantum/data/quantum_trader.db 0640
    /// ```
    id: "database-invalid",
    section: E,
    severity: Must,
    needs: [Databases],
    cause: Host,
    why: "new data goes into a damaged file and can be lost",
    see: ["sqlite3 -readonly {database} \"PRAGMA quick_check\""],
    mend: "Stop the services that use it and restore a backup.",
    man: ["sqlite3(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Sqlite { path, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is not a database"));
    };
    let Some(node) = view.path(Need::Databases, &path.value)?.node()? else {
        return Ok(Outcome::not_applicable("it does not exist (reported by database-missing)"));
    };
    let observed = if node.meta.kind != NodeKind::File {
        node.meta.kind.word().to_owned()
    } else if node.meta.size == 0 {
        "an empty file".to_owned()
    } else {
        let DependencyFacts::Sqlite(answer) = view.dependency(Need::Databases, &view.dependency.name)? else {
            return Err(Undecided::new(format!("the facts about {} are of another kind", view.dependency.name)));
        };
        let answer = answer.known().map_err(|undecided| undecided.or_run("sudo golden audit"))?;
        match answer {
            None => return Err(Undecided::new(format!("{} vanished while it was looked at", path.value))),
            Some(answer) if !answer.header => "a file without SQLite's header".to_owned(),
            Some(answer) => match answer.quick_check.known()?.map(String::as_str) {
                None | Some("ok") => return Ok(Outcome::Pass),
                Some(complaint) => format!("quick_check: {complaint}"),
            },
        }
    };
    Ok(Finding::new("is not a valid database", Location::file(path.value.as_str()), path.at.clone())
        .expected("a valid SQLite database")
        .observed(observed)
        .mend(Remedy::decide(format!("restore {} from a backup", path.value)))
        .into())
}
