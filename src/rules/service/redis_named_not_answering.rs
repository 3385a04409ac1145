//! The Redis that a service's own environment names.

use crate::rules::prelude::*;
use crate::rules::variables::{give, stated};

rule! {
    /// The Redis that a service is told to use does not answer.
    ///
    /// The contract names a Redis, and the variables in which services find it (`named_by`). golden asks the
    /// address in these variables of the service's effective environment, as the service would. It may be
    /// another host or port than the contract's, or a name that leads elsewhere. If the contract's own Redis
    /// was asked too and does not answer, `redis-not-answering` reports it, and this rule is undecided.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_PORT=6379
    /// + REDIS_PORT=6380
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST=127.0.0.1
    /// ```
    id: "redis-named-not-answering",
    section: E,
    severity: Must,
    needs: [NamedServers, EnvFiles, Fragments],
    cause: Environment,
    why: "the service cannot reach its data at the address that it was given",
    see: ["golden run --print-env {name}", "redis-cli -h {host} -p {port} PING"],
    mend: "golden writes the values that the contract states for these variables. In other cases decide it \
           yourself.",
    man: ["redis-cli(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let mut findings = Vec::new();
    let mut asked = 0;
    for required in &view.service.requires {
        let Some(Dependency { kind: DependencyKind::Redis { address, named_by, .. }, .. }) =
            view.contract.dependencies.get(required.value.as_str())
        else {
            continue;
        };
        let Some((host, port)) = named_by else { continue };
        let Some((named, at)) = view.named_address(unit, (&host.value, &port.value))? else { continue };
        asked += 1;
        match view.own_redis_answers(&required.value) {
            Some(false) => return Err(Undecided::new("the contract's own does not answer either")),
            Some(true) if named == address.value => continue,
            _ => {}
        }
        let observed = match view.named_server(&named)? {
            None => "the connection is refused".to_owned(),
            Some(answer) => match &answer.ping {
                Ok(reply) if reply == "PONG" => continue,
                Ok(reply) | Err(reply) => reply.clone(),
            },
        };
        let remedy = name_own(view, unit, (host, port), address)?;
        findings.push(
            Finding::new(format!("is told to use {named}, which does not answer"), at, host.at.clone())
                .key(&*required.value)
                .expected("PONG")
                .observed(observed)
                .mend(remedy),
        );
    }
    match asked {
        0 => Ok(Outcome::not_applicable("no variable names a Redis that it requires")),
        _ => Ok(Outcome::from_findings(findings)),
    }
}

/// The remedy that names the contract's own server where the contract states the variables' values; else a person does.
fn name_own(
    view: &ServiceView,
    unit: &EffectiveUnit,
    (host, port): (&Stated<String>, &Stated<String>),
    address: &Stated<String>,
) -> Result<Remedy, Undecided> {
    let (own_host, own_port) = address.value.rsplit_once(':').unwrap_or((&address.value, ""));
    let own_host = own_host.trim_start_matches('[').trim_end_matches(']');
    let mut changes: Vec<Change> = Vec::new();
    for (variable, own) in [(host, own_host), (port, own_port)] {
        let layers = view.layers(unit, &variable.value)?;
        let is_own = |value: &str| value == own || (own != own_port && is_loopback(own) && is_loopback(value));
        if layers.last().is_some_and(|layer| is_own(&layer.value)) {
            continue;
        }
        let demand = view.service.variables.iter().find(|demand| *demand.name == *variable.value);
        let is_stated = |demand: &VariableDemand| stated(view, demand).is_some_and(|value| is_own(&value));
        let names_own = |change: &Change| match change {
            Change::Variable { value, .. } => value.as_deref().is_some_and(is_own),
            _ => true,
        };
        let given = demand.filter(|demand| is_stated(demand)).map(|demand| give(view, unit, demand, &layers));
        match given.filter(|remedy| remedy.list().iter().all(names_own)) {
            Some(Remedy::Do { changes: all }) => {
                let is_taking_up = |change: &Change| matches!(change, Change::Reload | Change::Unit { .. });
                changes.extend(all.into_iter().filter(|change| !is_taking_up(change)));
            }
            Some(person) => return Ok(person),
            None => {
                let where_it_is = layers.last().map_or_else(String::new, |layer| format!(" in {}", layer.at));
                return Ok(Remedy::decide(format!(
                    "decide what {}{where_it_is} should say; the contract's own server is {}",
                    variable.value, address.value
                )));
            }
        }
    }
    Ok(match changes.is_empty() {
        true => Remedy::decide(format!("find out why {} does not answer this service", address.value)),
        false => view.taken_up(changes),
    })
}

/// The names of this host for itself.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
