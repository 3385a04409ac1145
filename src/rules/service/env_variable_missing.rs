//! Variables that the contract demands and the service's environment lacks.

use crate::rules::prelude::*;
use crate::rules::variables::{mend_variable, shadowed, written_demand};

rule! {
    /// A variable that the contract demands is not set, or empty.
    ///
    /// Judged is the service's effective environment over all of its env files in their order, with
    /// `Environment=` below them and `UnsetEnvironment=` above (systemd.exec(5)). A line that systemd drops
    /// (`export X=1`) sets nothing, and another variable with a similar name is another variable.
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
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST = "localhost"
    /// ```
    id: "env-variable-missing",
    section: C,
    severity: Must,
    needs: [EnvFiles, Units],
    why: "the service would guess, and two services would guess differently",
    check: Variable(check),
}

fn check(view: &ServiceView, demand: &VariableDemand) -> Ruling {
    if demand.form == VariableForm::Absent {
        return Ok(Outcome::not_applicable("the contract wants it unset"));
    }
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let layers = view.layers(unit, &demand.name)?;
    let (message, location) = match layers.last() {
        Some(layer) if !layer.value.is_empty() => return Ok(Outcome::Pass),
        Some(layer) => (format!("{} is empty", demand.name), layer.at.clone()),
        None => (format!("{} is not set", demand.name), where_it_belongs(view, unit)),
    };
    Ok(Finding::new(message, location, demand.at.clone())
        .expected(written_demand(demand))
        .observed(layers.last().map_or_else(|| format!("no {}", demand.name), |_| format!("{}=", demand.name)))
        .overrode(shadowed(&demand.name, &layers))
        .mend(mend_variable(view, demand, layers.last()))
        .into())
}

fn where_it_belongs(view: &ServiceView, unit: &EffectiveUnit) -> Location {
    view.service.env_files.last().map_or_else(|| unit.location(), |file| Location::file(file.path.as_str()))
}
