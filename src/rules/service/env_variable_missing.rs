//! Variables that the contract demands and the service's environment lacks.

use crate::rules::prelude::*;
use crate::rules::variables::{give, meant_elsewhere, shadowed, written_demand};

rule! {
    /// A variable that the contract demands is not set or empty.
    ///
    /// Judged is the service's effective environment: all env files in their order, then `Environment=` for
    /// variables that they do not set, without those of `UnsetEnvironment=` (systemd.exec(5)). A line that
    /// systemd ignores (`export X=1`) sets nothing, and a similar name is a different variable.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + OLD_REDIS_HOST=localhost
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST=
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + #REDIS_HOST=localhost
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/x.conf root:root 0644
    /// | [Service]
    /// | UnsetEnvironment=REDIS_HOST
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST = "localhost"
    /// ```
    id: "env-variable-missing",
    section: C,
    severity: Must,
    needs: [EnvFiles, Fragments],
    cause: Environment,
    why: "the program uses its own default, and two services may use different ones",
    see: ["golden run --print-env {name}"],
    mend: "golden writes the value that the contract states, or the one that an earlier env file of the \
           service sets. It corrects a line that systemd ignores. If the contract leaves a choice, choose a \
           value.",
    man: ["systemd.exec(5)", "environ(7)"],
    since: "0.1.0",
    check: Variable(check),
}

fn check(view: &ServiceView, demand: &VariableDemand) -> Ruling {
    if demand.form == VariableForm::Absent {
        return Ok(Outcome::not_applicable("the contract wants it unset"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let layers = view.layers(unit, &demand.name)?;
    if layers.last().is_none()
        && let Some(unset) = unset_by(unit, &demand.name)
    {
        return Ok(Finding::new(format!("{} is unset again", demand.name), unset.at.clone(), demand.at.clone())
            .expected(written_demand(view.contract, demand))
            .observed(written(unset))
            .mend(keep_set(view, unit, &demand.name, unset))
            .into());
    }
    let (message, location) = match layers.last() {
        Some(layer) if !layer.value.is_empty() => return Ok(Outcome::Pass),
        Some(layer) => (format!("{} is empty", demand.name), layer.at.clone()),
        None => (format!("{} is not set", demand.name), where_it_belongs(view, unit)),
    };
    Ok(Finding::new(message, location, demand.at.clone())
        .expected(written_demand(view.contract, demand))
        .observed(layers.last().map_or_else(|| format!("no {}", demand.name), |_| format!("{}=", demand.name)))
        .overrode(shadowed(view, &demand.name, &layers))
        .mend(meant_elsewhere(view, unit, demand).unwrap_or_else(|| give(view, unit, demand, &layers)))
        .into())
}

/// The assignment that takes a variable out of the environment again.
fn unset_by<'a>(unit: &'a EffectiveUnit, name: &str) -> Option<&'a Setting> {
    let named = |word: &str| word.split('=').next() == Some(name);
    let words = unit.words("Service", "UnsetEnvironment");
    words.into_iter().find(|(word, _)| named(word)).map(|(_, setting)| setting)
}

/// The remedy that keeps a variable set: the list of what is unset, without it.
fn keep_set(view: &ServiceView, unit: &EffectiveUnit, name: &str, unset: &Setting) -> Remedy {
    let person = || Remedy::decide(format!("remove {name} from {}", unset.at));
    let mut rest = Vec::new();
    for setting in unit.assignments("Service", "UnsetEnvironment") {
        let words: Vec<&str> = setting.value().split_whitespace().collect();
        if setting.value().contains(['"', '\'', '\\', '%']) {
            return person();
        }
        let others: Vec<&str> =
            words.into_iter().filter(|word| word.split('=').next() != Some(name)).collect();
        rest.extend((!others.is_empty()).then(|| others.join(" ")));
    }
    view.replace_list(unit, Some(unset.at.path()), "Service", "UnsetEnvironment", &rest)
}

fn where_it_belongs(view: &ServiceView, unit: &EffectiveUnit) -> Location {
    view.service.env_files.last().map_or_else(|| unit.location(), |file| Location::file(file.path.as_str()))
}
