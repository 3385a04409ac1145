//! Who else could change the script of a job.

use crate::rules::files::{is_under, octal};
use crate::rules::governed::JobScript;
use crate::rules::prelude::*;
use crate::rules::remedy::set_own_mode;
use crate::rules::strangers::{Stranger, stranger};

rule! {
    /// Other users can change the script of a job.
    ///
    /// The script, and each directory on the way to it, must belong to root or to the user that the job runs
    /// as, and other users must not be able to write them. A second hard link is a second way to change it.
    ///
    /// ```bad
    /// mode /home/qt/quantum_trader/ops/training/train_patchtst.py 0666
    /// ```
    /// ```bad
    /// mode /home/qt/quantum_trader/ops/training 0777
    /// ```
    /// ```bad
    /// owner /home/qt/quantum_trader/ops/training/train_patchtst.py redis:redis
    /// ```
    /// ```bad
    /// links /home/qt/quantum_trader/ops/training/train_patchtst.py 2
    /// ```
    /// ```good
    /// owner /home/qt/quantum_trader/ops/training/train_patchtst.py root:root
    /// mode /home/qt/quantum_trader/ops/training 0775
    /// ```
    id: "job-script-open",
    section: G,
    severity: Must,
    needs: [Repository, Accounts],
    cause: Host,
    why: "a user who can write the script can run commands as the job's user",
    see: ["namei -l {script}"],
    mend: "golden removes other users' write permission from the script and from directories of the \
           repository, as their owner. Correct directories above the repository, owners and hard links \
           yourself.",
    man: ["path_resolution(7)", "chmod(1)"],
    since: "0.1.0",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let JobScript { policy, script, lookup, user, .. } = match JobScript::of(view)? {
        Ok(script) => script,
        Err(outcome) => return Ok(outcome),
    };
    let Some(node) = lookup.node()? else { return Ok(crate::rules::files::does_not_exist()) };
    if let Some(Stranger { step, who, .. }) = stranger(view, user, lookup)? {
        let finding = Finding::new(
            format!("{}: {who}", step.path),
            Location::file(step.path.clone()),
            script.at.clone(),
        );
        let expected = format!("writable by root and {user} alone");
        return Ok(finding.expected(expected).observed(octal(step.meta.mode)).mend(shut(view, policy, lookup, step)).into());
    }
    if node.meta.kind == NodeKind::File && node.meta.links > 1 {
        let finding = Finding::new(
            format!("{} has another name", node.path),
            Location::file(node.path.clone()),
            script.at.clone(),
        );
        let mend = Remedy::decide(format!(
            "find the other name of {}, and decide whether the two may be one file",
            node.path
        ))
        .candidate("search its file system", format!("find / -xdev -samefile {}", quoted(&node.path)));
        return Ok(finding.expected("one link").observed(format!("{} links", node.meta.links)).mend(mend).into());
    }
    Ok(Outcome::Pass)
}

/// Takes away the write permission that a stranger has, where the mode gives it and the thing is the repository's.
fn shut(view: &JobView, policy: &RepositoryPolicy, lookup: &Lookup, step: &Step) -> Remedy {
    let Meta { mode, kind, .. } = step.meta;
    let open = if mode & 0o002 != 0 { 0o002 } else { mode & 0o020 };
    if open == 0 || kind == NodeKind::Directory && mode & 0o1000 != 0 {
        return Remedy::decide(format!("decide who owns {}, and look at what it holds", step.path));
    }
    let top = view.path(Need::Repository, &policy.path.value).ok().and_then(Lookup::real).map(str::to_owned);
    let way = lookup.steps.iter().position(|other| other.path == step.path);
    match (top, way) {
        (Some(top), Some(at)) if is_under(&step.path, &top) => {
            let steps = lookup.steps[..=at].to_vec();
            let walk = Lookup { asked: step.path.clone(), steps, end: crate::model::End::Found };
            set_own_mode(view, &walk, mode & !open)
        }
        _ => Remedy::decide(format!("decide who may write {}, which is not in the repository", step.path))
            .candidate("", format!("chmod {} {}", octal(mode & !open), quoted(&step.path))),
    }
}
