//! The scripts of jobs.

use crate::rules::files::{is_under, octal};
use crate::rules::governed::{JobScript, brought_back, restore, restore_over};
use crate::rules::prelude::*;
use crate::rules::remedy::set_own_mode;

rule! {
    /// The script of a job is missing or cannot be read.
    ///
    /// The script that the contract names must be a regular file inside the repository when all links are
    /// resolved. The user of the job's service must be able to read it.
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
    cause: Host,
    why: "the job fails when it is needed",
    see: ["namei -l {script}"],
    mend: "golden gives the owner of a script the right to read it, and restores a missing one from the \
           last commit, as the owner of the repository. If the path leads out of the repository or the file \
           belongs to another user, correct it yourself.",
    man: ["path_resolution(7)"],
    since: "0.1.0",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let JobScript { policy, script, path, lookup, user } = match JobScript::of(view)? {
        Ok(script) => script,
        Err(outcome) => return Ok(outcome),
    };
    let finding = |message: String, expected: String, observed: String, mend: Remedy| {
        let found = Finding::new(message, lookup.location(), script.at.clone());
        Ok(Outcome::from(found.expected(expected).observed(observed).mend(mend)))
    };
    let Some(step) = lookup.node()? else {
        return finding(
            format!("{path} does not exist"),
            "a script".to_owned(),
            "nothing".to_owned(),
            brought_back(view, policy, &script.value, lookup),
        );
    };
    if step.meta.kind != NodeKind::File {
        let mend = restore_over(view, policy, &script.value, step.meta.kind.word());
        return finding(
            format!("{path} is not a file"),
            "a script".to_owned(),
            step.meta.kind.word().to_owned(),
            mend,
        );
    }
    let top = view.path(Need::Repository, &policy.path.value)?.real().unwrap_or(&policy.path.value);
    if !is_under(&step.path, top) {
        let mend = match lookup.links().find(|link| is_under(&link.path, top)) {
            Some(link) => Remedy::decide(format!(
                "read {}, and decide whether it belongs in the repository in the place of the link {}",
                step.path, link.path
            )),
            None => restore(view, policy, &script.value),
        };
        let message = format!("{} leads out of the repository", script.value);
        return finding(message, format!("a file below {top}"), step.path.to_string(), mend);
    }
    let Some(credentials) = view.credentials(user)? else { return Ok(Outcome::Pass) };
    if let Some(closed) = credentials.stopped_at(lookup) {
        let mend = Remedy::decide(format!("decide how {user} can pass {}", closed.path))
            .candidate("let all users pass it", format!("chmod a+x {}", quoted(&closed.path)));
        let observed = format!("{} {}", closed.path, octal(closed.meta.mode));
        return finding(format!("{user} cannot pass {}", closed.path), "an x bit".to_owned(), observed, mend);
    }
    match credentials.may(Access::Read, &step.meta) {
        true => Ok(Outcome::Pass),
        false => {
            let mend = match credentials.uid == step.meta.uid {
                true => set_own_mode(view, lookup, step.meta.mode | 0o400),
                false => Remedy::decide(format!("decide whether {user} may read {}", step.path))
                    .candidate("let all users read it", format!("chmod a+r {}", quoted(&step.path))),
            };
            finding(format!("{user} cannot read {path}"), "0644".to_owned(), octal(step.meta.mode), mend)
        }
    }
}
