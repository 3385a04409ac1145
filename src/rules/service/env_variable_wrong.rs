//! Variables whose value is not what the contract demands.

use crate::rules::prelude::*;
use crate::rules::variables::{give, shadowed, shown, written_demand};

rule! {
    /// A variable does not have the value that the contract demands.
    ///
    /// Judged is the value in the service's effective environment: a later env file wins over an earlier one,
    /// and both win over `Environment=` (systemd.exec(5)). The finding shows the values that it overrides. The
    /// value of a secret is not shown.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST=redis.prod.example.com
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - SERVICE_NAME=backend
    /// + SERVICE_NAME=ai-engine
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// - REDIS_DB=0
    /// + REDIS_DB=16
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// - REDIS_HOST=localhost
    /// + REDIS_HOST='127.0.0.1'
    /// ```
    id: "env-variable-wrong",
    section: C,
    severity: Must,
    needs: [EnvFiles, Fragments],
    cause: Environment,
    why: "the service works with another address, path or mode than the team expects",
    see: ["golden run --print-env {name}"],
    mend: "golden writes the value that the contract states, or the one that an earlier env file of the \
           service sets. If the contract leaves a choice, or another service that reads the file needs \
           another value, decide it yourself.",
    man: ["systemd.exec(5)", "environ(7)"],
    since: "0.1.0",
    check: Variable(check),
}

fn check(view: &ServiceView, demand: &VariableDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let layers = view.layers(unit, &demand.name)?;
    let Some(layer) = layers.last().filter(|layer| !layer.value.is_empty()) else {
        return Ok(match demand.form {
            VariableForm::Absent => Outcome::Pass,
            _ => Outcome::not_applicable("it is not set (reported by env-variable-missing)"),
        });
    };
    if demand.form.accepts(&layer.value) {
        return Ok(Outcome::Pass);
    }
    let shown = shown(view, layer.at.path(), &demand.name, &layer.value);
    Ok(Finding::new(format!("{} has the wrong value", demand.name), layer.at.clone(), demand.at.clone())
        .expected(written_demand(view.contract, demand))
        .observed(format!("{}={shown}", demand.name))
        .overrode(shadowed(view, &demand.name, &layers))
        .mend(give(view, unit, demand, &layers))
        .into())
}
