//! A venv is a directory of its own.

use crate::rules::files::{parent, point_into_venv};
use crate::rules::prelude::*;

rule! {
    /// The venv of a service is a link to another directory.
    ///
    /// A link shares another venv's packages, and the `#!` lines of its scripts name the other venv's
    /// interpreter.
    ///
    /// ```bad
    /// remove /opt/quantum/venvs/execution
    /// link /opt/quantum/venvs/execution -> backend
    /// ```
    /// ```bad
    /// move /opt/quantum/venvs/execution -> /srv/venvs/execution
    /// link /opt/quantum/venvs/execution -> /srv/venvs/execution
    /// ```
    /// ```good
    /// link /srv/execution -> /opt/quantum/venvs/execution
    /// ```
    id: "venv-is-link",
    section: B,
    severity: Must,
    needs: [Venvs],
    cause: Host,
    why: "a package that is installed for one service changes the other service too",
    see: ["readlink -f {venv}"],
    mend: "Make a venv of its own, or copy the other one. Choose which.",
    man: ["readlink(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let path = venv.value.as_str();
    let lookup = view.path(Need::Venvs, path)?;
    if lookup.node()?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let name = path.rsplit('/').next().unwrap_or("");
    let is_last =
        |link: &&Step| link.path.rsplit('/').next() == Some(name) && parent(&link.path) != link.path.as_ref();
    let Some(link) = lookup.links().find(is_last) else { return Ok(Outcome::Pass) };
    let real = lookup.real().unwrap_or(path);
    let copy =
        format!("rm {0} && cp -a {1} {0} && {2}", quoted(&link.path), quoted(real), point_into_venv(path));
    Ok(Finding::new(
        format!("{path} is a link to {real}"),
        Location::file(link.path.clone()),
        venv.at.clone(),
    )
    .expected("a directory of its own")
    .observed(format!("{} -> {}", link.path, link.target.as_deref().unwrap_or("")))
    .mend(
        Remedy::decide(format!("give {} a venv of its own in {path}", view.service.name))
            .candidate("a copy of the other", copy),
    )
    .into())
}
