//! Masks: a link to /dev/null takes away the file of its name in weaker directories (systemd.unit(5), tmpfiles.d(5),
//! sysusers.d(5), systemd.generator(7)).

use crate::model::{Step, leads_to};
use crate::system::{Look, Walker};

/// Whether a path is a link to `/dev/null`, which an image that was never booted does not have.
pub(super) fn is_masked<L: Look + ?Sized>(walker: &Walker<'_, L>, path: &str) -> bool {
    if walker.lookup(path).real() == Some("/dev/null") {
        return true;
    }
    let link = walker.lookup_no_follow(path);
    let Ok(Some(Step { path, target: Some(target), .. })) = link.node() else { return false };
    leads_to(path.rsplit_once('/').map_or("", |(directory, _)| directory), target) == "/dev/null"
}
