//! Who else could change what a user is going to execute.

use super::prelude::*;

/// Where somebody else than root and the user can change what lies at the end of a walk, and who.
#[derive(Debug)]
pub struct Stranger<'a> {
    /// The file or directory that is open to others.
    pub step: &'a Step,
    /// Who they are, as words.
    pub who: String,
    /// The command that shuts them out.
    pub mend: String,
}

/// The first file or directory on the way that is open to others. A directory counts as the file does: who can
/// write it can put another file in its place. Only in a sticky directory is an entry its owner's alone.
pub fn stranger<'a>(view: &View, user: &str, lookup: &'a Lookup) -> Result<Option<Stranger<'a>>, Undecided> {
    let accounts = view.accounts()?;
    let Some(own) = accounts.user(user) else { return Ok(None) };
    for step in lookup.steps.iter().filter(|step| step.meta.kind != NodeKind::Link) {
        let Meta { uid, gid, mode, kind, .. } = step.meta;
        let path = quoted(&step.path);
        let sticky = kind == NodeKind::Directory && mode & 0o1000 != 0;
        let found = |who: String, mend: String| Ok(Some(Stranger { step: step.as_ref(), who, mend }));
        if uid != 0 && uid != own.uid {
            let owner =
                accounts.user_by_id(uid).map_or_else(|| format!("uid {uid}"), |owner| owner.name.clone());
            return found(format!("{owner} owns it"), format!("chown {user} {path}"));
        }
        if mode & 0o002 != 0 && !sticky {
            return found("everybody can write it".to_owned(), format!("chmod o-w {path}"));
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
                format!("chmod g-w {path}"),
            );
        }
    }
    Ok(None)
}
