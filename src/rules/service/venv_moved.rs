//! The scripts of a venv run in it.

use crate::facts::VenvScript;
use crate::rules::files::{is_under, made_anew, point_into_venv};
use crate::rules::prelude::*;

rule! {
    /// The scripts of a venv run another interpreter.
    ///
    /// pip writes the full path of the venv's interpreter into the `#!` line of each script in `bin/`. After a
    /// venv was moved or copied, these lines still name the old path. Scripts of other interpreters
    /// (`#!/bin/sh`) are left alone; `#!/usr/bin/env python3` runs the first python in the search path.
    ///
    /// The finding names the first script and says how many there are.
    ///
    /// ```bad
    /// file /opt/quantum/venvs/backend/bin/uvicorn root:root 0755
    /// | #!/opt/old/venvs/backend/bin/python3
    /// | import sys
    /// ```
    /// ```bad
    /// file /opt/quantum/venvs/backend/bin/alembic root:root 0755
    /// | #!/usr/bin/env python3
    /// | import sys
    /// ```
    /// ```bad
    /// file /opt/quantum/venvs/backend/bin/alembic root:root 0755
    /// | #!/bin/sh
    /// | '''exec' /opt/quantum/venvs/ai-engine/bin/python "$0" "$@"
    /// | ' '''
    /// ```
    /// ```good
    /// file /opt/quantum/venvs/backend/bin/alembic root:root 0755
    /// | #!/opt/quantum/venvs/backend/bin/python3.11 -I
    /// | import sys
    /// file /opt/quantum/venvs/backend/bin/start root:root 0755
    /// | #!/bin/sh
    /// | exec true
    /// file /opt/quantum/venvs/backend/bin/README root:root 0644
    /// | #!/usr/bin/python3
    /// ```
    id: "venv-moved",
    section: B,
    severity: Must,
    needs: [Venvs, VenvScripts],
    cause: Host,
    why: "its programs fail, or run in the wrong venv without a message",
    see: ["head -qn 1 {venv}/bin/pip {venv}/bin/uvicorn"],
    mend: "Make the venv again at its present path. A moved venv may hold more wrong paths.",
    man: ["execve(2)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(venv) = &view.service.venv else { return Ok(crate::rules::files::no_venv()) };
    let path = venv.value.as_str();
    let Some(facts) = view.venv(path)? else { return Ok(crate::rules::files::does_not_exist()) };
    let Some(scripts) = view.venv_scripts(facts)? else {
        return Ok(Outcome::not_applicable("it has no bin directory"));
    };
    let astray: Vec<&VenvScript> = scripts.iter().filter(|script| leads_out(script, path)).collect();
    let Some(first) = astray.first() else { return Ok(Outcome::Pass) };
    let message = match astray.len() {
        1 => format!("{} runs another interpreter", first.name),
        all => format!("{} and {} more scripts run another interpreter", first.name, all - 1),
    };
    Ok(Finding::new(
        message,
        Location::line(format!("{path}/bin/{}", first.name), first.line),
        venv.at.clone(),
    )
    .expected(format!("an interpreter in {path}/bin"))
    .observed(first.interpreter.as_str())
    .mend(remedy(view, path))
    .into())
}

/// The remedy: the scripts are pointed into the venv by hand, or it is made anew.
fn remedy(view: &ServiceView, path: &str) -> Remedy {
    let question = Remedy::decide(format!("decide whether {path} is at the right path"));
    let question = question.candidate("let its scripts use its own python", point_into_venv(path));
    made_anew(view, question, path)
}

/// A Python script whose interpreter is outside of the venv.
fn leads_out(script: &VenvScript, venv: &str) -> bool {
    let program = script.interpreter.trim_end_matches('\r');
    let name = program.rsplit(['/', ' ']).next().unwrap_or("");
    let is_python = ["python", "pypy"].iter().any(|family| name.starts_with(family));
    is_python && !is_under(program, &format!("{venv}/bin"))
}
