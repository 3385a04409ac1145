//! A venv brings all its packages itself.

use crate::rules::prelude::*;

rule! {
    /// A venv sees the system's packages.
    ///
    /// `include-system-site-packages` in `pyvenv.cfg` must be what the contract says. Its last occurrence
    /// counts, only the word `true` in any case opens the system's packages, and saying nothing opens them
    /// too (module `site` of the Python library).
    ///
    /// ```bad
    /// replace /opt/quantum/venvs/backend/pyvenv.cfg
    /// - include-system-site-packages = false
    /// + include-system-site-packages = True
    /// ```
    /// ```bad
    /// replace /opt/quantum/venvs/backend/pyvenv.cfg
    /// - include-system-site-packages = false
    /// ```
    /// ```good
    /// replace /opt/quantum/venvs/backend/pyvenv.cfg
    /// - include-system-site-packages = false
    /// + include-system-site-packages = true
    /// + Include-System-Site-Packages=FALSE
    /// ```
    id: "venv-sees-system-packages",
    section: B,
    severity: Must,
    needs: [Venvs],
    why: "an upgrade of the distribution changes what the service imports",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let Some(facts) = view.venv(&venv.value)? else { return Ok(crate::rules::files::does_not_exist()) };
    let Some(config) = facts.config.known()? else {
        return Ok(Outcome::not_applicable("it has no pyvenv.cfg"));
    };
    let demanded = &view.contract.runtime.system_site_packages;
    if config.sees_system_packages() == demanded.value {
        return Ok(Outcome::Pass);
    }
    let path = format!("{}/pyvenv.cfg", venv.value);
    let wanted = format!("include-system-site-packages = {}", demanded.value);
    let (location, observed, mend) = match &config.include_system_site_packages {
        Some(entry) => (
            Location::line(path.as_str(), entry.line),
            format!("include-system-site-packages = {}", entry.value),
            format!("sed -i '{}s/.*/{wanted}/' {}", entry.line, quoted(&path)),
        ),
        None => (
            Location::file(path.as_str()),
            "no include-system-site-packages, which means true".to_owned(),
            format!("sed -i '1i{wanted}' {}", quoted(&path)),
        ),
    };
    let message = match demanded.value {
        false => "the venv sees the system's packages",
        true => "the venv does not see the system's packages",
    };
    Ok(Finding::new(message, location, demanded.at.clone())
        .expected(wanted)
        .observed(observed)
        .mend(mend)
        .into())
}
