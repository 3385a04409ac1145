//! The service in whose environment make runs a job.

use crate::rules::governed::{calls_of, is_wrapper};
use crate::rules::prelude::*;
use crate::syntax::shell_words::Call;

rule! {
    /// A Makefile runs a job in another service's environment.
    ///
    /// The contract says for every job whose venv and env file it gets. A recipe that hands the job's script to
    /// the wrapper with another service's name runs it with other packages and other settings.
    ///
    /// ```bad
    /// replace /home/qt/quantum_trader/Makefile
    /// - 	$(RUN) ai-engine ops/training/train_patchtst.py
    /// + 	$(RUN) backend ops/training/train_patchtst.py --fast
    /// ```
    /// ```good
    /// replace /home/qt/quantum_trader/Makefile
    /// + report:
    /// + 	ops/run.sh backend ops/report.py
    /// ```
    id: "job-in-wrong-service",
    section: B,
    severity: Must,
    needs: [Repository],
    why: "the job runs with packages and settings that it was not written for",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let (Some(file), Some(wrapper)) = (&policy.makefile, &policy.wrapper) else {
        return Ok(Outcome::not_applicable("the contract names no Makefile or no wrapper"));
    };
    let Some(makefile) = view.repository()?.makefile.known()? else {
        return Ok(crate::rules::files::does_not_exist());
    };
    let path = format!("{}/{}", policy.path.value, file.value);
    let demanded = &view.job.service;
    let mut findings = Vec::new();
    for (_, line) in makefile.recipe_lines() {
        let calls = calls_of(line);
        let of_job = calls.iter().filter(|call| is_wrapper(call, &wrapper.value)).filter_map(|call| of_job(view, call));
        for service in of_job.filter(|service| **service != demanded.value) {
            let mend = format!(
                "sed -i {} {}",
                quoted(&format!("{}s|{service} |{} |", line.line, demanded.value)),
                quoted(&path)
            );
            findings.push(
                Finding::new(
                    format!("runs as a job of {service}"),
                    Location::line(path.as_str(), line.line),
                    demanded.at.clone(),
                )
                .expected(format!("{} {}", wrapper.value, demanded.value))
                .observed(line.text.trim())
                .mend(mend),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// The service that a call of the wrapper names, where it is a call of this job.
fn of_job<'c>(view: &JobView, call: &'c Call) -> Option<&'c String> {
    let wrapped = call.args.iter().skip_while(|arg| call.program != **arg && arg.ends_with(".sh"));
    let mut words = wrapped.filter(|arg| !arg.starts_with('-'));
    let (service, script) = (words.next()?, words.next()?);
    let script = script.strip_prefix("./").unwrap_or(script);
    let is_script = match &view.job.runs {
        JobProgram::Script(own) => own.value == script,
        JobProgram::BuiltIn(_) => false,
    };
    (is_script || view.job.replaces.iter().any(|own| own.value == script)).then_some(service)
}
