//! Whose the repository's files are.

use crate::rules::files::owners;
use crate::rules::governed::no_repository;
use crate::rules::prelude::*;

rule! {
    /// Files of git, or files that git tracks, do not belong to the repository's owner.
    ///
    /// A single `sudo git pull` leaves objects, references and files that belong to root. The owner of the work
    /// tree can then neither fetch nor check out: "insufficient permission for adding an object to repository
    /// database". golden looks at everything below `.git`, and in the work tree at the files that git tracks
    /// and their directories, since git replaces files. It does not follow links. Files that git does not track
    /// may belong to any user. So may files that git only reads, if the owner can read them: hooks, `config`,
    /// `description`, `info`, and the index, which `git status` as root writes and git replaces. A reflog
    /// (`logs`) counts: git appends to it, and a pull fails if it cannot. A repository with
    /// `core.sharedRepository` is meant for several users (git-config(1)).
    ///
    /// ```bad
    /// owner /home/qt/quantum_trader/.git/refs root:root
    /// ```
    /// ```bad
    /// dir /home/qt/quantum_trader/.git/objects/ab root:root 0755
    /// ```
    /// ```good
    /// file /home/qt/quantum_trader/notes.txt root:root 0644
    /// ```
    id: "repository-owner-mixed",
    section: A,
    severity: Must,
    needs: [Repository, Sources, Accounts],
    cause: Host,
    why: "the next pull fails half-way",
    see: ["find {repository} -xdev -not -user {user} -ls"],
    mend: "Change the owner yourself (`chown -h`): the directories belong to a user, who could exchange a \
           file while chown runs.",
    man: ["git-config(1)", "chown(1)"],
    since: "unreleased",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let Some(policy) = &view.contract.repository else { return Ok(no_repository()) };
    let path = policy.path.value.as_str();
    let facts = view.sources()?;
    let Some(git) = facts.git.known()? else {
        return Ok(Outcome::not_applicable("it is not a work tree (reported by repository-not-a-work-tree)"));
    };
    if git.config.known()?.is_some_and(|config| config.shared) {
        return Ok(Outcome::not_applicable("core.sharedRepository lets several users own its files"));
    }
    let Some(search) = facts.foreign.known()? else {
        return Err(Undecided::new("the owners of the repository's files were not looked at"));
    };
    let Some(first) = search.found.first() else {
        return match search.unread.first() {
            Some((at, why)) => Err(Undecided::new(format!("{at}: {why}"))),
            None => Ok(Outcome::Pass),
        };
    };
    let accounts = view.accounts()?;
    let more = match search.found.len() {
        1 => String::new(),
        count => format!(" and {} more belong", count - 1),
    };
    let verb = if more.is_empty() { " belongs" } else { "" };
    let owner = view.path(Need::Repository, path)?.node()?.map(|step| step.meta);
    let whose = owner.map_or_else(String::new, |meta| owners(accounts, meta.uid, meta.gid));
    let below = if first.path.starts_with(&*git.directory) { &*git.directory } else { path };
    let give = format!("chown -R --no-dereference {} -- {}", quoted(&whose), quoted(below));
    Ok(Finding::new(
        format!("{}{more}{verb} to another user than the repository", first.path),
        Location::file(first.path.clone()),
        policy.path.at.clone(),
    )
    .expected(format!("owner {whose}"))
    .observed(owners(accounts, first.uid, first.gid))
    .mend(Remedy::decide(format!("look at what is there, and give it to the owner of {path}")).candidate("", give))
    .into())
}
