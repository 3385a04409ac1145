//! Ports at which a service listens that the contract does not name.

use crate::rules::prelude::*;
use crate::rules::processes::{Listening, listening, no_ports};

rule! {
    /// A running service listens at a port, or for more addresses, than the contract says (`ports`).
    ///
    /// The contract's `ports` are all that a service may listen at. A socket of every address at a port that the
    /// contract gives to 127.0.0.1 is open to the network. Looks at the listening TCP sockets that processes of the
    /// unit hold (sock_diag(7)); a firewall is not looked at.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract ports = ["127.0.0.1:8001"]
    /// process 1002 exe=/opt/quantum/venvs/backend/bin/python uid=996 gid=996 cwd=/home/qt/quantum_trader sockets=77
    /// unit quantum-backend.service MainPID=1002
    /// listen 0.0.0.0 8001 77
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract ports = ["8001"]
    /// process 1002 exe=/opt/quantum/venvs/backend/bin/python uid=996 gid=996 cwd=/home/qt/quantum_trader sockets=77,78
    /// unit quantum-backend.service MainPID=1002
    /// listen 0.0.0.0 8001 77
    /// listen :: 8001 78
    /// ```
    id: "port-not-declared",
    section: D,
    severity: Must,
    needs: [Units, Bus, Processes],
    cause: Process,
    why: "something is reachable that was not meant to be",
    see: ["ss -ltnp", "systemctl status {unit}"],
    mend: "Bind it to the address of the contract, or name the port there.",
    man: ["ss(8)", "sock_diag(7)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(Listening { unit, ports, there, .. }) = listening(view)? else {
        return no_ports(view);
    };
    let all: Vec<String> = ports.iter().map(|port| port.value.to_string()).collect();
    let expected = if all.is_empty() { "no listening socket".to_owned() } else { all.join(", ") };
    let mut findings = Vec::new();
    for listener in there {
        if ports.iter().any(|port| port.value.covers(&listener)) {
            continue;
        }
        let narrower = ports.iter().find(|port| port.value.number == listener.number);
        let message = match (narrower, listener.address) {
            (Some(port), None) => format!("it listens at every address, and not at {} alone", port.value),
            _ => format!("it listens at {listener}, which the contract does not name"),
        };
        let at = narrower.or(ports.first()).map_or(&view.service.at, |port| &port.at);
        let question = format!("decide whether it is to listen at {listener}: correct its configuration, or `ports` at {at}");
        findings.push(
            Finding::new(message, unit.location(), at.clone())
                .key(listener.to_string())
                .expected(expected.clone())
                .observed(listener.to_string())
                .mend(Remedy::decide(question)),
        );
    }
    Ok(Outcome::from_findings(findings))
}
