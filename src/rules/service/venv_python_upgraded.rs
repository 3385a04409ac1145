//! A venv and the python that it leads to.

use crate::facts::start::is_python;
use crate::rules::files::{does_not_exist, made_anew, no_venv};
use crate::rules::prelude::*;

rule! {
    /// The python of a venv has another version than its packages.
    ///
    /// A venv keeps its packages in `lib/pythonX.Y`, where only python X.Y looks. If the python behind
    /// `bin/python` is upgraded to the next minor version, it starts but does not find them: "No module named
    /// uvicorn". Compares the directory with the name of the real file behind `bin/python`.
    ///
    /// ```bad
    /// remove /usr/bin/python3.11
    /// elf /usr/bin/python3.12 root:root 0755
    /// link /usr/bin/python3.11 -> python3.12
    /// ```
    /// ```good
    /// dir /opt/quantum/venvs/backend/lib/python3.10 root:root 0755
    /// ```
    id: "venv-python-upgraded",
    section: B,
    severity: Must,
    needs: [Venvs],
    cause: Host,
    why: "python starts and does not find its packages",
    see: ["ls -d {venv}/lib/python3.*", "readlink -f {venv}/bin/python"],
    mend: "Make the venv again with its packages, or link a python of its version.",
    man: ["python3(1)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(no_venv()) };
    if view.venv(&venv.value)?.is_none() {
        return Ok(does_not_exist());
    }
    let lookup = view.path(Need::Venvs, &format!("{}/bin/python", venv.value))?;
    let Some(python) = lookup.node()? else { return Ok(does_not_exist()) };
    let name = python.path.rsplit('/').next().unwrap_or("");
    if !is_python(name) || !name.contains('.') {
        return Ok(Outcome::not_applicable("the name of its python has no version"));
    }
    let library = format!("{}/lib", venv.value);
    let names = view.listing(Need::Venvs, &library)?.map_or(&[][..], Vec::as_slice);
    let of_versions: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| is_python(name) && name.contains('.')).collect();
    if of_versions.is_empty() || of_versions.contains(&name) {
        return Ok(Outcome::Pass);
    }
    let held = of_versions.join(", ");
    let question = format!("make the venv {} again with {name}, or link it to {held}", venv.value);
    Ok(Finding::new(
        format!("its python is now {name}, but its packages are for {held}"),
        Location::file(format!("{library}/{}", of_versions[0])),
        venv.at.clone(),
    )
    .expected(format!("packages in {library}/{name}"))
    .observed(format!("{} leads to {}", lookup.asked, python.path))
    .mend(made_anew(view, Remedy::decide(question), &venv.value))
    .into())
}
