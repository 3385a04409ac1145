//! What the Makefile runs, it runs through the wrapper.

use crate::rules::governed::{GovernedMakefile, calls_of};
use crate::rules::prelude::*;
use crate::syntax::makefile::{Makefile, RecipeLine};
use crate::syntax::shell_words::{self, Call};

rule! {
    /// The Makefile runs something past the wrapper.
    ///
    /// No recipe and no `$(shell …)` may call a python, not even the one of a venv, except to make a venv; and
    /// the target of each job must call the wrapper, itself or through its prerequisites. Recipes are read
    /// with their variables expanded; what `echo` prints, comments and patterns of `pgrep` are no calls.
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
    needs: [Repository],
    why: "the job runs with whatever python and environment the caller happens to have",
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
        let Some(call) = calls_of(line).into_iter().find(crate::rules::governed::is_past_wrapper) else {
            continue;
        };
        let target = rule.targets.first().map_or("", String::as_str);
        let job = view.contract.jobs.iter().find(|job| {
            job.make_target.as_ref().is_some_and(|demanded| rule.targets.contains(&demanded.value))
        });
        findings.push(
            Finding::new(
                format!("make {target} calls {}", call.program),
                Location::line(path.as_str(), line.line),
                wrapper.at.clone(),
            )
            .key(target)
            .expected(format!("{} SERVICE SCRIPT", wrapper.value))
            .observed(line.text.trim())
            .mend(mend(view, policy, path, line, &call, job)),
        );
    }
    for shell in &makefile.shell_functions {
        if let Some(call) = shell_words::calls(&shell.text, shell.line)
            .into_iter()
            .find(crate::rules::governed::is_past_wrapper)
        {
            findings.push(
                Finding::new(
                    format!("make itself calls {}", call.program),
                    Location::line(path.as_str(), shell.line),
                    wrapper.at.clone(),
                )
                .key("$(shell)")
                .expected("no python while the Makefile is read")
                .observed(shell.text.trim())
                .mend(format!(
                    "a person must decide: move the call at {path}:{} into a recipe that runs the wrapper",
                    shell.line
                )),
            );
        }
    }
    findings.extend(view.contract.jobs.iter().filter_map(|job| past(view, policy, makefile, path, job)));
    governed.ruling(findings)
}

/// The finding when a job's target exists, calls no python and still never calls the wrapper.
fn past(
    view: &View,
    policy: &RepositoryPolicy,
    makefile: &Makefile,
    path: &str,
    job: &Job,
) -> Option<Finding> {
    let target = job.make_target.as_ref()?;
    let wrapper = policy.wrapper.as_ref()?;
    let first = crate::rules::governed::rules_for(makefile, &target.value).next()?;
    let mut seen = Vec::new();
    if reaches(makefile, &wrapper.value, &target.value, &mut seen) {
        return None;
    }
    let lines = || crate::rules::governed::rules_for(makefile, &target.value).flat_map(|rule| &rule.recipe);
    if lines().any(|line| calls_of(line).iter().any(crate::rules::governed::is_past_wrapper)) {
        return None;
    }
    let recipe = crate::rules::governed::through_wrapper(&JobView::new(*view, job), policy);
    let (line, observed, mend) = match lines().last() {
        Some(last) => {
            let mend = crate::rules::governed::replace_recipe(path, last.line, &recipe);
            (last.line, last.text.trim().to_owned(), mend)
        }
        None => {
            let mend = format!("sed -i {} {}", quoted(&format!(r"{}a\\t{recipe}", first.line)), quoted(path));
            (first.line, "no recipe".to_owned(), mend)
        }
    };
    Some(
        Finding::new(
            format!("make {} does not go through the wrapper", target.value),
            Location::line(path, line),
            target.at.clone(),
        )
        .key(target.value.as_str())
        .expected(recipe)
        .observed(observed)
        .mend(mend),
    )
}

/// Whether making the target calls the wrapper, in a recipe of its own or of a prerequisite.
fn reaches<'m>(makefile: &'m Makefile, wrapper: &str, target: &'m str, seen: &mut Vec<&'m str>) -> bool {
    if seen.contains(&target) {
        return false;
    }
    seen.push(target);
    crate::rules::governed::rules_for(makefile, target).any(|rule| {
        rule.recipe
            .iter()
            .any(|line| calls_of(line).iter().any(|call| crate::rules::governed::is_wrapper(call, wrapper)))
            || rule.prerequisites.iter().any(|prerequisite| reaches(makefile, wrapper, prerequisite, seen))
    })
}

/// A job's recipe is known; another target's script is run by the wrapper as the first job's service.
fn mend(
    view: &View,
    policy: &RepositoryPolicy,
    path: &str,
    line: &RecipeLine,
    call: &Call,
    job: Option<&Job>,
) -> String {
    let recipe = match (job, crate::rules::governed::wrapped(view, policy, call)) {
        (Some(job), _) => crate::rules::governed::through_wrapper(&JobView::new(*view, job), policy),
        (None, Some(recipe)) => recipe,
        (None, None) => {
            return format!(
                "a person must decide: put what {path}:{} runs into a script and start it with the wrapper",
                line.line
            );
        }
    };
    crate::rules::governed::replace_recipe(path, line.line, &recipe)
}
