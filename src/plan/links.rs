//! The links below `/etc/systemd/system` by which systemd starts a unit: what `systemctl enable` makes and `disable`
//! removes (systemctl(1)). A unit that is enabled already may get further links by enabling it again, so an undo compares
//! links, not the word `enabled`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::system::hand::{Hand, Node, Refused, Rights};

/// Where the links of enabled units lie.
const UNITS: &str = "/etc/systemd/system";
/// How directories are called whose links make one unit start others (systemd.unit(5)).
const KINDS: [&str; 3] = [".wants", ".requires", ".upholds"];

/// Links to a unit, and the directories that such links can lie in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Where each lies and where it leads.
    links: BTreeMap<String, String>,
    /// Every directory of that kind, of whichever unit.
    directories: BTreeSet<String>,
}

/// The links of a unit before a work and after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksBefore {
    /// The unit.
    pub unit: String,
    /// What was there.
    pub before: Links,
    /// What the work left there; none while it is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Links>,
}

impl Links {
    /// The links of a unit: those that make others start it, and its further names.
    pub fn of(hand: &dyn Hand, unit: &str) -> Result<Self, Refused> {
        let mut found = Self::default();
        for name in hand.list(UNITS)? {
            let path = format!("{UNITS}/{name}");
            let is_of_links = KINDS.iter().any(|kind| name.ends_with(kind));
            let inside = format!("{path}/{unit}");
            let link = if is_of_links { &inside } else { &path };
            if is_of_links {
                found.directories.insert(path.clone());
            }
            if let Ok(Node::Link { target, .. }) = hand.node(link)
                && (is_of_links || target.rsplit('/').next() == Some(unit))
            {
                found.links.insert(link.clone(), target);
            }
        }
        Ok(found)
    }
}

impl LinksBefore {
    /// Looks at a unit before a work.
    pub fn look(hand: &dyn Hand, unit: &str) -> Result<Self, Refused> {
        Ok(Self { unit: unit.to_owned(), before: Links::of(hand, unit)?, after: None })
    }

    /// Brings the links back that the work changed. What somebody has changed since stays.
    pub fn bring_back(&self, hand: &dyn Hand) -> Result<(), Refused> {
        let now = Links::of(hand, &self.unit)?;
        let made = self.after.as_ref().unwrap_or(&now);
        for (path, target) in now.links.iter().filter(|(path, _)| !self.before.links.contains_key(*path)) {
            if made.links.get(path) == Some(target) {
                hand.put(path, &hand.node(path)?, &Node::Absent)?;
            }
        }
        for (path, target) in self.before.links.iter().filter(|(path, _)| !now.links.contains_key(*path)) {
            if !made.links.contains_key(path) && hand.node(path).is_ok_and(|node| node == Node::Absent) {
                self.put_back(hand, path, target)?;
            }
        }
        for directory in now.directories.difference(&self.before.directories) {
            if made.directories.contains(directory) && hand.list(directory)?.is_empty() {
                hand.put(directory, &hand.node(directory)?, &Node::Absent)?;
            }
        }
        Ok(())
    }

    /// Puts a link back, and the directory that systemctl has removed with it.
    fn put_back(&self, hand: &dyn Hand, path: &str, target: &str) -> Result<(), Refused> {
        let directory = path.rsplit_once('/').map_or(UNITS, |(directory, _)| directory);
        if hand.node(directory)? == Node::Absent {
            let rights = Rights { uid: 0, gid: 0, mode: 0o755 };
            let made = Node::Directory { rights, attributes: BTreeMap::new() };
            hand.put(directory, &Node::Absent, &made)?;
        }
        let link = Node::Link { target: target.to_owned(), uid: 0, gid: 0 };
        hand.put(path, &Node::Absent, &link).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::hand::MemoryHand;

    const OWN: &str = "/etc/systemd/system/multi-user.target.wants/a.service";
    const MORE: &str = "/etc/systemd/system/b.service.wants/a.service";

    fn link() -> Node {
        Node::Link { target: "/etc/systemd/system/a.service".into(), uid: 0, gid: 0 }
    }

    fn directory() -> Node {
        Node::Directory { rights: Rights { uid: 0, gid: 0, mode: 0o755 }, attributes: BTreeMap::new() }
    }

    /// A host on which the unit is enabled.
    fn host() -> MemoryHand {
        let wants = OWN.rsplit_once('/').unwrap().0;
        MemoryHand::new([
            (UNITS.to_owned(), directory()),
            (format!("{UNITS}/a.service"), Node::file(*b"", Rights { uid: 0, gid: 0, mode: 0o644 })),
            (wants.to_owned(), directory()),
            (OWN.to_owned(), link()),
        ])
    }

    #[test]
    fn a_further_link_of_an_enabled_unit_goes_again_with_its_directory() {
        let hand = host();
        let nodes = hand.nodes();
        let mut before = LinksBefore::look(&hand, "a.service").unwrap();
        hand.set(MORE.rsplit_once('/').unwrap().0, directory());
        hand.set(MORE, link());
        hand.set("/etc/systemd/system/c.service", link());
        before.after = Some(Links::of(&hand, "a.service").unwrap());
        before.bring_back(&hand).unwrap();
        assert_eq!(hand.nodes(), nodes);
    }

    #[test]
    fn a_link_that_was_taken_away_comes_back() {
        let hand = host();
        let nodes = hand.nodes();
        let before = LinksBefore::look(&hand, "a.service").unwrap();
        hand.set(OWN, Node::Absent);
        hand.set(OWN.rsplit_once('/').unwrap().0, Node::Absent);
        // It was interrupted: nobody knows what it would have left.
        before.bring_back(&hand).unwrap();
        assert_eq!(hand.nodes(), nodes);
    }

    #[test]
    fn a_link_that_somebody_made_since_stays() {
        let hand = host();
        let mut before = LinksBefore::look(&hand, "a.service").unwrap();
        before.after = Some(before.before.clone());
        hand.set(MORE.rsplit_once('/').unwrap().0, directory());
        hand.set(MORE, link());
        before.bring_back(&hand).unwrap();
        assert_eq!(hand.node(MORE).unwrap(), link());
    }
}
