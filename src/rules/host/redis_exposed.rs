//! Where Redis listens.

use crate::rules::dependencies::{RedisView, is_loopback, mend_directive, no_redis, place_of, redis};
use crate::rules::prelude::*;

rule! {
    /// Redis listens on more than loopback.
    ///
    /// On a running host the kernel's table of listening sockets counts (proc(5)). Where none is there, or
    /// on a disk alone, `bind` of redis.conf with its includes counts: without it Redis listens on every
    /// address.
    ///
    /// ```bad
    /// listen 0.0.0.0 6379 5001
    /// ```
    /// ```bad
    /// offline
    /// replace /etc/redis/redis.conf
    /// + bind 0.0.0.0
    /// ```
    /// ```good
    /// listen 127.0.0.2 6379 5001
    /// ```
    id: "redis-exposed",
    section: E,
    severity: Must,
    needs: [ServerFiles],
    why: "whoever reaches the port owns the data, and soon the host",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::ServerFiles)? else { return Ok(no_redis()) };
    let Some(demand) = redis.loopback_only.filter(|demand| demand.value) else {
        return Ok(Outcome::not_applicable("the contract lets it listen anywhere"));
    };
    let listeners = redis.listeners.known()?.map_or(&[][..], Vec::as_slice);
    let (open, location) = match listeners.is_empty() {
        false => {
            let open = listeners.iter().filter(|listener| !is_loopback(&listener.address));
            let open: Vec<String> = open.map(|listener| listener.address.clone()).collect();
            let first = open.first().cloned().unwrap_or_default();
            let port = listeners.first().map_or(0, |listener| listener.port);
            (open, Location::endpoint(format!("{first}:{port}")))
        }
        true => written(&redis)?,
    };
    if open.is_empty() {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new("listens on more than loopback", location, demand.at.clone())
        .expected("loopback only")
        .observed(open.join(" "))
        .mend(mend_directive(view, &redis, "bind", "127.0.0.1 -::1"))
        .into())
}

/// The addresses beyond loopback that redis.conf names; without `bind` it is every address.
fn written(redis: &RedisView) -> Result<(Vec<String>, Location), Undecided> {
    let file = || Location::file(redis.config_file.clone());
    let Some(conf) = redis.written.known()? else {
        return Err(Undecided::new(format!("{} does not exist", redis.config_file)));
    };
    Ok(match conf.last("bind") {
        None => (vec!["every address".to_owned()], file()),
        Some(bind) => {
            let open = bind.arguments.iter().filter(|address| !is_loopback(address)).cloned();
            (open.collect(), place_of(redis, "bind"))
        }
    })
}
