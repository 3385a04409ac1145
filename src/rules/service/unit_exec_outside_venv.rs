//! Programs of Exec lines against the service's own venv.

use crate::facts::start::{EXEC_SETTINGS, Started, base_name, commands, is_python, lies_under, simplified};
use crate::rules::prelude::*;
use crate::rules::remedy::python_in;

rule! {
    /// A Python service runs a program outside its venv.
    ///
    /// The program of `ExecStart=`, and every Python that another Exec line runs, must lie below the `bin` of
    /// the service's venv, after prefixes (`-@:+!`) and specifiers (systemd.service(5)). `python` and `uvicorn`
    /// of another service's venv are as wrong as the system's.
    ///
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/ai-engine/bin/python -m backend
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=-/usr/bin/python3 -c pass
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart=/opt/quantum/venvs/backend/bin/../../../../../usr/bin/python3 -m backend
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/bin/true
    /// | ExecStartPre=-@/opt/quantum/venvs/backend/bin/python python -c pass
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/exec.conf root:root 0644
    /// | [Service]
    /// | ExecStart=
    /// | ExecStart="/opt/quantum/venvs/%j/bin//python" -m \
    /// | # the module
    /// |   src.backend.app
    /// ```
    id: "unit-exec-outside-venv",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Unit,
    why: "the service runs with packages that were not installed for it",
    see: ["systemctl show -p ExecStart {unit}"],
    mend: "Name the program of the service's venv.",
    man: ["systemd.service(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    let Some(venv) = &view.service.venv else {
        return Ok(Outcome::not_applicable("the contract gives it no venv"));
    };
    let bin = format!("{}/bin", venv.value);
    let concerned =
        |started: &Started| started.key == "ExecStart" || is_python(base_name(&started.command.program));
    let inside = |started: &Started| {
        let program = simplified(&started.command.program);
        started.command.program.starts_with('/') && lies_under(&program, &bin) && !program.contains("/../")
    };
    let findings = commands(unit, EXEC_SETTINGS)
        .into_iter()
        .filter(|started| concerned(started) && !inside(started))
        .map(|started| {
            let program = &started.command.program;
            Finding::new(
                format!("{}= runs {program}, which is not in its venv", started.key),
                started.setting.at.clone(),
                venv.at.clone(),
            )
            .key(started.key)
            .expected(format!("a program below {bin}"))
            .observed(written(started.setting))
            .overrode(overridden(started.setting))
            .mend(view.set_programs(unit, &started, |other| {
 let wrong = concerned(other) && !inside(other);
 if wrong { counterpart(view, other, &bin) } else { None }
 }))
        })
        .collect();
    Ok(Outcome::from_findings(findings))
}

/// A Python, or the program of that name in another venv of the contract, has its counterpart in the service's own venv.
fn counterpart(view: &ServiceView, started: &Started, bin: &str) -> Option<String> {
    let program = started.command.program.as_str();
    let mut venvs = view.contract.venvs.values();
    match base_name(program) {
        name if is_python(name) => Some(python_in(bin, name)),
        name => venvs.any(|venv| lies_under(program, &venv.path.value)).then(|| format!("{bin}/{name}")),
    }
}
