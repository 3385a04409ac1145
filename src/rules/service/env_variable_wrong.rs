//! Variables whose value is not what the contract demands.

use crate::rules::prelude::*;
use crate::rules::variables::{mend_variable, shadowed, written_demand};

rule! {
    /// A variable has another value than the contract demands.
    ///
    /// Judged is the value that counts in the service's effective environment: a later env file beats an
    /// earlier one, and both beat `Environment=` (systemd.exec(5)). The finding shows what it shadows. The
    /// value of a variable whose name or shape says that it is a secret is not shown.
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
    why: "the service works on another thing than everybody believes",
    check: Variable(check),
}

fn check(view: &ServiceView, demand: &VariableDemand) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let layers = view.layers(unit, &demand.name)?;
    let Some(layer) = layers.last().filter(|layer| !layer.value.is_empty()) else {
        return Ok(match demand.form {
            VariableForm::Absent => Outcome::Pass,
            _ => Outcome::not_applicable("it is not set, which is another rule's word"),
        });
    };
    if demand.form.accepts(&layer.value) {
        return Ok(Outcome::Pass);
    }
    let secret = crate::facts::secrets::is_secret(view.contract, &demand.name, &layer.value);
    let shown = if secret { "(a secret)" } else { &layer.value };
    Ok(Finding::new(format!("{} has the wrong value", demand.name), layer.at.clone(), demand.at.clone())
        .expected(written_demand(demand))
        .observed(format!("{}={shown}", demand.name))
        .overrode(if secret { Vec::new() } else { shadowed(&demand.name, &layers) })
        .mend(mend_variable(view, demand, Some(layer)))
        .into())
}
