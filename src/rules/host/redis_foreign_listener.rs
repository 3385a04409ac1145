//! Who it is that listens on the port of Redis.

use crate::rules::dependencies::{no_redis, redis};
use crate::rules::prelude::*;

rule! {
    /// A process outside the contract's unit listens on the port of Redis.
    ///
    /// Every program can answer PONG: a container, a second server, an attacker. Root compares the inodes of
    /// the listening sockets with those of the unit's main process (proc(5)). Other users compare the process
    /// id that the server reports with the unit's.
    ///
    /// ```bad
    /// process 900 exe=/usr/bin/redis-server uid=110 gid=115 sockets=1
    /// ```
    /// ```good
    /// unit redis-server.service NRestarts=1
    /// ```
    id: "redis-foreign-listener",
    section: E,
    severity: Must,
    needs: [Servers, Units, Bus],
    cause: Host,
    why: "services exchange their data with the wrong server",
    see: ["ss -Hltnp \"sport = :{port}\"", "systemctl show -p MainPID {unit}"],
    mend: "Stop the other process, then start the unit.",
    man: ["ss(8)", "proc(5)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::Servers)? else { return Ok(no_redis()) };
    let Some(unit) = &view.dependency.unit else {
        return Ok(Outcome::not_applicable("the contract names no unit for it"));
    };
    let listeners = redis.listeners.known()?.map_or(&[][..], Vec::as_slice);
    if listeners.is_empty() {
        return Ok(Outcome::not_applicable("the server does not listen (reported by redis-not-answering)"));
    }
    let main = view.state(&unit.value)?.main_pid;
    let foreign: Vec<String> = match redis.sockets {
        Observed::Found(sockets) => {
            let foreign = listeners.iter().filter(|listener| !sockets.contains(&listener.inode));
            foreign.map(|listener| format!("{}:{}", listener.address, listener.port)).collect()
        }
        Observed::Absent => listeners.iter().map(|listener| format!("{}:{}", listener.address, listener.port)).collect(),
        // Without the right to look into the process, the server's own word is compared.
        Observed::Unreadable(why) => match redis.answer.known()?.map(|answer| &answer.process_id) {
            Some(Observed::Found(pid)) if *pid == main && main > 0 => Vec::new(),
            Some(Observed::Found(pid)) => vec![format!("process {pid}")],
            _ => return Err(Undecided::new(format!("whose port it is cannot be seen: {why}")).or_run("sudo golden audit")),
        },
    };
    if foreign.is_empty() {
        return Ok(Outcome::Pass);
    }
    let port = redis.address.value.rsplit(':').next().unwrap_or("");
    Ok(Finding::new(
        format!("is served by something else than {}", unit.value),
        Location::endpoint(&redis.address.value),
        unit.at.clone(),
    )
    .expected(format!("{} listens", unit.value))
    .observed(format!("{} is another process", foreign.join(" ")))
    .mend(
        Remedy::decide(format!("find out which process listens on port {port}, stop it, and then start {}", unit.value))
            .candidate("see which process it is", format!("ss -ltnp sport = :{port}"))
            .candidate("when it is gone", format!("systemctl restart {}", quoted(&unit.value))),
    )
    .into())
}
