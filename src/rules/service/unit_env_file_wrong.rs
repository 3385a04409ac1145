//! The env files that the effective unit really reads.

use crate::facts::start::simplified;
use crate::rules::prelude::*;

rule! {
    /// A unit does not read exactly the env files of the contract.
    ///
    /// Compares the `EnvironmentFile=` list of the effective unit with the contract's, in order: resets
    /// applied, specifiers expanded, paths normalised. The order counts, because the last file wins
    /// (systemd.exec(5)). A leading `-` makes a file optional: the service would start without its
    /// configuration. The contract must call such a file `optional`, and then the `-` must be there. A pattern
    /// counts as wrong, because new files can match it at any time.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - EnvironmentFile=/etc/quantum/backend.env
    /// + EnvironmentFile=-/etc/quantum/backend.env
    /// ```
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - EnvironmentFile=/etc/quantum/backend.env
    /// + EnvironmentFile=/etc/quantum/backend.env.bak
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/more.conf root:root 0644
    /// | [Service]
    /// | EnvironmentFile=-/home/qt/quantum_trader/.env
    /// ```
    /// ```bad
    /// contract [services.backend]
    /// contract env_files = [{ path = "/etc/quantum/backend.env", optional = true }]
    /// ```
    /// ```good
    /// contract [services.backend]
    /// contract env_files = [{ path = "/etc/quantum/backend.env", optional = true }]
    /// replace /etc/systemd/system/quantum-backend.service
    /// - EnvironmentFile=/etc/quantum/backend.env
    /// + EnvironmentFile=-/etc/quantum/backend.env
    /// ```
    /// ```good
    /// replace /etc/systemd/system/quantum-backend.service
    /// - EnvironmentFile=/etc/quantum/backend.env
    /// + EnvironmentFile=/etc/nothing.env
    /// + EnvironmentFile=
    /// + EnvironmentFile=%E//quantum/./backend.env
    /// ```
    id: "unit-env-file-wrong",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service runs with settings that are not audited",
    see: ["systemctl show -p EnvironmentFiles {unit}"],
    mend: "golden names the contract's files, in its order, in its own drop-in of the unit.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let demanded = &view.service.env_files;
    let Some(first) = demanded.first() else {
        return Ok(Outcome::not_applicable("the contract names no env file"));
    };
    let read: Vec<&Setting> = unit.assignments("Service", "EnvironmentFile").collect();
    let values: Vec<String> = read.iter().map(|setting| normalised(setting.value())).collect();
    let paths: Vec<String> = demanded.iter().map(|file| file.setting()).collect();
    if values == paths {
        return Ok(Outcome::Pass);
    }
    let message = describe(&values, &paths);
    // The first line that differs is where to look; with a line missing at the end, the last one.
    let wrong = values.iter().zip(&paths).take_while(|(value, path)| value == path).count();
    let offending = read.get(wrong).or(read.last());
    let location = offending.map_or_else(|| unit.location(), |setting| setting.at.clone());
    let at = demanded.get(wrong).map_or(&first.at, |file| &file.at).clone();
    let remedy = match offending {
        // What only lacks its last files gets those.
        _ if wrong == values.len() => view.add(unit, "Service", "EnvironmentFile", &paths[wrong..]),
        _ => view.replace_list(unit, None, "Service", "EnvironmentFile", &paths),
    };
    let list = |paths: &[String]| match paths {
        [] => "no EnvironmentFile=".to_owned(),
        paths => paths.iter().map(|path| format!("EnvironmentFile={path}")).collect::<Vec<_>>().join(", "),
    };
    let overrode = offending.map(|setting| overridden(setting)).unwrap_or_default();
    Ok(Finding::new(message, location, at)
        .expected(list(&paths))
        .observed(list(&values))
        .overrode(overrode)
        .mend(remedy)
        .into())
}

fn normalised(value: &str) -> String {
    match value.strip_prefix('-') {
        Some(path) => format!("-{}", simplified(path)),
        None if value.starts_with('/') => simplified(value),
        None => value.to_owned(),
    }
}

fn describe(values: &[String], paths: &[String]) -> String {
    let optional = paths.iter().find(|path| values.contains(&format!("-{path}")));
    let needed = paths.iter().find(|path| path.strip_prefix('-').is_some_and(|path| values.iter().any(|value| value == path)));
    if let Some(path) = needed {
        return format!("does not start without {}", path.trim_start_matches('-'));
    }
    let missing = paths.iter().find(|path| !values.contains(path));
    let extra = values.iter().find(|value| !paths.contains(value));
    match (optional, missing, extra) {
        (Some(path), ..) => format!("reads {path} only if it is there"),
        (_, Some(path), _) => format!("does not read {path}"),
        (.., Some(path)) => format!("also reads {}", path.trim_start_matches('-')),
        _ if values.len() != paths.len() => "reads an env file twice".to_owned(),
        _ => "reads its env files in another order, and the last one wins".to_owned(),
    }
}
