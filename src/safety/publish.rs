//! Writes reports into the repository: as the user in whose directory it lies, through no link of theirs, each file whole or
//! not at all.

use crate::contract::Contract;
use crate::system::hand::{Attributes, Hand, Node, Refused, Rights};

/// Where reports lie.
pub struct Shelf<'a> {
    hand: &'a dyn Hand,
    directory: String,
    rights: Rights,
}

/// Names of one moment that are tried.
const MOST_NAMES: u32 = 100;

impl<'a> Shelf<'a> {
    /// The directory of the contract's reports, made where it is missing; `None` where the contract governs no repository.
    pub fn open(hand: &'a dyn Hand, contract: &Contract) -> Result<Option<Self>, Refused> {
        let (Some(safety), Some(repository)) = (&contract.safety, &contract.repository) else {
            return Ok(None);
        };
        let mut directory = repository.path.value.trim_end_matches('/').to_owned();
        let mut rights = of_directory(&directory, hand.node(&directory)?)?
            .ok_or_else(|| Refused::Unsafe(format!("{directory} does not exist")))?;
        for name in safety.reports.value.split('/').filter(|name| !name.is_empty()) {
            directory = format!("{directory}/{name}");
            let was = hand.node(&directory)?;
            rights = match of_directory(&directory, was)? {
                Some(rights) => rights,
                None => {
                    let made = Rights { mode: 0o755, ..rights };
                    let node = Node::Directory { rights: made, attributes: Attributes::new() };
                    hand.put(&directory, &Node::Absent, &node)?;
                    made
                }
            };
        }
        Ok(Some(Self { hand, directory, rights }))
    }

    fn file(&self, text: &str) -> Node {
        Node::file(text.as_bytes(), Rights { mode: 0o644, ..self.rights })
    }

    /// Writes a new file named after a moment; nothing that is there is replaced. The names that were taken.
    pub fn add(&self, stem: &str, texts: &[(&str, &str)]) -> Result<Vec<String>, Refused> {
        for number in 1..=MOST_NAMES {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = |ending: &str| format!("{}/{stem}{suffix}.{ending}", self.directory);
            let mut is_free = true;
            for (ending, _) in texts {
                is_free &= self.hand.node(&path(ending))? == Node::Absent;
            }
            if !is_free {
                continue;
            }
            let mut written = Vec::new();
            for (ending, text) in texts {
                self.hand.put(&path(ending), &Node::Absent, &self.file(text))?;
                written.push(path(ending));
            }
            return Ok(written);
        }
        Err(Refused::Unsafe(format!("{}/{stem} is there {MOST_NAMES} times", self.directory)))
    }

    /// Replaces a file, or a link that somebody put in its place.
    pub fn replace(&self, name: &str, text: &str) -> Result<String, Refused> {
        let path = format!("{}/{name}", self.directory);
        let was = self.hand.node(&path)?;
        self.hand.put(&path, &was, &self.file(text))?;
        Ok(path)
    }
}

/// Whose a directory is; `None` where nothing is there.
fn of_directory(path: &str, node: Node) -> Result<Option<Rights>, Refused> {
    match node {
        Node::Directory { rights, .. } => Ok(Some(rights)),
        Node::Absent => Ok(None),
        other => Err(Refused::Unsafe(format!("{path} is {}, where a directory belongs", other.word()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::hand::MemoryHand;

    const OWNER: Rights = Rights { uid: 1000, gid: 1000, mode: 0o755 };

    fn directory() -> Node {
        Node::Directory { rights: OWNER, attributes: Attributes::new() }
    }

    #[test]
    fn reports_are_the_repository_owners_and_never_replaced() {
        let contract = Contract::built_in();
        let repository = contract.repository.as_ref().unwrap().path.value.clone();
        let hand = MemoryHand::new([(repository.clone(), directory())]);
        let shelf = Shelf::open(&hand, &contract).unwrap().unwrap();
        let first = shelf.add("x", &[("md", "one"), ("json", "{}")]).unwrap();
        let second = shelf.add("x", &[("md", "two"), ("json", "{}")]).unwrap();
        let at = format!("{repository}/reports/safety");
        assert_eq!(first, [format!("{at}/x.md"), format!("{at}/x.json")]);
        assert_eq!(second, [format!("{at}/x-2.md"), format!("{at}/x-2.json")]);
        let nodes = hand.nodes();
        assert_eq!(nodes[&at].rights().unwrap().uid, 1000);
        assert_eq!(nodes[&first[0]].rights().unwrap(), Rights { mode: 0o644, ..OWNER });
    }

    #[test]
    fn a_page_takes_the_place_of_a_link_and_no_directory_of_one() {
        let contract = Contract::built_in();
        let repository = contract.repository.as_ref().unwrap().path.value.clone();
        let link = || Node::Link { target: "/etc/shadow".into(), uid: 1000, gid: 1000 };
        let hand = MemoryHand::new([(repository.clone(), directory())]);
        let shelf = Shelf::open(&hand, &contract).unwrap().unwrap();
        hand.set(&format!("{repository}/reports/safety/latest.md"), link());
        let path = shelf.replace("latest.md", "new").unwrap();
        assert!(matches!(&hand.nodes()[&path], Node::File { bytes, .. } if bytes == b"new"));
        let led_away =
            MemoryHand::new([(repository.clone(), directory()), (format!("{repository}/reports"), link())]);
        assert!(Shelf::open(&led_away, &contract).is_err());
    }
}
