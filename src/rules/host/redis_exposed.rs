//! Where Redis listens.

use crate::model::answers::Listener;
use crate::rules::dependencies::{
    RedisView, directive, is_loopback, no_redis, place_of, redis, restart, unit_name,
};
use crate::rules::prelude::*;

rule! {
    /// Redis listens on more than loopback.
    ///
    /// On a running host, the kernel's list of listening sockets counts. If none is there, or on a disk alone,
    /// the configuration that the unit starts with counts: the file on its command line, with its includes, and
    /// the options after it (`--bind …`), which win. Without `bind`, Redis listens on every address; with `port
    /// 0`, on no TCP address.
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
    /// ```bad
    /// offline
    /// file /etc/systemd/system/redis-server.service.d/open.conf root:root 0644
    /// | [Service]
    /// | Environment=OPTIONS="--bind 0.0.0.0"
    /// | ExecStart=
    /// | ExecStart=/usr/bin/redis-server /etc/redis/redis.conf $OPTIONS
    /// ```
    /// ```good
    /// offline
    /// file /etc/systemd/system/redis-server.service.d/socket.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/usr/bin/redis-server --port 0 --unixsocket /run/redis/redis.sock
    /// ```
    id: "redis-exposed",
    section: E,
    severity: Must,
    needs: [ServerFiles, Units],
    cause: Host,
    why: "every host that reaches the port can read and change the data",
    see: ["ss -Hltnp \"sport = :{port}\"", "redis-cli -h {host} -p {port} CONFIG GET bind"],
    mend: "golden removes the other addresses from `bind`, keeps loopback and the contract's own, and \
           restarts the server. Do it yourself where another process listens, where the unit does not start \
           with that file, and where a restart could lose data.",
    man: ["redis-server(1)", "ss(8)"],
    since: "0.1.0",
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
        .mend(mend(view, &redis, listeners).unwrap_or_else(|remedy| remedy))
        .into())
}

/// The addresses of loopback stay; where the file names no other, the server only has to read it.
fn mend(view: &DependencyView, redis: &RedisView, listeners: &[Listener]) -> Result<Remedy, Remedy> {
    if let Some(open) = listeners.iter().find(|listener| !is_loopback(&listener.address)) {
        let sockets = redis.sockets.as_ref();
        let is_units = matches!(sockets, Observed::Found(sockets) if sockets.contains(&open.inode));
        // Another process may listen there; then a change of redis.conf does not help.
        if !is_units {
            let question = format!(
                "find out which process listens on {}:{}, and whether it is {}",
                open.address,
                open.port,
                unit_name(view)
            );
            let look = format!("ss -ltnp sport = :{}", open.port);
            return Err(Remedy::decide(question).candidate("", look));
        }
    }
    let restart = restart(view, redis)?;
    let bound = redis.written.known().ok().flatten().and_then(|conf| conf.bind()).unwrap_or_default();
    let mut kept: Vec<&str> =
        bound.iter().map(String::as_str).filter(|address| is_loopback(address)).collect();
    if !bound.is_empty() && kept.len() == bound.len() {
        return Ok(restart.into());
    }
    let (host, _) = redis.address.value.rsplit_once(':').unwrap_or((&redis.address.value, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    if !is_loopback(host) {
        return Err(Remedy::decide(format!(
            "correct the contract: it wants Redis on loopback alone, and at {}",
            redis.address.value
        )));
    }
    if !kept.iter().any(|address| address.trim_start_matches('-') == host) {
        kept.insert(0, host);
    }
    Ok(Remedy::changes([directive(view, redis, "bind", &kept.join(" "))?, restart]))
}

/// The addresses beyond loopback that redis.conf names; without `bind` it is every address.
fn written(redis: &RedisView) -> Result<(Vec<String>, Location), Undecided> {
    let file = || Location::file(redis.config_file.clone());
    let Some(conf) = redis.written.known()? else {
        return Err(Undecided::new(format!("{} does not exist", redis.config_file)));
    };
    // Without a port it listens on a Unix socket alone.
    let tls = conf.last("tls-port").and_then(|directive| directive.arguments.first()).is_some_and(|port| port != "0");
    if conf.port() == Some(0) && !tls {
        return Ok((Vec::new(), file()));
    }
    Ok(match conf.last("bind") {
        None => (vec!["every address".to_owned()], file()),
        Some(bind) => {
            let open = bind.arguments.iter().filter(|address| !is_loopback(address)).cloned();
            (open.collect(), place_of(redis, "bind"))
        }
    })
}
