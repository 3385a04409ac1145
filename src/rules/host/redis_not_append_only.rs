//! Whether Redis survives a crash with its data.

use crate::rules::dependencies::{directive, RedisView, no_redis, place_of, redis, redis_cli};
use crate::rules::prelude::*;

rule! {
    /// Redis does not keep an append-only file.
    ///
    /// golden asks a running server (`CONFIG GET appendonly`). Where that command is forbidden, or on a disk
    /// alone, redis.conf with its includes counts. The default is `no`.
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
    needs: [ServerFiles, Units],
    cause: Host,
    why: "a crash loses the last minutes of events",
    see: ["redis-cli -h {host} -p {port} CONFIG GET appendonly"],
    mend: "Switch it on yourself, first in the running server and then in the file: a server that restarts \
           with `appendonly yes` before it has written the file starts without data (redis.io, \
           Persistence).",
    man: ["redis-server(1)"],
    since: "0.1.0",
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
        .mend(mend(view, &redis))
        .into())
}

/// `CONFIG SET` writes the append-only file at once; then the file may say it, too. Only the unit's own server is asked,
/// and nothing is restarted: a restart with the file alone loses all data.
fn mend(view: &DependencyView, redis: &RedisView) -> Remedy {
    let by_hand = || {
        let cli = redis_cli(view.dependency);
        Remedy::decide(
            "switch the append-only file on while Redis runs, and only then in its file: a restart with the file alone \
             loses all data",
        )
        .candidate("", format!("{cli} config set appendonly yes && {cli} config rewrite"))
    };
    let has_password = matches!(&view.dependency.kind, DependencyKind::Redis { password: Some(_), .. });
    // An answer is believed of a process of the unit alone, so this server is the unit's.
    if !runs_with_no(redis) || view.dependency.unit.is_none() || has_password {
        return by_hand();
    }
    let (name, value, was) = ("appendonly".to_owned(), "yes".to_owned(), "no".to_owned());
    match directive(view, redis, "appendonly", "yes") {
        Ok(file) => {
            let (address, unit) = (redis.address.value.clone(), view.dependency.unit.as_ref());
            let unit = unit.map(|unit| unit.value.clone());
            Remedy::changes([Change::Server { address, unit, name, value, was }, file])
        }
        Err(_) => by_hand(),
    }
}

fn runs_with_no(redis: &RedisView) -> bool {
    match redis.answer {
        Observed::Found(answer) => match &answer.config {
            Observed::Found(config) => config.get("appendonly").is_some_and(|value| value == "no"),
            _ => false,
        },
        _ => false,
    }
}

fn says_no(redis: &RedisView) -> bool {
    matches!(redis.written.known(), Ok(Some(conf)) if conf.appendonly() == Some(false))
}
