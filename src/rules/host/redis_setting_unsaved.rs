//! Settings of Redis that a restart forgets.

use crate::rules::dependencies::{RedisView, directive, no_redis, place_of, redis, redis_cli};
use crate::rules::prelude::*;

rule! {
    /// A setting of the running Redis differs from its file.
    ///
    /// `CONFIG SET` lasts until the next restart. golden compares the setting that the contract speaks of:
    /// `appendonly`.
    ///
    /// ```bad
    /// replace /etc/redis/redis.conf
    /// - appendonly yes
    /// + appendonly no
    /// ```
    /// ```good
    /// replace /etc/redis/redis.conf
    /// - appendonly yes
    /// + appendonly YES
    /// ```
    id: "redis-setting-unsaved",
    section: E,
    severity: Should,
    needs: [Servers, ServerFiles, Units],
    cause: Host,
    why: "the next restart undoes a change that was made on the running server",
    see: [
        "redis-cli -h {host} -p {port} CONFIG GET appendonly",
        "grep -n appendonly /etc/redis/redis.conf",
    ],
    mend: "Where the server runs as the contract demands, golden writes the setting into its file and \
           restarts nothing. Otherwise decide which of the two is right.",
    man: ["redis-server(1)"],
    since: "0.1.0",
    check: Dependency(check),
}

fn check(view: &DependencyView) -> Ruling {
    let Some(redis) = redis(view, Need::Servers)? else { return Ok(no_redis()) };
    let Some(answer) = redis.answer.known()? else {
        return Ok(Outcome::not_applicable("it does not answer (reported by redis-not-answering)"));
    };
    if answer.ping.is_err() {
        return Ok(Outcome::not_applicable("it answers with an error (reported by redis-not-answering)"));
    }
    let Some(config) = answer.config.known()? else {
        return Ok(Outcome::not_applicable("it has no settings to ask for"));
    };
    let Some(conf) = redis.written.known()? else {
        return Ok(Outcome::not_applicable("it runs without a configuration file"));
    };
    let Some(running) = config.get("appendonly") else {
        return Ok(Outcome::not_applicable("it knows no appendonly"));
    };
    let written = if conf.appendonly() == Some(true) { "yes" } else { "no" };
    if running == written {
        return Ok(Outcome::Pass);
    }
    Ok(Finding::new(
        "runs with a setting that its file does not hold",
        place_of(&redis, "appendonly"),
        redis.append_only.map_or_else(|| view.dependency.at.clone(), |demand| demand.at.clone()),
    )
    .expected(format!("appendonly {running}"))
    .observed(format!("appendonly {written}"))
    .mend(mend(view, &redis, running))
    .into())
}

/// What the contract demands and the server does is written down, which needs no restart; which of the two settings is
/// right otherwise a person knows.
fn mend(view: &DependencyView, redis: &RedisView, running: &str) -> Remedy {
    let demanded = redis.append_only.filter(|demand| demand.value);
    if running == "yes" && demanded.is_some() {
        return directive(view, redis, "appendonly", running).map_or_else(|remedy| remedy, Remedy::from);
    }
    let (cli, other) = (redis_cli(view.dependency), if running == "yes" { "no" } else { "yes" });
    let remedy = Remedy::decide("decide which of the two is right, and give it to both before the next restart");
    let set = ("in the running server", format!("{cli} config set appendonly {other}"));
    let save = ("in its file", format!("{cli} config rewrite"));
    match demanded {
        Some(_) => remedy.candidate(set.0, set.1),
        None => remedy.candidate(save.0, save.1).candidate(set.0, set.1),
    }
}
