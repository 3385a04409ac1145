//! Whether Redis will listen on the port at which the contract looks for it.

use crate::rules::dependencies::{RedisView, directive, no_redis, place_of, redis, restart};
use crate::rules::prelude::*;
use crate::rules::remedy::by_hand;
use crate::syntax::redis_conf::{Refusal, USUAL_PORT};

rule! {
    /// Redis will listen on a different port from the contract's, or on none.
    ///
    /// The configuration that the unit starts with counts: the file on its command line, with its includes, and
    /// the options after it. Without `port` Redis listens on 6379. "If port 0 is specified Redis will not
    /// listen on a TCP socket" (redis.conf); `tls-port` is one more. The port of a server that answers or
    /// listens now is known, so the file's port is judged only where no server does, such as on a disk alone.
    ///
    /// Redis does not start if its file, or a file that it includes by name, does not exist, or if quotes are
    /// not balanced. This is judged on a running server too.
    ///
    /// ```bad
    /// offline
    /// replace /etc/redis/redis.conf
    /// + port 6380
    /// ```
    /// ```bad
    /// offline
    /// replace /etc/redis/redis.conf
    /// + port 0
    /// ```
    /// ```bad
    /// replace /etc/redis/redis.conf
    /// + include /etc/redis/gone.conf
    /// ```
    /// ```good
    /// offline
    /// replace /etc/redis/redis.conf
    /// + port 6379
    /// ```
    /// ```good
    /// offline
    /// replace /etc/redis/redis.conf
    /// + include /etc/redis/conf.d/*.conf
    /// ```
    id: "redis-port-wrong",
    section: E,
    severity: Must,
    needs: [ServerFiles, Units],
    cause: Host,
    why: "after the next start of the server, services cannot connect to it",
    see: ["systemctl cat {unit}", "grep -nE \"^(port|tls-port|include)\" /etc/redis/redis.conf"],
    mend: "golden writes the contract's port where the file sets another one, and restarts the server. \
           Restore a missing file yourself.",
    man: ["redis-server(1)"],
    since: "unreleased",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::ServerFiles)? else { return Ok(no_redis()) };
    let wanted = redis.address.value.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(wanted) = wanted else { return Ok(Outcome::not_applicable("its address has no port")) };
    // Without a unit of this host the server may run anywhere.
    if view.dependency.unit.is_none() {
        return Ok(Outcome::not_applicable("the contract names no unit for it"));
    }
    if let Some(refusal) = redis.refusals.first() {
        return Ok(refused(&redis, refusal).into());
    }
    let is_live = matches!(redis.answer, Observed::Found(_))
        || matches!(redis.listeners, Observed::Found(listeners) if !listeners.is_empty());
    if is_live {
        return Ok(Outcome::not_applicable("a server is there now (redis-not-answering asks it)"));
    }
    let Some(conf) = redis.written.known()? else {
        return Err(Undecided::new(format!("{} does not exist", redis.config_file)));
    };
    let (port, observed) = match (conf.last("port"), conf.port()) {
        (None, _) => (USUAL_PORT, format!("no port, which is {USUAL_PORT}")),
        (Some(_), Some(port)) => (port, format!("port {port}")),
        (Some(_), None) => return Err(Undecided::new("its port is not a number")),
    };
    let tls = conf.last("tls-port").and_then(|directive| directive.arguments.first());
    if port == wanted || tls.is_some_and(|tls| *tls == wanted.to_string()) {
        return Ok(Outcome::Pass);
    }
    let message = match port {
        0 => format!("will not listen on port {wanted}, nor on any other"),
        _ => format!("will listen on port {port}, not on {wanted}"),
    };
    let mend = directive(view, &redis, "port", &wanted.to_string())
        .and_then(|change| Ok(Remedy::changes([change, restart(view, &redis)?])));
    Ok(Finding::new(message, place_of(&redis, "port"), redis.address.at.clone())
        .expected(format!("port {wanted}"))
        .observed(observed)
        .mend(mend.unwrap_or_else(|remedy| remedy))
        .into())
}

/// What keeps it from starting.
fn refused(redis: &RedisView, refusal: &Refusal) -> Finding {
    let at = Location::line(&*refusal.file, refusal.line);
    let question = format!("write what is missing, or correct {at}");
    Finding::new(format!("will not start: {}", refusal.why), at.clone(), redis.address.at.clone())
        .expected("a configuration with which Redis starts")
        .observed(refusal.why.clone())
        .mend(Remedy::decide(question).candidate("", by_hand(&at)))
}
