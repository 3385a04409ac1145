//! A venv brings all its packages itself.

use crate::rules::prelude::*;
use crate::rules::remedy::spot;
use crate::syntax::pyvenv_cfg::Entry;

rule! {
    /// A venv sees the system's packages.
    ///
    /// `include-system-site-packages` in `pyvenv.cfg` must be what the contract says. Its last occurrence
    /// counts. Only the word `true` (in any case) opens the system's packages, and so does a file without the
    /// key (module `site` of the Python library).
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
    cause: Host,
    why: "an upgrade of the distribution changes the packages that the service imports",
    see: ["grep -n include-system-site-packages {venv}/pyvenv.cfg"],
    mend: "golden writes that one line.",
    man: ["python3(1)"],
    since: "0.1.0",
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
    let entry = config.include_system_site_packages.as_ref();
    let (location, observed) = match entry {
        Some(entry) => (
            Location::line(path.as_str(), entry.line),
            format!("include-system-site-packages = {}", entry.value),
        ),
        None => (
            Location::file(path.as_str()),
            "no include-system-site-packages, which means true".to_owned(),
        ),
    };
    let remedy = say(view, &path, entry, &wanted)?;
    let message = match demanded.value {
        false => "the venv sees the system's packages",
        true => "the venv does not see the system's packages",
    };
    Ok(Finding::new(message, location, demanded.at.clone())
        .expected(wanted)
        .observed(observed)
        .mend(remedy)
        .into())
}

/// The remedy that writes the line, or adds it.
fn say(view: &ServiceView, path: &str, entry: Option<&Entry>, wanted: &str) -> Result<Remedy, Undecided> {
    let by_hand = || Remedy::decide(format!("write `{wanted}` into {path}"));
    let (line, was) = match entry {
        // Facts of an older golden do not hold the text.
        Some(entry) if entry.text.is_empty() => return Ok(by_hand()),
        Some(entry) => (Some(entry.line), entry.text.clone()),
        None => (None, String::new()),
    };
    Ok(match spot(view, view.path(Need::Venvs, path)?) {
        Ok(at) => view.taken_up([Change::Lines { at, line, was, lines: vec![wanted.to_owned()] }]),
        Err(person) => person,
    })
}
