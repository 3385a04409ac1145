//! Each job has its target in the Makefile.

use crate::rules::prelude::*;

rule! {
    /// A job has no target in the Makefile.
    ///
    /// The target that the contract names for a job must be the target of a rule of the Makefile, written out
    /// or by a pattern (`train-%`), as GNU make reads it. A name that only stands in `.PHONY` is none.
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
    needs: [Repository],
    why: "people who miss the target start the script by hand",
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
    let rule = format!("{}:", target.value);
    Ok(Finding::new(
        format!("make {} does not exist", target.value),
        Location::file(path.as_str()),
        target.at.clone(),
    )
    .expected(format!("{} {recipe}", rule))
    .observed("no such target")
    .mend(format!("printf '\\n%s\\n\\t%s\\n' {} {} >> {}", quoted(&rule), quoted(&recipe), quoted(&path)))
    .into())
}
