//! Who else could change the interpreter of a venv.

use crate::rules::files::octal;
use crate::rules::prelude::*;
use crate::rules::strangers::{Stranger, stranger};

rule! {
    /// Other users can change the interpreter of a venv.
    ///
    /// The venv, its python with every link on the way to it, its `pyvenv.cfg` and the directories on the way
    /// must belong to root or to the service's user. Other users must not be able to write them.
    ///
    /// ```bad
    /// mode /opt/quantum/venvs/ai-engine/bin 0777
    /// ```
    /// ```bad
    /// owner /opt/quantum/venvs/ai-engine redis:redis
    /// ```
    /// ```bad
    /// mode /opt/quantum/venvs/ai-engine/pyvenv.cfg 0666
    /// ```
    /// ```good
    /// owner /opt/quantum/venvs/ai-engine/bin qt:qt
    /// mode /opt/quantum/venvs/ai-engine/bin 0775
    /// ```
    id: "venv-open",
    section: B,
    severity: Must,
    needs: [Venvs, Accounts],
    cause: Host,
    why: "a user who can write the interpreter can run commands as the service's user",
    see: ["namei -l {venv}/bin/python"],
    mend: "Give the path to root, or remove other users' write permission.",
    man: ["path_resolution(7)", "chmod(1)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    if view.venv(&venv.value)?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let user = view.service.user.value.as_str();
    for part in ["bin/python", "pyvenv.cfg"] {
        let lookup = view.path(Need::Venvs, &format!("{}/{part}", venv.value))?;
        if let Some(Stranger { step, who, mend }) = stranger(view, user, lookup)? {
            let message = format!("{}: {who}", step.path);
            return Ok(Finding::new(message, Location::file(step.path.clone()), venv.at.clone())
                .expected(format!("writable by root and {user} alone"))
                .observed(octal(step.meta.mode))
                .mend(mend)
                .into());
        }
    }
    Ok(Outcome::Pass)
}
