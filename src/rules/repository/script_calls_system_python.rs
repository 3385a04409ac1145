//! The shell scripts beside the wrapper use the venvs.

use crate::facts::repository::{ShellCommand, ShellScript};
use crate::rules::prelude::*;

rule! {
    /// An ops script calls the system's python.
    ///
    /// Applies to the shell scripts in the wrapper's directory and below. They must not call one of the
    /// contract's forbidden programs, with or without a version in its name, except to make a venv. Text that
    /// `echo` prints, comments, heredocs and the patterns of `pgrep` are not calls. `sudo`, `timeout`, `xargs`
    /// and similar programs are looked through.
    ///
    /// ```bad
    /// file /home/qt/quantum_trader/ops/nightly.sh qt:qt 0755
    /// | #!/bin/bash
    /// | set -e
    /// | timeout 60 python3 ops/training/train_patchtst.py
    /// ```
    /// ```bad
    /// file /home/qt/quantum_trader/ops/training/check qt:qt 0755
    /// | #!/usr/bin/env bash
    /// | cat x.json | /usr/bin/python3.11 -m json.tool
    /// ```
    /// ```good
    /// file /home/qt/quantum_trader/ops/bootstrap.sh qt:qt 0755
    /// | #!/bin/sh
    /// | # python3 would be the wrong one
    /// | apt-get install -y python3
    /// | python3 -m venv /tmp/x
    /// | echo "python3 is for venvs only"
    /// | pgrep -f 'python3 src/main.py'
    /// | cat <<EOF
    /// | python3 x.py
    /// | EOF
    /// | ops/run.sh ai-engine ops/training/train_patchtst.py
    /// ```
    id: "script-calls-system-python",
    section: B,
    severity: Must,
    needs: [Repository, Sources],
    cause: Host,
    why: "the system's python does not have the packages of the venv",
    see: ["grep -rn python {repository}/ops"],
    mend: "Change the script. golden does not know which packages it was written for.",
    man: ["python3(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    if view.path(Need::Repository, &policy.path.value)?.node()?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let scripts = &view.sources()?.scripts;
    let mut findings = Vec::new();
    for script in &scripts.found {
        let forbidden = script.commands.iter().filter(|command| is_forbidden(view, command));
        findings.extend(forbidden.map(|command| finding(view, policy, script, command)));
    }
    match (findings.is_empty(), scripts.unread.first()) {
        (true, Some((path, why))) => {
            Err(Undecided::new(format!("{path} could not be read: {why}")).or_run("sudo golden audit"))
        }
        _ => Ok(Outcome::from_findings(findings)),
    }
}

/// `python3.11` is `python`: digits and dots at the end of a name are a version.
fn is_forbidden(view: &View, command: &ShellCommand) -> bool {
    let call = crate::rules::governed::call_of(command);
    let bare = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned();
    let forbidden = &view.contract.runtime.forbidden_programs.value;
    let named = |program: &String| {
        *program == call.program || (call.is_python() && bare(program) == bare(&call.program))
    };
    forbidden.iter().any(named) && !call.makes_a_venv()
}

fn finding(view: &View, policy: &RepositoryPolicy, script: &ShellScript, command: &ShellCommand) -> Finding {
    let call = crate::rules::governed::call_of(command);
    let path = script.path.as_ref();
    let service = crate::rules::governed::service_of_jobs(view);
    let venv = service.and_then(|service| service.venv.as_ref());
    let instead = match (crate::rules::governed::wrapped(view, policy, &call), venv) {
        (Some(_), _) => {
            let wrapper = policy.wrapper.as_ref().map_or("", |wrapper| wrapper.value.as_str());
            let service = service.map_or("", |service| service.name.as_ref());
            Some(format!("{}/{wrapper} {service}", policy.path.value))
        }
        (None, Some(venv)) => Some(format!("{}/bin/python", venv.value)),
        (None, None) => None,
    };
    let mend = Remedy::decide(format!("choose the python for {path}:{}", command.line));
    let mend = match &instead {
        Some(instead) => mend.candidate(format!("write {instead} in place of {}", call.program), ""),
        None => mend.candidate("call the python of a venv", ""),
    };
    Finding::new(
        format!("{} calls {}", path.rsplit('/').next().unwrap_or(path), call.program),
        Location::line(path, command.line),
        view.contract.runtime.forbidden_programs.at.clone(),
    )
    .key(path)
    .expected(instead.unwrap_or_else(|| "the python of a venv".to_owned()))
    .observed(command.words.join(" "))
    .mend(mend)
}
