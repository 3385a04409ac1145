//! There is one work tree of the repository on a host.

use crate::facts::repository::same_remote_key;
use crate::rules::files::parent;
use crate::rules::prelude::*;

rule! {
    /// The repository is cloned a second time.
    ///
    /// Looks for work trees with the repository's remote below the contract's `clone_roots`, as deep as
    /// `clone_depth`, on the file system of each root, without the directories that `clone_skip` names. Two
    /// ways of writing one remote are the same (`git@host:a/b.git`, `https://host/a/b`). Linked work trees
    /// count; bare repositories do not.
    ///
    /// The mend packs the second clone away before it removes it: look through it for work that was never
    /// pushed.
    ///
    /// ```bad
    /// dir /opt/trader/.git/objects root:root 0755
    /// dir /opt/trader/.git/refs root:root 0755
    /// file /opt/trader/.git/HEAD root:root 0644
    /// | ref: refs/heads/main
    /// file /opt/trader/.git/config root:root 0644
    /// | [remote "upstream"]
    /// | 	url = git@github.com:binyaminsemerci-ops/quantum_trader
    /// ```
    /// ```good
    /// dir /opt/other/.git/objects root:root 0755
    /// dir /opt/other/.git/refs root:root 0755
    /// file /opt/other/.git/HEAD root:root 0644
    /// | ref: refs/heads/main
    /// file /opt/other/.git/config root:root 0644
    /// | [remote "origin"]
    /// | 	url = https://github.com/binyaminsemerci-ops/quantum_trader_docs.git
    /// ```
    id: "repository-cloned-twice",
    section: A,
    severity: Must,
    needs: [Repository, Clones],
    why: "a fix is made in one copy while the other one runs",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(crate::rules::governed::no_repository()) };
    let (remote, at) = match &policy.remote {
        Some(remote) => (remote.value.clone(), &remote.at),
        None => match own_remote(view)? {
            Some(remote) => (remote, &policy.path.at),
            None => return Ok(Outcome::not_applicable("the repository has no remote")),
        },
    };
    let key = same_remote_key(&remote);
    let Some(clones) = view.clones()? else { return Err(Undecided::new("nobody searched for clones")) };
    let mut findings = Vec::new();
    for clone in &clones.found {
        let Some(url) = clone.remotes.iter().find(|url| same_remote_key(url) == key) else { continue };
        let path = clone.path.as_ref();
        let name = path.rsplit('/').next().unwrap_or(path);
        let pack = format!(
            "tar -czf {} -C {} {}",
            quoted(&format!("{path}.tar.gz")),
            quoted(parent(path)),
            quoted(name)
        );
        findings.push(
            Finding::new(format!("{path} is a second clone"), Location::file(path), at.clone())
                .key(path)
                .expected(format!("one work tree, {}", policy.path.value))
                .observed(url.as_str())
                .mend(format!("{pack} && rm -rf {}", quoted(path))),
        );
    }
    match (findings.is_empty(), clones.unread.first()) {
        (true, Some((path, why))) => {
            let more = clones.unread.len() - 1;
            let others = if more == 0 { String::new() } else { format!(", and {more} more directories") };
            Err(Undecided::new(format!("{path} could not be searched for clones: {why}{others}"))
                .or_run("sudo golden audit"))
        }
        _ => Ok(Outcome::from_findings(findings)),
    }
}

/// Where the contract names no remote, the repository's own one counts.
fn own_remote(view: &View) -> Result<Option<String>, Undecided> {
    let Some(git) = view.repository()?.git.known()? else { return Ok(None) };
    let Some(config) = git.config.known()? else { return Ok(None) };
    Ok(config.remotes.get("origin").or_else(|| config.remotes.values().next()).cloned())
}
