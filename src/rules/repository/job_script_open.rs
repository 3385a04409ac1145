//! Who else could change the script of a job.

use crate::rules::files::octal;
use crate::rules::governed::JobScript;
use crate::rules::prelude::*;
use crate::rules::strangers::{Stranger, stranger};

rule! {
    /// Somebody else can change the script of a job.
    ///
    /// The script, and each directory on the way to it, must belong to root or to the user that the job runs as,
    /// and nobody else may write them. A second hard link is a second way in. What a stranger can write, the
    /// stranger runs as the job's user.
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
    why: "whoever can write the script runs what they like as the job's user",
    check: Job(check),
}

fn check(view: &JobView) -> Ruling {
    let JobScript { script, lookup, user, .. } = match JobScript::of(view)? {
        Ok(script) => script,
        Err(outcome) => return Ok(outcome),
    };
    let Some(node) = lookup.node()? else { return Ok(crate::rules::files::does_not_exist()) };
    if let Some(Stranger { step, who, mend }) = stranger(view, user, lookup)? {
        let finding = Finding::new(
            format!("{}: {who}", step.path),
            Location::file(step.path.clone()),
            script.at.clone(),
        );
        let expected = format!("writable by root and {user} alone");
        return Ok(finding.expected(expected).observed(octal(step.meta.mode)).mend(mend).into());
    }
    if node.meta.kind == NodeKind::File && node.meta.links > 1 {
        let path = quoted(&node.path);
        let finding = Finding::new(
            format!("{} has another name", node.path),
            Location::file(node.path.clone()),
            script.at.clone(),
        );
        let mend = format!("cp -p {path} {path}.own && mv {path}.own {path}");
        return Ok(finding.expected("one link").observed(format!("{} links", node.meta.links)).mend(mend).into());
    }
    Ok(Outcome::Pass)
}
