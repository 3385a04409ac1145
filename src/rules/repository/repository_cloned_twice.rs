//! There is one work tree of the repository on a host.

use crate::facts::repository::same_remote_key;
use crate::rules::prelude::*;

rule! {
    /// The repository is cloned a second time.
    ///
    /// Looks for work trees with the repository's remote below the contract's `clone_roots`, as deep as
    /// `clone_depth`, on the file system of each root, without the directories that `clone_skip` names. Two
    /// spellings of one remote are the same (`git@host:a/b.git`, `https://host/a/b`). Linked work trees count;
    /// bare repositories do not.
    ///
    /// A clone in the tree of a user who is neither root nor of the contract is a warning, and a directory
    /// there that cannot be searched is skipped: other users can neither make a host violate its contract nor
    /// keep it from being judged.
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
    /// ```bad
    /// dir /home/stranger/copy 4711:4711 0755
    /// dir /home/stranger/copy/.git/objects 4711:4711 0755
    /// dir /home/stranger/copy/.git/refs 4711:4711 0755
    /// file /home/stranger/copy/.git/HEAD 4711:4711 0644
    /// | ref: refs/heads/main
    /// file /home/stranger/copy/.git/config 4711:4711 0644
    /// | [remote "origin"]
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
    cause: Host,
    why: "people mend one copy while the other one runs",
    see: ["find /home /opt /srv -xdev -maxdepth 4 -name .git"],
    mend: "Ask the owner of the clone, then remove it. golden does not pack or remove a clone, because it \
           may hold unsaved work. Do not run git in it as root: its configuration can start programs.",
    man: ["git-worktree(1)"],
    since: "0.1.0",
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
    let Some(clones) = view.clones()? else { return Err(Undecided::new("clones were not searched for")) };
    let mut findings = Vec::new();
    for clone in &clones.found {
        let Some(url) = clone.remotes.iter().find(|url| same_remote_key(url) == key) else { continue };
        let path = clone.path.as_ref();
        let finding = Finding::new(format!("{path} is a second clone"), Location::file(path), at.clone())
            .key(path)
            .expected(format!("one work tree, {}", policy.path.value))
            .observed(url.as_str());
        let finding = if clone.is_strange { finding.only_warns() } else { finding };
        findings.push(
            finding.mend(
                Remedy::decide(format!("decide what happens to {path}, whose owner may have work in it"))
                    .candidate("see whose it is", format!("ls -ld {}", quoted(path)))
                    .candidate("look through it as its owner for what was never pushed, and remove it", ""),
            ),
        );
    }
    let is_decided = findings.iter().any(|finding| finding.severity.is_none());
    match (!is_decided, clones.unread.first()) {
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
