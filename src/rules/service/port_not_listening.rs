//! Ports at which a running service must listen.

use crate::rules::prelude::*;
use crate::rules::processes::{Listening, listening, no_ports};

rule! {
    /// A running service does not listen at a port that the contract names (`ports`).
    ///
    /// golden asks the kernel which TCP sockets listen (sock_diag(7)) and takes those that a process of the unit
    /// holds. A socket of all addresses is found at each of them; a port of all addresses needs such a socket.
    /// One that has not been up for as long as the `health` of the service allows may still come: that is
    /// undecided. A service that does not run is reported by `unit-not-active`.
    ///
    /// ```bad
    /// contract [services.backend]
    /// contract ports = ["127.0.0.1:8001"]
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract ports = ["127.0.0.1:8001"]
    /// process 1002 exe=/opt/quantum/venvs/backend/bin/python uid=996 gid=996 cwd=/home/qt/quantum_trader sockets=77
    /// unit quantum-backend.service MainPID=1002
    /// listen 127.0.0.1 8001 77
    /// ```
    id: "port-not-listening",
    section: D,
    severity: Must,
    needs: [Units, Bus, Processes],
    cause: Process,
    why: "a client is refused, or reaches another process",
    see: ["ss -ltnp", "systemctl status {unit}"],
    mend: "Correct its configuration, or the contract.",
    man: ["ss(8)", "sock_diag(7)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(Listening { unit, state, ports, there }) = listening(view)? else {
        return no_ports(view);
    };
    let mut findings = Vec::new();
    for port in ports {
        if there.iter().any(|listener| listener.covers(&port.value)) {
            continue;
        }
        let near = there.iter().find(|listener| listener.number == port.value.number);
        let what = near.map_or_else(String::new, |near| format!("; it listens at {near} alone"));
        let message = format!("it does not listen at {}{what}", port.value);
        if view.service.health().may_still_come(state.started, view.now()) {
            return Err(Undecided::new(format!("{message}, and was started just now")).or_run("golden audit"));
        }
        let remedy = Remedy::decide("find out why it does not listen there")
            .candidate("", format!("journalctl -u {} -n 50", quoted(unit.name.as_str())))
            .candidate("who else does", format!("ss -ltnp 'sport = :{}'", port.value.number));
        findings.push(
            Finding::new(message, unit.location(), port.at.clone())
                .key(port.value.to_string())
                .expected(format!("a listening socket at {}", port.value))
                .observed(near.map_or_else(|| "no such socket".to_owned(), ToString::to_string))
                .mend(remedy),
        );
    }
    Ok(Outcome::from_findings(findings))
}
