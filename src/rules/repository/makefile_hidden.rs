//! The file that make really reads.

use crate::rules::governed::as_owner;
use crate::rules::prelude::*;

rule! {
    /// make reads another file instead of the Makefile.
    ///
    /// GNU make reads the first of `GNUmakefile`, `makefile` and `Makefile`. One of the first two beside the
    /// contract's Makefile hides it.
    ///
    /// ```bad
    /// file /home/qt/quantum_trader/GNUmakefile qt:qt 0644
    /// | quality-gate:
    /// | 	python3 gate.py
    /// ```
    /// ```bad
    /// link /home/qt/quantum_trader/makefile -> src/Makefile
    /// file /home/qt/quantum_trader/src/Makefile qt:qt 0644
    /// ```
    /// ```good
    /// file /home/qt/quantum_trader/src/GNUmakefile qt:qt 0644
    /// ```
    id: "makefile-hidden",
    section: G,
    severity: Must,
    needs: [Repository],
    cause: Host,
    why: "make runs commands that golden has not judged",
    see: ["ls -l {repository}"],
    mend: "Move its targets into the Makefile, then remove it. People may use its targets.",
    man: ["make(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let Some(file) = &policy.makefile else {
        return Ok(Outcome::not_applicable("the contract names no Makefile"));
    };
    let mut findings = Vec::new();
    for path in policy.before_makefile() {
        let lookup = view.path(Need::Repository, &path)?;
        if lookup.node()?.is_some() {
            findings.push(
                Finding::new(
                    format!("make reads {path}, not {}", file.value),
                    Location::file(path.as_str()),
                    file.at.clone(),
                )
                .key(path.as_str())
                .expected(format!("{} alone", file.value))
                .observed(path.as_str())
                .mend(
                    Remedy::decide(format!("decide which of {path} and {} make should read", file.value)).candidate(
                        "move the other one aside",
                        as_owner(view, policy, &["mv", "-nT", "--", &path, &format!("{path}.aside")]),
                    ),
                ),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
