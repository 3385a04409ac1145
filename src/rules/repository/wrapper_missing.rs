//! The wrapper that every job runs through.

use crate::rules::prelude::*;

rule! {
    /// The wrapper of the ops jobs is missing.
    ///
    /// The contract names the one program, relative to the repository, through which every job and every target
    /// of the Makefile starts its script. It must be a regular file; links are followed.
    ///
    /// ```bad
    /// remove /home/qt/quantum_trader/ops/run.sh
    /// ```
    /// ```bad
    /// remove /home/qt/quantum_trader/ops/run.sh
    /// dir /home/qt/quantum_trader/ops/run.sh qt:qt 0755
    /// ```
    /// ```good
    /// move /home/qt/quantum_trader/ops/run.sh -> /home/qt/quantum_trader/ops/wrapper.sh
    /// link /home/qt/quantum_trader/ops/run.sh -> wrapper.sh
    /// ```
    id: "wrapper-missing",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    cause: Host,
    why: "people start jobs by hand, with another python and another environment",
    see: ["stat {wrapper}"],
    mend: "golden restores it from the last commit, as the owner of the repository.",
    man: ["stat(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let Some(wrapper) = &policy.wrapper else {
        return Ok(Outcome::not_applicable("the contract names no wrapper"));
    };
    crate::rules::governed::missing_file(view, policy, wrapper, "the wrapper")
}
