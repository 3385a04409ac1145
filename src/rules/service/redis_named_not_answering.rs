//! The Redis that a service's own environment names.

use crate::rules::prelude::*;

rule! {
    /// The Redis that a service is told to use does not answer.
    ///
    /// The contract names a Redis, and the variables in which services find it (`named_by`). What stands in those
    /// variables of the service's effective environment is asked, as the service would: it may be another host or
    /// port than the contract's, or a name that leads elsewhere. Where the contract's own was asked as well and does not
    /// answer either, that is the word of `redis-not-answering`.
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
    why: "the service looks for its data where nobody has it",
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
            Some(false) => return Ok(Outcome::not_applicable("the contract's own does not answer either")),
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
        let mend = mend(view, unit, &at, host, address);
        findings.push(
            Finding::new(format!("is told to use {named}, which does not answer"), at, host.at.clone())
                .key(&*required.value)
                .expected("PONG")
                .observed(observed)
                .mend(mend),
        );
    }
    match asked {
        0 => Ok(Outcome::not_applicable("no variable names a Redis that it requires")),
        _ => Ok(Outcome::from_findings(findings)),
    }
}

/// Names the contract's own host where the env file names another.
fn mend(
    view: &ServiceView,
    unit: &EffectiveUnit,
    at: &Location,
    host: &Stated<String>,
    address: &Stated<String>,
) -> String {
    let own = address.value.rsplit_once(':').map_or(address.value.as_str(), |(own, _)| own);
    let own = own.trim_start_matches('[').trim_end_matches(']');
    match at.line {
        Some(line) if !unit.files().any(|file| *file == at.path) => {
            let written = format!("{}={own}", host.value);
            view.and_take_up(crate::rules::mend::replace_line(&at.path, line.get(), &written))
        }
        _ => format!("a person must name {own} in {at}"),
    }
}
