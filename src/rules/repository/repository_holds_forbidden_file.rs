//! What must not lie in the repository.

use crate::facts::repository::Unwanted;
use crate::rules::governed::as_owner;
use crate::rules::prelude::*;
use crate::syntax::glob;

rule! {
    /// The repository holds a forbidden file.
    ///
    /// The contract's `must_not_hold` are patterns of paths in the repository: env files and logs. A pattern
    /// without a slash matches the file's name in any directory; a leading `!` makes an exception. A file that
    /// lies there counts, whether git ignores it or not; so does a file that git tracks although it is gone
    /// from the work tree. Directories named in `clone_skip` and git's own are skipped.
    ///
    /// ```bad
    /// file /home/qt/quantum_trader/.env qt:qt 0600
    /// | API_KEY=x
    /// ```
    /// ```bad
    /// file /home/qt/quantum_trader/src/logs/engine.log qt:qt 0644
    /// | started
    /// ```
    /// ```good
    /// file /home/qt/quantum_trader/src/env.py qt:qt 0644
    /// | import os
    /// file /home/qt/quantum_trader/node_modules/x/.env qt:qt 0644
    /// | A=1
    /// ```
    id: "repository-holds-forbidden-file",
    section: A,
    severity: Must,
    needs: [Repository, Sources],
    cause: Host,
    why: "a secret that git has tracked must be changed, and logs fill every clone",
    see: ["git -C {repository} ls-files"],
    mend: "Move the file yourself: a program may read it where it lies. git keeps it in its history, so \
           change the secrets in it.",
    man: ["gitignore(5)", "git-ls-files(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    if policy.must_not_hold.is_empty() {
        return Ok(Outcome::not_applicable("the contract forbids no files"));
    }
    if view.path(Need::Repository, &policy.path.value)?.node()?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let unwanted = &view.sources()?.unwanted;
    let findings: Vec<Finding> =
        unwanted.found.iter().filter_map(|file| finding(view, policy, file)).collect();
    match (findings.is_empty(), unwanted.unread.first()) {
        (true, Some((path, why))) => {
            Err(Undecided::new(format!("{path} could not be searched: {why}")).or_run("sudo golden audit"))
        }
        _ => Ok(Outcome::from_findings(findings)),
    }
}

fn finding(view: &View, policy: &RepositoryPolicy, file: &Unwanted) -> Option<Finding> {
    let patterns = policy.must_not_hold.iter().map(|pattern| pattern.value.as_str());
    let pattern = policy.must_not_hold.get(glob::deciding(patterns, &file.path)?)?;
    let top = policy.path.value.as_str();
    let path = format!("{top}/{}", file.path);
    let forget = as_owner(view, policy, &["git", "-C", top, "rm", "-q", "--cached", "--", &file.path]);
    let observed = if file.tracked { "tracked by git" } else { "not tracked by git" };
    let mend = Remedy::decide(match file.there {
        true => format!("decide where {path} belongs, and move it there"),
        false => format!("remove {} from what git tracks", file.path),
    });
    let mend = if file.tracked { mend.candidate("let git forget it", forget) } else { mend };
    let message = format!("{} does not belong in the repository", file.path);
    Some(
        Finding::new(message, Location::file(path.as_str()), pattern.at.clone())
            .key(path.as_str())
            .expected(format!("no {}", pattern.value))
            .observed(observed)
            .mend(mend),
    )
}
