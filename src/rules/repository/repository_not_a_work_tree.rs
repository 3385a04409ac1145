//! The repository is the top level of a git work tree.

use crate::facts::repository::GitFacts;
use crate::rules::files::is_under;
use crate::rules::governed::as_owner;
use crate::rules::prelude::*;

rule! {
    /// The repository is not the top level of a git work tree.
    ///
    /// Read from git's files, without running git. `.git` must be a directory with HEAD, objects and refs (or
    /// the file of a linked work tree that leads to one), the repository must not be bare, and `core.worktree`
    /// must not lead elsewhere (gitrepository-layout(5)). A directory below the top level of another work tree
    /// does not count.
    ///
    /// ```bad
    /// remove /home/qt/quantum_trader/.git
    /// ```
    /// ```bad
    /// remove /home/qt/quantum_trader/.git
    /// dir /home/qt/quantum_trader/.git qt:qt 0755
    /// ```
    /// ```bad
    /// move /home/qt/quantum_trader/.git -> /home/qt/.git
    /// ```
    /// ```bad
    /// replace /home/qt/quantum_trader/.git/config
    /// - 	bare = false
    /// + 	bare = true
    /// ```
    /// ```bad
    /// file /home/qt/quantum_trader/.git/config qt:qt 0644
    /// | [core]
    /// | worktree = /srv/elsewhere
    /// ```
    /// ```good
    /// move /home/qt/quantum_trader/.git -> /srv/git/trader
    /// file /home/qt/quantum_trader/.git qt:qt 0644
    /// | gitdir: /srv/git/trader
    /// ```
    id: "repository-not-a-work-tree",
    section: A,
    severity: Must,
    needs: [Repository],
    cause: Host,
    why: "you cannot tell which version of the code runs",
    see: ["git -C {repository} rev-parse --show-toplevel"],
    mend: "Ask its owner what was never pushed, then clone it again.",
    man: ["gitrepository-layout(5)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let path = policy.path.value.as_str();
    if view.path(Need::Repository, path)?.node()?.is_none() {
        return Ok(crate::rules::files::does_not_exist());
    }
    let facts = view.repository()?;
    let (location, message, observed) = match facts.git.known()? {
        None => {
            let message = match &facts.work_tree_above {
                Some(above) => format!("{path} is not a top level: the work tree begins at {above}"),
                None => format!("{path} is not a git work tree"),
            };
            (format!("{path}/.git"), message, "no repository".to_owned())
        }
        Some(git) => match wrong(git, view, path)? {
            Some((file, observed)) => (file, format!("{path} is not a git work tree"), observed),
            None => return Ok(Outcome::Pass),
        },
    };
    Ok(Finding::new(message, Location::file(location), policy.path.at.clone())
        .expected("the top level of a git work tree")
        .observed(observed)
        .mend(make(view, policy))
        .into())
}

/// The file that makes it none, and what is wrong with it.
fn wrong(git: &GitFacts, view: &View, path: &str) -> Result<Option<(String, String)>, Undecided> {
    if !git.lacks.is_empty() {
        return Ok(Some((git.directory.to_string(), format!("no {}", git.lacks.join(", no ")))));
    }
    let file = format!("{}/config", git.directory);
    let Some(config) = git.config.known()? else { return Ok(None) };
    if config.bare {
        return Ok(Some((file, "core.bare = true".to_owned())));
    }
    let top = view.path(Need::Repository, path)?.real().unwrap_or(path);
    let elsewhere = config.work_tree.as_deref().filter(|tree| {
        let tree =
            if tree.starts_with('/') { (*tree).to_owned() } else { format!("{}/{tree}", git.directory) };
        let same = |other: &str| is_under(&tree, other) && is_under(other, &tree);
        // A path with `..` in it is not resolved here; git writes such paths for submodules only.
        !tree.contains("/..") && !same(top) && !same(path)
    });
    Ok(elsewhere.map(|tree| (file, format!("core.worktree = {tree}"))))
}

/// `git init` completes what is there and leaves all files alone; the history comes from the remote.
fn make(view: &View, policy: &RepositoryPolicy) -> Remedy {
    let top = policy.path.value.as_str();
    let git = |words: &[&str]| as_owner(view, policy, &[&["git", "-C", top], words].concat());
    let mut remedy = Remedy::decide(format!("decide how {top} becomes a git work tree again"));
    let init = git(&["init", "-q"]);
    if !init.is_empty() {
        let config = git(&["config", "core.bare", "false"]);
        let unset = git(&["config", "--unset-all", "core.worktree"]);
        remedy = remedy
            .candidate("complete what is there; all files stay", format!("{init} && {config} && {{ {unset} || true; }}"));
    }
    match &policy.remote {
        Some(remote) => remedy
            .candidate("then get its history", git(&["fetch", "--", &remote.value]))
            .candidate("move it aside and let golden clone it", "golden apply"),
        None => remedy,
    }
}
