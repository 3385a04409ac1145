//! The service in whose environment make runs a job.

use crate::rules::governed::{GovernedMakefile, calls_of, raw_recipe_line, wrapped_words};
use crate::rules::prelude::*;
use crate::syntax::makefile::{RecipeLine, Rule};

rule! {
    /// A Makefile runs a job in the environment of the wrong service.
    ///
    /// The contract names the service whose venv and env files each job uses. A recipe that passes the job's
    /// script to the wrapper with another service's name runs it with other packages and other settings.
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
    needs: [Repository, Accounts],
    cause: Host,
    why: "the job runs with packages and settings that it was not written for",
    see: ["grep -n {script} {makefile}"],
    mend: "golden writes the right name into the line, as the owner of the Makefile. If the line does not \
           name both literally, change it yourself.",
    man: ["make(1)"],
    since: "0.1.0",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let governed = match GovernedMakefile::of(view)? {
        Ok(governed) => governed,
        Err(outcome) => return Ok(outcome),
    };
    let mut findings = Vec::new();
    for (rule, line) in governed.makefile.recipe_lines() {
        for call in calls_of(line)? {
            let words = wrapped_words(&call, &governed.wrapper.value).unwrap_or_default();
            if let Some((service, script)) = wrong_service(view, words) {
                findings.push(finding(view, &governed, (rule, line), (service, script)));
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

fn finding(
    view: &JobView,
    governed: &GovernedMakefile,
    (rule, line): (&Rule, &RecipeLine),
    (service, script): (&str, &str),
) -> Finding {
    let (demanded, path) = (&view.job.service, governed.path.as_str());
    let is_simple = line.expanded.len() == 1 && calls_of(line).is_ok_and(|calls| calls.len() == 1);
    let mend = raw_recipe_line(governed.makefile, rule, line)
        .filter(|_| is_simple)
        .and_then(|was| Some((renamed(&was, service, script, &demanded.value)?, was)))
        .map_or_else(
            || Remedy::decide(format!("name {} in place of {service} at {path}:{}", demanded.value, line.line)),
            |(now, was)| governed.rewrite(view, line.line, was, now),
        );
    Finding::new(format!("runs as a job of {service}"), Location::line(path, line.line), demanded.at.clone())
        .expected(format!("{} {} {script}", governed.wrapper.value, demanded.value))
        .observed(line.text.trim())
        .mend(mend)
}

/// The line with another service before the script, where both stand there once, as they are, and side by side.
fn renamed(line: &str, service: &str, script: &str, demanded: &str) -> Option<String> {
    let mut words = Vec::new();
    let mut at = 0;
    for word in line.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        if !bare.is_empty() {
            words.push((at, bare));
        }
        at += word.len();
    }
    let mut places = words.windows(2).filter(|pair| pair[0].1 == service && pair[1].1 == script);
    let (place, _) = places.next().map(|pair| pair[0])?;
    let is_only = places.next().is_none();
    is_only.then(|| format!("{}{demanded}{}", &line[..place], &line[place + service.len()..]))
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn only_the_word_before_the_script_changes() {
        let now = |line: &str| renamed(line, "backend", "ops/x.py", "ai-engine");
        assert_eq!(
            now("\t$(RUN)  backend ops/x.py --of backend").as_deref(),
            Some("\t$(RUN)  ai-engine ops/x.py --of backend")
        );
        assert_eq!(now("\t$(RUN) $(S) ops/x.py"), None);
        assert_eq!(now("\t$(RUN) backend ops/x.py && $(RUN) backend ops/x.py"), None);
    }
}
