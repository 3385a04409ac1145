//! `pyvenv.cfg` makes a directory a venv.

use crate::facts::start::base_name;
use crate::model::change::Change;
use crate::rules::files::{is_under, made_anew, parent};
use crate::rules::prelude::*;
use crate::rules::remedy::spot;
use crate::syntax::pyvenv_cfg::PyvenvCfg;

rule! {
    /// The pyvenv.cfg of a venv is missing or invalid.
    ///
    /// Without `pyvenv.cfg`, or without `home` in it, python does not know that it runs in a venv and imports
    /// the system's packages. `home` must be an absolute path to an existing directory. This directory must
    /// hold the interpreter that the venv's `bin/python` leads to or, if `bin/python` is a copy, any python
    /// (PEP 405).
    ///
    /// ```bad
    /// remove /opt/quantum/venvs/rl-agent/pyvenv.cfg
    /// ```
    /// ```bad
    /// file /opt/quantum/venvs/rl-agent/pyvenv.cfg root:root 0644
    /// | include-system-site-packages = false
    /// | version = 3.11.2
    /// ```
    /// ```bad
    /// replace /opt/quantum/venvs/rl-agent/pyvenv.cfg
    /// - home = /usr/bin
    /// + home = /opt/python-3.9/bin
    /// ```
    /// ```bad
    /// dir /opt/other/bin root:root 0755
    /// elf /opt/other/bin/python3 root:root 0755
    /// replace /opt/quantum/venvs/rl-agent/pyvenv.cfg
    /// - home = /usr/bin
    /// + home = /opt/other/bin
    /// ```
    /// ```good
    /// replace /opt/quantum/venvs/rl-agent/pyvenv.cfg
    /// - home = /usr/bin
    /// + HOME=/bin
    /// ```
    id: "venv-config-invalid",
    section: B,
    severity: Must,
    needs: [Venvs],
    cause: Host,
    why: "python imports the system's packages instead of the venv's, or does not start",
    see: ["cat {venv}/pyvenv.cfg"],
    mend: "If `version` names the python that `bin/python` leads to, golden writes its directory into the \
           line. Otherwise make the venv again.",
    man: ["python3(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let Some(facts) = view.venv(&venv.value)? else { return Ok(crate::rules::files::does_not_exist()) };
    let path = format!("{}/pyvenv.cfg", venv.value);
    let mended = |message: String, line: u32, expected: &str, observed: String, mend: Remedy| {
        Finding::new(message, Location::line(path.as_str(), line), venv.at.clone())
            .expected(expected)
            .observed(observed)
            .mend(mend)
    };
    let finding = |message: String, line: u32, expected: &str, observed: String| {
        mended(message, line, expected, observed, remedy(view, &venv.value, &path, line))
    };
    let Some(config) = facts.config.known()? else {
        return Ok(
            finding(format!("{path} does not exist"), 0, "home = DIRECTORY", "nothing".to_owned()).into()
        );
    };
    let Some(home) = &config.home else {
        let message = format!("{path} does not say where its python comes from");
        return Ok(finding(message, 0, "home = DIRECTORY", "no home".to_owned()).into());
    };
    let written = format!("home = {}", home.value);
    if !home.value.starts_with('/') {
        let message = "home is not an absolute path".to_owned();
        return Ok(finding(message, home.line, "an absolute path", written).into());
    }
    let lookup = view.path(Need::Venvs, &home.value)?;
    match lookup.node()? {
        Some(step) if step.meta.kind == NodeKind::Directory => {}
        _ => {
            let message = format!("{}, the home of its python, does not exist", home.value);
            let mend = match evident(view, &venv.value, &path, config)? {
                Some(evident) => evident,
                None => remedy(view, &venv.value, &path, home.line),
            };
            return Ok(mended(message, home.line, "an existing directory", written, mend).into());
        }
    }
    match is_home(view, &venv.value, &home.value, lookup)? {
        true => Ok(Outcome::Pass),
        false => {
            let message = format!("{} is not the home of its python", home.value);
            Ok(finding(message, home.line, "the directory that bin/python leads to", written).into())
        }
    }
}

/// The remedy that writes where `bin/python` leads, where the venv was made with that version of python.
fn evident(
    view: &ServiceView,
    venv: &str,
    path: &str,
    config: &PyvenvCfg,
) -> Result<Option<Remedy>, Undecided> {
    let (Some(home), Some(version)) = (&config.home, &config.version) else { return Ok(None) };
    let python = view.path(Need::Venvs, &format!("{venv}/bin/python"))?;
    let Some(real) = python.real() else { return Ok(None) };
    let of_version = base_name(real).strip_prefix("python").unwrap_or_default();
    let is_it = of_version.contains('.') && version.value.starts_with(&format!("{of_version}."));
    let is_text = !home.text.is_empty() && !is_under(real, venv);
    if !is_it || !is_text {
        return Ok(None);
    }
    Ok(Some(match spot(view, view.path(Need::Venvs, path)?) {
        Ok(at) => {
            let lines = vec![format!("home = {}", parent(real))];
            view.taken_up([Change::Lines { at, line: Some(home.line), was: home.text.clone(), lines }])
        }
        Err(person) => person,
    }))
}

/// The remedy: the line is written by hand, or the venv is made anew.
fn remedy(view: &ServiceView, venv: &str, path: &str, line: u32) -> Remedy {
    let what = match line {
        0 => format!("write `home = DIRECTORY` into {path}, or make the venv again"),
        line => format!("write the directory of its python into line {line} of {path}, or make the venv again"),
    };
    let where_it_leads = format!("readlink -f {}", quoted(&format!("{venv}/bin/python")));
    let question = Remedy::decide(what).candidate("see where its python lies", where_it_leads);
    made_anew(view, question, venv)
}

/// Whether the way of `bin/python` passes through `home`, or `home` holds a python for one that was copied.
fn is_home(view: &ServiceView, venv: &str, home: &str, lookup: &Lookup) -> Result<bool, Undecided> {
    let real_home = lookup.real().unwrap_or(home);
    let python = view.path(Need::Venvs, &format!("{venv}/bin/python"))?;
    if python.node()?.is_none() {
        return Ok(true); // venv-python-broken says so.
    }
    if python
        .steps
        .iter()
        .any(|step| step.meta.kind != NodeKind::Directory && parent(&step.path) == real_home)
    {
        return Ok(true);
    }
    let venv_real = view.path(Need::Venvs, venv)?.real().unwrap_or(venv);
    let is_copy = python.real().is_some_and(|real| crate::rules::files::is_under(real, venv_real));
    if !is_copy {
        return Ok(false);
    }
    let names = view.listing(Need::Venvs, home)?.map_or(&[][..], |names| names.as_slice());
    Ok(names.iter().any(|name| name.starts_with("python") || name.starts_with("pypy")))
}
