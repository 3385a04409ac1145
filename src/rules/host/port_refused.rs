//! Dependencies that are no more to us than an open port.

use crate::facts::DependencyFacts;
use crate::rules::prelude::*;

rule! {
    /// A server does not accept connections at the address that the contract names.
    ///
    /// golden opens a connection and closes it. A refused connection is a violation; one that is not accepted
    /// in time is undecided. The built-in contract has no dependency of this kind.
    ///
    /// ```bad
    /// deaf 6379
    /// contract [dependencies.gateway]
    /// contract kind = "tcp"
    /// contract address = "127.0.0.1:6379"
    /// contract [services.backend]
    /// contract requires = ["redis", "database", "gateway"]
    /// ```
    /// ```good
    /// contract [dependencies.gateway]
    /// contract kind = "tcp"
    /// contract address = "127.0.0.1:6379"
    /// contract [services.backend]
    /// contract requires = ["redis", "database", "gateway"]
    /// ```
    id: "port-refused",
    section: E,
    severity: Must,
    needs: [Servers],
    cause: Host,
    why: "every service that requires the server fails",
    see: ["ss -Hltnp \"sport = :{port}\""],
    mend: "Start the server, or correct its address.",
    man: ["ss(8)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let DependencyKind::Tcp { address } = &view.dependency.kind else {
        return Ok(Outcome::not_applicable("it is more than an open port"));
    };
    let DependencyFacts::Tcp(answer) = view.dependency(Need::Servers, &view.dependency.name)? else {
        return Err(Undecided::new(format!("the facts about {} are of another kind", view.dependency.name)));
    };
    if answer.known()?.is_some() {
        return Ok(Outcome::Pass);
    }
    let mend = match &view.dependency.unit {
        Some(unit) => Remedy::decide(format!("find out why {} does not listen on {}", unit.value, address.value))
            .candidate("", format!("systemctl status {0}; journalctl -n 50 -u {0}", quoted(&unit.value)))
            .candidate("", format!("systemctl restart {}", quoted(&unit.value))),
        None => Remedy::decide(format!("start the server that listens on {}", address.value)),
    };
    Ok(Finding::new("refuses the connection", Location::endpoint(&address.value), address.at.clone())
        .expected(format!("a server on {}", address.value))
        .observed("connection refused")
        .mend(mend)
        .into())
}
