//! An artefact comes to a place of root's, goes from it, or takes the place of another, at once: whoever opens the place
//! finds the old bytes or the new ones. What goes is kept under another name, and by the digests alone the next call knows
//! how far an interrupted one came.
//!
//! This is `RENAME_EXCHANGE` of renameat2(2).

use serde::{Deserialize, Serialize};

use super::{Failed, failed};
use crate::model::change::{Coming, Going};
use crate::system::hand::{Hand, Refused};

/// A place before an artefact came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtefactBefore {
    /// The place.
    pub to: String,
    /// The digest of what was there, and its name since.
    pub was: Option<(String, String)>,
    /// The bytes lay under that name before, too.
    pub kept: bool,
    /// The digest of what comes.
    pub now: Option<String>,
}

/// Where an artefact is written before it takes its place.
fn beside(to: &str) -> String {
    let (directory, name) = to.rsplit_once('/').unwrap_or(("", to));
    format!("{directory}/.{name}.golden-new")
}

fn digest(hand: &dyn Hand, path: &str) -> Result<Option<String>, Refused> {
    Ok(hand.digest(path, 0)?.map(|found| found.digest))
}

/// What must be kept. The host must still be as it was when this was planned.
pub(super) fn before(
    hand: &dyn Hand,
    to: &str,
    now: Option<&Coming>,
    was: Option<&Going>,
) -> Result<ArtefactBefore, Failed> {
    if digest(hand, to)?.as_deref() != was.map(|was| was.digest.as_str()) {
        return Err(failed(format!("{to} has changed since this was planned")));
    }
    let aside = match was {
        Some(was) => digest(hand, &was.aside)?,
        None => None,
    };
    let kept = aside.is_some() && aside.as_deref() == was.map(|was| was.digest.as_str());
    if let (Some(was), Some(_), false) = (was, &aside, kept) {
        return Err(failed(format!("{} is there already and holds something else", was.aside)));
    }
    Ok(ArtefactBefore {
        to: to.to_owned(),
        was: was.map(|was| (was.digest.clone(), was.aside.clone())),
        kept,
        now: now.map(|now| now.digest.clone()),
    })
}

/// Puts an artefact in its place.
pub(super) fn put(
    hand: &dyn Hand,
    to: &str,
    now: Option<&Coming>,
    was: Option<&Going>,
) -> Result<(), Failed> {
    let new = beside(to);
    if let Some(now) = now {
        hand.discard(&new)?;
        hand.copy_file(&now.from, &new, &now.digest)?;
    }
    match (now, was) {
        (None, None) => {}
        (Some(_), None) => hand.rename(&new, to)?,
        (Some(_), Some(was)) => {
            hand.exchange(&new, to)?;
            set_aside(hand, &new, was)?;
        }
        (None, Some(was)) => set_aside(hand, to, was)?,
    }
    match digest(hand, to)?.as_deref() == now.map(|now| now.digest.as_str()) {
        true => Ok(()),
        false => Err(failed(format!("{to} is not what was put there"))),
    }
}

/// Keeps what was at a place under its other name.
fn set_aside(hand: &dyn Hand, at: &str, was: &Going) -> Result<(), Failed> {
    match digest(hand, &was.aside)?.is_some_and(|kept| kept == was.digest) {
        true => hand.discard(at)?,
        false => hand.rename(at, &was.aside)?,
    }
    Ok(())
}

impl ArtefactBefore {
    /// Brings back what was there, however far it came; why not, where somebody else has changed it since.
    pub(super) fn bring_back(&self, hand: &dyn Hand) -> Result<(), Refused> {
        let (to, new) = (self.to.as_str(), beside(&self.to));
        let here = digest(hand, to)?;
        let was = self.was.as_ref().map(|(digest, _)| digest.clone());
        if here == was {
            return self.sweep(hand, &new);
        }
        if here != self.now {
            return Err(Refused::Changed(to.to_owned()));
        }
        let Some((known, aside)) = &self.was else {
            hand.discard(to)?;
            return self.sweep(hand, &new);
        };
        // It lies under its other name, or still beside its place.
        let at_aside = digest(hand, aside)?.as_ref() == Some(known);
        if at_aside {
            hand.discard(&new)?;
            match self.kept {
                true => hand.copy_file(aside, &new, known)?,
                false => hand.rename(aside, &new)?,
            }
        }
        match here {
            None => hand.rename(&new, to)?,
            Some(_) => hand.exchange(&new, to)?,
        }
        self.sweep(hand, &new)
    }

    /// Removes what is left beside the place: a copy, half or whole.
    fn sweep(&self, hand: &dyn Hand, new: &str) -> Result<(), Refused> {
        hand.discard(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sha256;
    use crate::system::hand::{MemoryHand, Node, Rights};

    const ROOT: Rights = Rights { uid: 0, gid: 0, mode: 0o644 };

    fn host() -> MemoryHand {
        let file = |path: &str, text: &str| (path.to_owned(), Node::file(text, ROOT));
        MemoryHand::new([file("/m/shadow/b", "B"), file("/m/active/x", "A")])
    }

    fn lies(hand: &MemoryHand) -> Vec<(String, String)> {
        let text = |node: Node| match node {
            Node::File { bytes, .. } => String::from_utf8(bytes).unwrap(),
            other => other.word().to_owned(),
        };
        hand.nodes().into_iter().map(|(path, node)| (path, text(node))).collect()
    }

    #[test]
    fn one_takes_the_place_of_another_and_goes_back() {
        let hand = host();
        let before_all = lies(&hand);
        let now = Coming { from: "/m/shadow/b".into(), digest: sha256(b"B") };
        let was = Going { digest: sha256(b"A"), aside: "/m/archive/1_x_1".into() };
        let kept = before(&hand, "/m/active/x", Some(&now), Some(&was)).unwrap();
        put(&hand, "/m/active/x", Some(&now), Some(&was)).unwrap();
        assert_eq!(hand.node("/m/archive/1_x_1").unwrap(), Node::file("A", ROOT));
        assert_eq!(hand.node("/m/active/x").unwrap(), Node::file("B", ROOT));
        kept.bring_back(&hand).unwrap();
        assert_eq!(lies(&hand), before_all);
        // Whatever is planned on another host than this is refused.
        let other = Going { digest: sha256(b"Z"), ..was };
        assert!(before(&hand, "/m/active/x", Some(&now), Some(&other)).is_err());
    }

    #[test]
    fn it_goes_back_however_far_it_came() {
        let now = Coming { from: "/m/shadow/b".into(), digest: sha256(b"B") };
        let was = Going { digest: sha256(b"A"), aside: "/m/archive/1_x_1".into() };
        let (to, new) = ("/m/active/x", beside("/m/active/x"));
        for steps in 0..4 {
            let hand = host();
            let before_all = lies(&hand);
            let kept = before(&hand, to, Some(&now), Some(&was)).unwrap();
            if steps > 0 {
                hand.copy_file(&now.from, &new, &now.digest).unwrap();
            }
            if steps > 1 {
                hand.exchange(&new, to).unwrap();
            }
            if steps > 2 {
                set_aside(&hand, &new, &was).unwrap();
            }
            kept.bring_back(&hand).unwrap();
            assert_eq!(lies(&hand), before_all, "{steps} steps");
            kept.bring_back(&hand).unwrap();
            assert_eq!(lies(&hand), before_all, "{steps} steps, twice");
        }
    }

    #[test]
    fn what_somebody_changed_since_is_left() {
        let hand = host();
        let now = Coming { from: "/m/shadow/b".into(), digest: sha256(b"B") };
        let was = Going { digest: sha256(b"A"), aside: "/m/archive/1_x_1".into() };
        let kept = before(&hand, "/m/active/x", Some(&now), Some(&was)).unwrap();
        put(&hand, "/m/active/x", Some(&now), Some(&was)).unwrap();
        hand.set("/m/active/x", Node::file("C", ROOT));
        assert!(kept.bring_back(&hand).is_err());
        assert_eq!(hand.node("/m/active/x").unwrap(), Node::file("C", ROOT));
    }

    #[test]
    fn what_lies_elsewhere_already_is_not_kept_twice() {
        let hand = host();
        hand.set("/m/active/canary-x", Node::file("A", ROOT));
        let before_all = lies(&hand);
        let was = Going { digest: sha256(b"A"), aside: "/m/active/x".into() };
        let kept = before(&hand, "/m/active/canary-x", None, Some(&was)).unwrap();
        put(&hand, "/m/active/canary-x", None, Some(&was)).unwrap();
        assert_eq!(hand.node("/m/active/canary-x").unwrap(), Node::Absent);
        kept.bring_back(&hand).unwrap();
        assert_eq!(lies(&hand), before_all);
    }
}
