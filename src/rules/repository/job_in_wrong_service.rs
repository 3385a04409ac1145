//! The service in whose environment make runs a job.

use crate::rules::governed::{GovernedMakefile, calls_of, wrapped_words};
use crate::rules::prelude::*;
use crate::syntax::makefile::RecipeLine;

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
    let governed = match GovernedMakefile::of(view)? {
        Ok(governed) => governed,
        Err(outcome) => return Ok(outcome),
    };
    let mut findings = Vec::new();
    for (_, line) in governed.makefile.recipe_lines() {
        for call in calls_of(line) {
            let words = wrapped_words(&call, &governed.wrapper.value).unwrap_or_default();
            if let Some((service, script)) = wrong_service(view, words) {
                findings.push(finding(view, &governed, line, service, script));
            }
        }
    }
    governed.ruling(findings)
}

/// The service and the script, where the wrapper is handed this job with another service than its own.
fn wrong_service<'w>(view: &JobView, words: &'w [String]) -> Option<(&'w str, &'w str)> {
    let mut words = words.iter().filter(|word| !word.starts_with('-'));
    let (service, script) = (words.next()?.as_str(), words.next()?.as_str());
    let plain = script.strip_prefix("./").unwrap_or(script);
    let is_script = matches!(&view.job.runs, JobProgram::Script(own) if own.value == plain);
    let is_job = is_script || view.job.replaces.iter().any(|own| own.value == plain);
    (is_job && service != view.job.service.value).then_some((service, script))
}

fn finding(view: &JobView, governed: &GovernedMakefile, line: &RecipeLine, service: &str, script: &str) -> Finding {
    let (demanded, path) = (&view.job.service, governed.path.as_str());
    let pattern = script.replace('.', r"\.");
    let edit = format!(r"{}s|{service}\([[:blank:]]\+{pattern}\)|{}\1|", line.line, demanded.value);
    Finding::new(format!("runs as a job of {service}"), Location::line(path, line.line), demanded.at.clone())
        .expected(format!("{} {} {script}", governed.wrapper.value, demanded.value))
        .observed(line.text.trim())
        .mend(format!("sed -i {} {}", quoted(&edit), quoted(path)))
}
