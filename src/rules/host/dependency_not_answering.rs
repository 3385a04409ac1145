//! Servers that are asked what they are, each by its own protocol.

use crate::facts::DependencyFacts;
use crate::rules::prelude::*;

rule! {
    /// A server that services rely on does not answer at the address that the contract names, or answers as another one.
    ///
    /// golden connects and hears the first words of the server's own protocol: the status line of an HTTP server,
    /// whether PostgreSQL has the role and the database, the greeting of MySQL or MariaDB, the `connection.start`
    /// of RabbitMQ, the version of memcached; of kinds `tcp` and `unix` that they take the connection. A refused
    /// connection is a violation, and so is an answer that says no. One that does not come in time is undecided, and so
    /// is one of another process than those of the dependency's unit. No password is told and no TLS spoken: what
    /// cannot be seen for that is undecided. Redis has rules of its own.
    ///
    /// ```bad
    /// deaf 6379
    /// contract [dependencies.gateway]
    /// contract kind = "tcp"
    /// contract address = "127.0.0.1:6379"
    /// contract [services.backend]
    /// contract requires = ["redis", "database", "gateway"]
    /// ```
    /// ```bad
    /// server /run/postgresql/.s.PGSQL.5432 says says: database "orders" does not exist (3D000)
    /// contract [dependencies.orders]
    /// contract kind = "postgres"
    /// contract address = "/run/postgresql/.s.PGSQL.5432"
    /// contract role = "orders"
    /// contract database = "orders"
    /// contract [services.backend]
    /// contract requires = ["redis", "database", "orders"]
    /// ```
    /// ```good
    /// server 127.0.0.1:8080 is HTTP/1.1 200 OK
    /// contract [dependencies.gateway]
    /// contract kind = "http"
    /// contract address = "127.0.0.1:8080"
    /// contract get = "/health"
    /// contract [services.backend]
    /// contract requires = ["redis", "database", "gateway"]
    /// ```
    id: "dependency-not-answering",
    section: E,
    severity: Must,
    needs: [Servers],
    cause: Host,
    why: "every service that requires the server fails",
    see: ["systemctl status {unit}", "ss -Hltnp \"sport = :{port}\"", "ss -Hlxp"],
    mend: "Start the server, make what it lacks, or correct its address.",
    man: ["ss(8)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Server { address, .. } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("other rules judge it"));
    };
    let DependencyFacts::Server(answer) = view.dependency(Need::Servers, &view.dependency.name)? else {
        return Err(Undecided::new(format!("the facts about {} are of another kind", view.dependency.name)));
    };
    let finding = |message: String, observed: &str, mend| {
        let finding = Finding::new(message, Location::endpoint(&address.value), address.at.clone());
        finding.expected(format!("a server on {}", address.value)).observed(observed.to_owned()).mend(mend)
    };
    Ok(match answer.known()? {
        Some(None | Some(Ok(_))) => Outcome::Pass,
        None => finding("no process takes the connection".to_owned(), "connection refused", start(view, address)).into(),
        Some(Some(Err(said))) => finding(said.clone(), said, find_out(view, address)).into(),
    })
}

/// What a person does about a server that is not there.
fn start(view: &DependencyView, address: &Stated<String>) -> Remedy {
    match &view.dependency.unit {
        Some(unit) => Remedy::decide(format!("find out why {} does not listen on {}", unit.value, address.value))
            .candidate("", format!("systemctl status {0}; journalctl -n 50 -u {0}", quoted(&unit.value)))
            .candidate("", format!("systemctl restart {}", quoted(&unit.value))),
        None => Remedy::decide(format!("start the server that listens on {}", address.value)),
    }
}

/// What a person does about one that says no.
fn find_out(view: &DependencyView, address: &Stated<String>) -> Remedy {
    let remedy = Remedy::decide(format!("make what the server on {} lacks, or correct the contract", address.value));
    match &view.dependency.unit {
        Some(unit) => remedy.candidate("", format!("journalctl -n 50 -u {}", quoted(&unit.value))),
        None => remedy,
    }
}
