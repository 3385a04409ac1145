//! Whose rights a verb has that writes into a repository: those of the user in whose directory it lies. Root follows no
//! name that somebody else can change, so it becomes that user for good before it looks at anything there.
//!
//! `render` and `init` do so when root calls them, and git of a rehearsal runs as that user. A contract is found
//! through links of root alone.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Failure, find};
use crate::run::identity;
use crate::system::hand::{DiskHand, Hand, Refused};

/// Becomes the user in whose directory a path lies. Root stays root where only root can replace a name on the way, and
/// everybody else stays who they are.
pub(super) fn become_owner(directory: &Path) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let shown = directory.display();
    let whole = std::path::absolute(directory).map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let Some(uid) = owner(&whole)? else { return Ok(()) };
    let accounts = identity::accounts()?;
    let Some(user) = accounts.user_by_id(uid) else {
        return Err(Failure::new(format!("{shown} lies in a directory of uid {uid}, which has no account")));
    };
    Ok(identity::become_for_good(&identity::named(&accounts, &user.name)?)?)
}

/// The user other than root in whose directory a path lies, which need not exist yet.
fn owner(path: &Path) -> Result<Option<u32>, Failure> {
    let hand = DiskHand::live();
    for directory in path.ancestors() {
        match hand.way(&directory.join("x").to_string_lossy()) {
            Ok(way) => return Ok(way.user),
            Err(Refused::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(refused) => return in_a_shared_place(directory, &refused),
        }
    }
    Ok(None)
}

/// The same where others may put names into a directory on the way, but replace none: a directory for all, such as /tmp.
fn in_a_shared_place(directory: &Path, refused: &Refused) -> Result<Option<u32>, Failure> {
    let no = |why: String| Failure::new(format!("{why}; root writes nothing there"));
    let meta = std::fs::symlink_metadata(directory).map_err(|error| no(error.to_string()))?;
    let is_itself = directory.canonicalize().is_ok_and(|real| real == directory);
    match find::open_directory(directory)? {
        _ if !is_itself => Err(no(refused.to_string())),
        None => Ok(None),
        Some(_) if meta.uid() != 0 => Ok(Some(meta.uid())),
        Some(why) => Err(no(why)),
    }
}
