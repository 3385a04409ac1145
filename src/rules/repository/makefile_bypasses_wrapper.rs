//! What the Makefile runs, it runs through the wrapper.

use crate::rules::governed::{
    GovernedMakefile, Targets, calls_in, calls_of, first_words, is_past_wrapper, job_of, raw_recipe_line, through_wrapper,
};
use crate::rules::prelude::*;
use crate::syntax::makefile::{Makefile, RecipeLine, Rule};

rule! {
    /// The Makefile runs a job without the wrapper.
    ///
    /// A recipe or a `$(shell …)` must not call a python, not even the one of a venv, except to make a venv.
    /// The target of each job must call the wrapper, itself or through its prerequisites. Recipes are read with
    /// their variables expanded. Text that `echo` prints, comments and the patterns of `pgrep` are not calls.
    ///
    /// ```bad
    /// replace /home/qt/quantum_trader/Makefile
    /// - 	$(RUN) ai-engine ops/training/train_patchtst.py
    /// + 	python3 ops/training/train_patchtst.py
    /// ```
    /// ```bad
    /// replace /home/qt/quantum_trader/Makefile
    /// + PY ?= /opt/quantum/venvs/ai-engine/bin/python
    /// + backtest:
    /// + 	@cd src && $(PY) -m backtest
    /// ```
    /// ```bad
    /// replace /home/qt/quantum_trader/Makefile
    /// - 	$(RUN) ai-engine ops/training/train_patchtst.py
    /// + 	@echo "ops/run.sh ai-engine ops/training/train_patchtst.py"
    /// ```
    /// ```good
    /// replace /home/qt/quantum_trader/Makefile
    /// + venv:
    /// + 	python3 -m venv /tmp/x  # python3 is allowed here
    /// + 	@echo "python3 is for venvs only"
    /// ```
    /// ```good
    /// replace /home/qt/quantum_trader/Makefile
    /// - 	$(RUN) ai-engine ops/training/train_patchtst.py
    /// + 	cd $(CURDIR) && exec ./ops/run.sh \
    /// + 		ai-engine ops/training/train_patchtst.py
    /// ```
    id: "makefile-bypasses-wrapper",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    cause: Host,
    why: "the job runs with the caller's python and the caller's environment",
    see: ["grep -n python {makefile}"],
    mend: "If a recipe line is a single call of python with the script of a job, golden replaces it with \
           the wrapper's call, as the owner of the Makefile, and keeps the arguments. Change other lines \
           yourself.",
    man: ["make(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let governed = match GovernedMakefile::of(view)? {
        Ok(governed) => governed,
        Err(outcome) => return Ok(outcome),
    };
    let GovernedMakefile { policy, wrapper, makefile, ref path } = governed;
    let mut findings = Vec::new();
    for (rule, line) in makefile.recipe_lines() {
        let Some(call) = calls_of(line)?.into_iter().find(is_past_wrapper) else { continue };
        let target = rule.targets.first().map_or("", String::as_str);
        findings.push(
            Finding::new(
                format!("make {target} calls {}", call.program),
                Location::line(path.as_str(), line.line),
                wrapper.at.clone(),
            )
            .key(target)
            .expected(format!("{} SERVICE SCRIPT", wrapper.value))
            .observed(line.text.trim())
            .mend(mend(view, &governed, rule, line)),
        );
    }
    for shell in &makefile.shell_functions {
        let calls = calls_in(&shell.text, shell.line)?;
        if let Some(call) = calls.into_iter().find(is_past_wrapper) {
            findings.push(
                Finding::new(
                    format!("make itself calls {}", call.program),
                    Location::line(path.as_str(), shell.line),
                    wrapper.at.clone(),
                )
                .key("$(shell)")
                .expected("no python while the Makefile is read")
                .observed(shell.text.trim())
                .mend(Remedy::decide(format!(
                    "move the call at {path}:{} into a recipe that runs the wrapper",
                    shell.line
                ))),
            );
        }
    }
    let targets = Targets::of(makefile);
    for job in &view.contract.jobs {
        findings.extend(past(view, policy, (makefile, &targets), path, job)?);
    }
    governed.ruling(findings)
}

/// The finding when a job's target exists, calls no python and still never calls the wrapper.
fn past(
    view: &View,
    policy: &RepositoryPolicy,
    (makefile, targets): (&Makefile, &Targets),
    path: &str,
    job: &Job,
) -> Result<Option<Finding>, Undecided> {
    let (Some(target), Some(wrapper)) = (&job.make_target, &policy.wrapper) else { return Ok(None) };
    let first = crate::rules::governed::rules_for(makefile, &target.value).next();
    let Some(first) = first else { return Ok(None) };
    if reaches(targets, &wrapper.value, &target.value)? {
        return Ok(None);
    }
    let lines = || crate::rules::governed::rules_for(makefile, &target.value).flat_map(|rule| &rule.recipe);
    for line in lines() {
        if calls_of(line)?.iter().any(is_past_wrapper) {
            return Ok(None);
        }
    }
    let recipe = through_wrapper(&JobView::new(*view, job), policy);
    let (line, observed) = match lines().last() {
        Some(last) => (last.line, last.text.trim().to_owned()),
        None => (first.line, "no recipe".to_owned()),
    };
    // What the recipe does instead was meant for something.
    let mend = Remedy::decide(format!("decide what make {} should do", target.value))
        .candidate(format!("write `{recipe}` as its recipe at {path}:{line}"), "");
    Ok(Some(
        Finding::new(
            format!("make {} does not go through the wrapper", target.value),
            Location::line(path, line),
            target.at.clone(),
        )
        .key(target.value.as_str())
        .expected(recipe)
        .observed(observed)
        .mend(mend),
    ))
}

/// Whether making the target calls the wrapper, in a recipe of its own or of a prerequisite.
fn reaches(targets: &Targets, wrapper: &str, target: &str) -> Result<bool, Undecided> {
    for rule in targets.reached(target) {
        for line in &rule.recipe {
            if calls_of(line)?.iter().any(|call| crate::rules::governed::is_wrapper(call, wrapper)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The script of a job is started through the wrapper, with the arguments that stand there; what else a recipe does, and
/// as which service it should run, only a person knows.
fn mend(view: &View, governed: &GovernedMakefile, rule: &Rule, line: &RecipeLine) -> Remedy {
    let simple = || {
        // More calls, or other ones in the other branch of a conditional, are more than one job.
        let calls = calls_of(line).ok()?;
        let ([expanded], [call]) = (line.expanded.as_slice(), calls.as_slice()) else { return None };
        let was = raw_recipe_line(governed.makefile, rule, line)?;
        let (before, _, script, after) = first_words(&line.text)?;
        // What the variables of the line stand for is python, and nothing beside it.
        let (_, program, same, _) = first_words(expanded)?;
        if program != call.program || same != script {
            return None;
        }
        let (job, script) = job_of(view, governed.policy, script)?;
        let recipe = format!("{} {} {script}", governed.wrapper.value, job.service.value);
        Some((was, format!("\t{before}{recipe}{after}")))
    };
    match simple() {
        Some((was, now)) => governed.rewrite(view, line.line, was, now),
        None => Remedy::decide(format!(
            "put what {}:{} runs into the script of a job, and start that with {}",
            governed.path, line.line, governed.wrapper.value
        )),
    }
}
