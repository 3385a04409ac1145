//! Who else could change what a user is going to execute.

use super::files::is_under;
use super::prelude::*;
use super::remedy::{set_mode, set_owner};
use crate::model::End;

/// Where somebody else than root and the user can change what lies at the end of a walk, and who.
#[derive(Debug)]
pub struct Stranger<'a> {
    /// The file or directory that is open to others.
    pub step: &'a Step,
    /// Who they are, as words.
    pub who: String,
    /// What shuts them out.
    pub mend: Remedy,
}

/// The first file or directory on the way that is open to others. A directory counts as the file does: who can
/// write it can put another file in its place. Only in a sticky directory is an entry its owner's alone.
pub fn stranger<'a>(view: &View, user: &str, lookup: &'a Lookup) -> Result<Option<Stranger<'a>>, Undecided> {
    let accounts = view.accounts()?;
    let Some(own) = accounts.user(user) else { return Ok(None) };
    for step in lookup.steps.iter().filter(|step| step.meta.kind != NodeKind::Link) {
        let Meta { uid, gid, mode, kind, .. } = step.meta;
        let sticky = kind == NodeKind::Directory && mode & 0o1000 != 0;
        let found = |who: String, mend: Remedy| Ok(Some(Stranger { step: step.as_ref(), who, mend }));
        let on_the_way = part_of(lookup, step);
        if uid != 0 && uid != own.uid {
            let owner =
                accounts.user_by_id(uid).map_or_else(|| format!("uid {uid}"), |owner| owner.name.clone());
            return found(
                format!("{owner} owns it"),
                shut_out(view, &on_the_way, Some(heir(lookup, step, user, own.uid)), None),
            );
        }
        if mode & 0o002 != 0 && !sticky {
            return found(
                "all users can write it".to_owned(),
                shut_out(view, &on_the_way, None, Some(mode & !0o002)),
            );
        }
        let member = |account: &crate::syntax::accounts::User| {
            account.uid != 0 && account.uid != own.uid && accounts.group_ids_of(account).contains(&gid)
        };
        if mode & 0o020 != 0
            && !sticky
            && let Some(other) = accounts.users.iter().find(|account| member(account))
        {
            let group =
                accounts.group_by_id(gid).map_or_else(|| format!("gid {gid}"), |group| group.name.clone());
            return found(
                format!("{} can write it through the group {group}", other.name),
                shut_out(view, &on_the_way, None, Some(mode & !0o020)),
            );
        }
    }
    Ok(None)
}

/// The walk to one step of another walk.
pub fn part_of(lookup: &Lookup, step: &Step) -> Lookup {
    let end = lookup.steps.iter().position(|other| other.path == step.path).map_or(0, |index| index + 1);
    Lookup { asked: step.path.clone(), steps: lookup.steps[..end].to_vec(), end: End::Found }
}

/// Who is to own a step of a walk: the user in its own directory, else root.
fn heir<'a>(lookup: &Lookup, step: &Step, user: &'a str, uid: u32) -> &'a str {
    let above = super::files::parent(&step.path);
    match lookup.steps.iter().any(|other| *other.path == *above && other.meta.uid == uid) {
        true => user,
        false => "root",
    }
}

/// Whether a path is one of the contract's own: a place, a venv or the repository, or below one.
pub fn is_the_contracts(contract: &Contract, path: &str) -> bool {
    let places = contract.layout.values().map(|place| place.path.value.as_str());
    let venvs = contract.venvs.values().map(|venv| venv.path.value.as_str());
    let repository = contract.repository.iter().map(|repository| repository.path.value.as_str());
    places.chain(venvs).chain(repository).any(|own| is_under(path, own))
}

/// The remedy that narrows who can write a file or directory. What is not the contract's own is a person's.
fn shut_out(view: &View, lookup: &Lookup, owner: Option<&str>, mode: Option<u32>) -> Remedy {
    let path = &*lookup.asked;
    if !is_the_contracts(view.contract, path) || is_under(path, "/usr") {
        let at = || Spot::of_root(path);
        let owner = owner.map(str::to_owned);
        let change = match mode {
            Some(mode) => Change::Mode { at: at(), mode },
            None => Change::Owner { at: at(), owner, group: None },
        };
        return Remedy::decide(format!("decide who may write {path}: it is not a place of the contract"))
            .candidate("", change.shell());
    }
    match mode {
        Some(mode) => set_mode(view, lookup, mode),
        None => set_owner(view, lookup, owner, None),
    }
}
