//! Whether Redis survives a crash with its data.

use crate::rules::dependencies::{RedisView, mend_directive, no_redis, place_of, redis};
use crate::rules::prelude::*;

rule! {
    /// Redis does not keep an append-only file.
    ///
    /// A running server is asked (`CONFIG GET appendonly`); where that command is forbidden, or on a disk
    /// alone, redis.conf with its includes counts. The default is no.
    ///
    /// ```bad
    /// redis 127.0.0.1:6379 PONG appendonly=no process_id=900 config_file=/etc/redis/redis.conf
    /// ```
    /// ```bad
    /// offline
    /// replace /etc/redis/redis.conf
    /// - appendonly yes
    /// + appendonly no
    /// ```
    /// ```good
    /// offline
    /// replace /etc/redis/redis.conf
    /// - appendonly yes
    /// + APPENDONLY "yes"
    /// ```
    id: "redis-not-append-only",
    section: E,
    severity: Must,
    needs: [ServerFiles],
    why: "a crash takes minutes of events with it",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::ServerFiles)? else { return Ok(no_redis()) };
    let Some(demand) = redis.append_only.filter(|demand| demand.value) else {
        return Ok(Outcome::not_applicable("the contract does not ask for it"));
    };
    // A silent server may run with anything.
    redis.answer.known()?;
    let running = match redis.answer {
        Observed::Found(answer) => match &answer.config {
            Observed::Found(config) => config.get("appendonly").cloned(),
            _ => None,
        },
        _ => None,
    };
    let (value, location) = match running {
        // Where the file says the same, that is where it comes from.
        Some(value) if says_no(&redis) => (value, place_of(&redis, "appendonly")),
        Some(value) => (value, Location::endpoint(&redis.address.value)),
        None => {
            let conf = redis.written.known()?;
            let Some(conf) = conf else {
                return Err(Undecided::new(format!("{} does not exist", redis.config_file)));
            };
            let value = if conf.appendonly() == Some(true) { "yes" } else { "no" };
            (value.to_owned(), place_of(&redis, "appendonly"))
        }
    };
    if value == "yes" {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new("keeps no append-only file", location, demand.at.clone())
        .expected("appendonly yes")
        .observed(format!("appendonly {value}"))
        .mend(mend_directive(view, &redis, "appendonly", "yes"))
        .into())
}

fn says_no(redis: &RedisView) -> bool {
    matches!(redis.written.known(), Ok(Some(conf)) if conf.appendonly() == Some(false))
}
