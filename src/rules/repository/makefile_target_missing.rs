//! Each job has its target in the Makefile.

use crate::rules::prelude::*;
use crate::rules::remedy::spot_of_own;
use crate::syntax::makefile::Makefile;

rule! {
    /// A job has no target in the Makefile.
    ///
    /// The target that the contract names for a job must be the target of a rule of the Makefile, written out
    /// or by a pattern (`train-%`), as GNU make reads it. A name that occurs only in `.PHONY` does not count.
    ///
    /// ```bad
    /// replace /home/qt/quantum_trader/Makefile
    /// - train-patchtst:
    /// + train-patchtst-new:
    /// ```
    /// ```good
    /// replace /home/qt/quantum_trader/Makefile
    /// - train-patchtst:
    /// + JOBS := train-patchtst
    /// + $(JOBS): | help
    /// ```
    id: "makefile-target-missing",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    cause: Host,
    why: "people start the script by hand, without the wrapper",
    see: ["grep -nE \"^[a-z].*:\" {makefile}"],
    mend: "golden adds the rule at the end of the Makefile, as the owner of the file.",
    man: ["make(1)"],
    since: "0.1.0",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let (Some(file), Some(target)) = (&policy.makefile, &view.job.make_target) else {
        return Ok(Outcome::not_applicable("the contract demands no target"));
    };
    let Some(makefile) = view.repository()?.makefile.known()? else {
        return Ok(crate::rules::files::does_not_exist());
    };
    if crate::rules::governed::rules_for(makefile, &target.value).next().is_some() {
        return Ok(Outcome::Pass);
    }
    let path = format!("{}/{}", policy.path.value, file.value);
    if let Some(include) = makefile.includes.first() {
        return Err(Undecided::new(format!(
            "{path}:{} includes other files, which are not read",
            include.line
        )));
    }
    if makefile.incomplete {
        return Err(Undecided::new(format!("{path} expands to more than is read")));
    }
    let recipe = crate::rules::governed::through_wrapper(view, policy);
    Ok(Finding::new(
        format!("make {} does not exist", target.value),
        Location::file(path.as_str()),
        target.at.clone(),
    )
    .expected(format!("{}: {recipe}", target.value))
    .observed("no such target")
    .mend(mend(view, makefile, &path, &target.value, &recipe))
    .into())
}

/// The rule is added at the end, as the owner of the Makefile, where make takes its words as they are.
fn mend(view: &JobView, makefile: &Makefile, path: &str, target: &str, recipe: &str) -> Remedy {
    let by_hand = Remedy::decide(format!("add the target {target} to {path}, with the recipe `{recipe}`"));
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@, ".contains(c));
    let own_prefix = makefile.assignments.iter().any(|stated| stated.name == ".RECIPEPREFIX");
    if own_prefix || !plain(recipe) || !plain(target) || target.contains(' ') {
        return by_hand;
    }
    let Ok(lookup) = view.path(Need::Repository, path) else { return by_hand };
    match spot_of_own(view, lookup) {
        Ok(at) => Change::Lines {
            at,
            line: None,
            was: String::new(),
            // The file may end without a newline.
            lines: vec![String::new(), format!("{target}:"), format!("\t{recipe}")],
        }
        .into(),
        Err(remedy) => remedy.candidate(format!("add the target {target} with the recipe `{recipe}`"), ""),
    }
}
