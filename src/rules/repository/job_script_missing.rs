//! The scripts of jobs.

use crate::rules::files::{is_under, octal};
use crate::rules::governed::JobScript;
use crate::rules::prelude::*;

rule! {
    /// The script of a job is missing or out of reach.
    ///
    /// The script that the contract names must be a regular file inside the repository when all links are
    /// resolved, and the user of the job's service must be able to read it.
    ///
    /// ```bad
    /// remove /home/qt/quantum_trader/ops/training/train_patchtst.py
    /// ```
    /// ```bad
    /// move /home/qt/quantum_trader/ops/training/train_patchtst.py -> /srv/train.py
    /// link /home/qt/quantum_trader/ops/training/train_patchtst.py -> /srv/train.py
    /// ```
    /// ```bad
    /// owner /home/qt/quantum_trader/ops/training/train_patchtst.py root:root
    /// mode /home/qt/quantum_trader/ops/training/train_patchtst.py 0600
    /// ```
    /// ```good
    /// move /home/qt/quantum_trader/ops/training/train_patchtst.py -> /home/qt/quantum_trader/ops/training/v2.py
    /// link /home/qt/quantum_trader/ops/training/train_patchtst.py -> v2.py
    /// ```
    id: "job-script-missing",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    why: "the job fails when somebody needs it",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let JobScript { policy, script, path, lookup, user } = match JobScript::of(view)? {
        Ok(script) => script,
        Err(outcome) => return Ok(outcome),
    };
    let finding = |message: String, expected: String, observed: String, mend: String| {
        let found = Finding::new(message, lookup.location(), script.at.clone());
        Ok(Outcome::from(found.expected(expected).observed(observed).mend(mend)))
    };
    let restore = crate::rules::governed::restore(view, policy, &script.value);
    let Some(step) = lookup.node()? else {
        return finding(
            format!("{path} does not exist"),
            "a script".to_owned(),
            "nothing".to_owned(),
            restore,
        );
    };
    if step.meta.kind != NodeKind::File {
        let mend = format!("mv {0} {0}.not-a-script && {restore}", quoted(&path));
        return finding(
            format!("{path} is no file"),
            "a script".to_owned(),
            step.meta.kind.word().to_owned(),
            mend,
        );
    }
    let top = view.path(Need::Repository, &policy.path.value)?.real().unwrap_or(&policy.path.value);
    if !is_under(&step.path, top) {
        let mend = match lookup.links().find(|link| is_under(&link.path, top)) {
            Some(link) => format!("cp --remove-destination {} {}", quoted(&step.path), quoted(&link.path)),
            None => restore,
        };
        let message = format!("{} leads out of the repository", script.value);
        return finding(message, format!("a file below {top}"), step.path.to_string(), mend);
    }
    let Some(credentials) = view.credentials(user)? else { return Ok(Outcome::Pass) };
    if let Some(closed) = credentials.stopped_at(lookup) {
        let mend = format!("chmod a+x {}", quoted(&closed.path));
        let observed = format!("{} {}", closed.path, octal(closed.meta.mode));
        return finding(format!("{user} cannot pass {}", closed.path), "an x bit".to_owned(), observed, mend);
    }
    match credentials.may(Access::Read, &step.meta) {
        true => Ok(Outcome::Pass),
        false => {
            let mend = format!("chmod a+r {}", quoted(&step.path));
            finding(format!("{user} cannot read {path}"), "0644".to_owned(), octal(step.meta.mode), mend)
        }
    }
}
