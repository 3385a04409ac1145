//! The Makefile of the repository.

use crate::rules::prelude::*;

rule! {
    /// The Makefile of the ops jobs is missing.
    ///
    /// The contract names it relative to the repository. It must be a regular file; links are followed.
    ///
    /// ```bad
    /// remove /home/qt/quantum_trader/Makefile
    /// ```
    /// ```good
    /// move /home/qt/quantum_trader/Makefile -> /home/qt/quantum_trader/GNUmakefile
    /// link /home/qt/quantum_trader/Makefile -> GNUmakefile
    /// ```
    id: "makefile-missing",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    cause: Host,
    why: "people cannot start jobs in the usual way",
    see: ["stat {makefile}"],
    mend: "golden restores it from the last commit, as the owner of the repository.",
    man: ["make(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let Some(makefile) = &policy.makefile else {
        return Ok(Outcome::not_applicable("the contract names no Makefile"));
    };
    crate::rules::governed::missing_file(view, policy, makefile, "the Makefile")
}
