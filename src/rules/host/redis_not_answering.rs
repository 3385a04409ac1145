//! Redis is asked, by its own protocol.

use crate::rules::dependencies::{no_redis, redis, unit_name};
use crate::rules::prelude::*;

rule! {
    /// Redis does not answer PING with PONG.
    ///
    /// An error such as NOAUTH counts as a failure: services without a password get the same error. A refused
    /// connection means that the server does not listen. A connection that is not accepted or answered in time
    /// is undecided, because a packet filter may hide the server.
    ///
    /// ```bad
    /// redis 127.0.0.1:6379 NOAUTH
    /// ```
    /// ```good
    /// unit redis-server.service NRestarts=1
    /// ```
    id: "redis-not-answering",
    section: E,
    severity: Must,
    needs: [Servers],
    cause: Host,
    why: "every service that requires Redis fails",
    see: ["redis-cli -h {host} -p {port} PING"],
    mend: "Find out why the server does not listen, then restart its unit. If it demands a password, decide \
           whether it should have one.",
    man: ["redis-cli(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::Servers)? else { return Ok(no_redis()) };
    let address = redis.address;
    let unit = unit_name(view);
    let name = quoted(unit);
    let finding = |message: &str| Finding::new(message, Location::endpoint(&address.value), address.at.clone()).expected("PONG");
    match redis.answer.known()? {
        None => Ok(finding("refuses the connection: the server does not listen")
            .observed("connection refused")
            .mend(match unit {
                "" => Remedy::decide(format!("start the server that listens on {}", address.value)),
                _ => Remedy::decide(format!("find out why {unit} does not listen on {}", address.value))
                    .candidate("", format!("systemctl status {name}; journalctl -n 50 -u {name}"))
                    .candidate("", format!("systemctl restart {name}")),
            })
            .into()),
        Some(answer) => match &answer.ping {
            Ok(reply) if reply == "PONG" => Ok(Outcome::Pass),
            Ok(reply) => Ok(finding("answers PING with something else")
                .observed(reply.as_str())
                .mend(Remedy::decide(format!("find out what listens on {}", address.value)))
                .into()),
            Err(reply) => Ok(finding("answers PING with an error")
                .observed(reply.as_str())
                .mend(
                    Remedy::decide("decide whether Redis has a password")
                        .candidate("name the password in the contract", "")
                        .candidate(format!("remove it from {} and restart Redis", redis.config_file), ""),
                )
                .into()),
        },
    }
}
