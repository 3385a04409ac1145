//! What a boot starts: from `default.target` along `Wants=`, `Requires=` and kin, and the links that stand for them.
//!
//! Only what leads to the contract's own units is in it, so the graph is walked from a unit back to the boot.
//!
//! A unit that a generator makes is visible on a running host only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::generators::Generators;
use crate::contract::Service;
use crate::model::Location;

/// The unit of a service that the boot has to start; `None` where something else starts it.
pub fn started(service: &Service) -> Option<String> {
    match (&service.timer, service.activated_by()) {
        (Some(timer), _) => Some(timer.value.clone()),
        (None, Some(unit)) => Some(unit),
        (None, None) => service.runs_by_itself().then(|| service.unit.value.clone()),
    }
}

/// The part of the start graph that leads to the units of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootFacts {
    /// The unit that `default.target` stands for; none where no disk of the host has such a unit.
    pub default: Option<Arc<str>>,
    /// Units by their own names.
    pub nodes: BTreeMap<Arc<str>, BootNode>,
    /// Other names of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<Arc<str>, Arc<str>>,
    /// Generators on a disk that systemd does not bring itself: they may make units, and links to those of their packages.
    #[serde(default, skip_serializing_if = "Generators::is_empty")]
    pub generators: Generators,
    /// Why not all of what units start was read: one that was not may start any other. Set where texts were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// A unit on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootNode {
    /// Whether it can be started.
    pub state: NodeState,
    /// Its file is of a package or made at boot, not an administrator's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_packaged: bool,
    /// What starts it.
    pub pulled_by: Vec<Pull>,
}

/// Whether a unit can be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It loads.
    Loaded,
    /// It has no file.
    Absent,
    /// It is masked.
    Masked,
    /// systemd refuses it.
    Refused,
    /// It could not be read: why.
    Unread(String),
}

/// A unit that starts another one, and where that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The unit.
    pub by: Arc<str>,
    /// The link or the line.
    pub at: Location,
}

/// Whether a boot comes to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It does.
    Yes,
    /// No unit starts it at all.
    Unpulled,
    /// What starts it is not started itself: the last unit on the way, why the way ends there, and the place.
    No(Arc<str>, String, Location),
    /// A generator makes units like this one, which no disk shows.
    Unknown(String),
}

/// What the targets of systemd itself start (their units, bootup(7)); a host may be a disk without them.
pub const OF_SYSTEMD: &[(&str, &str)] = &[
    ("multi-user.target", "graphical.target"),
    ("basic.target", "multi-user.target"),
    ("getty.target", "multi-user.target"),
    ("remote-fs.target", "multi-user.target"),
    ("sysinit.target", "basic.target"),
    ("sockets.target", "basic.target"),
    ("timers.target", "basic.target"),
    ("paths.target", "basic.target"),
    ("slices.target", "basic.target"),
    ("local-fs.target", "sysinit.target"),
    ("swap.target", "sysinit.target"),
    ("cryptsetup.target", "sysinit.target"),
    ("integritysetup.target", "sysinit.target"),
    ("veritysetup.target", "sysinit.target"),
];

/// Targets among them that do not wait for what they pull in, since they have `DefaultDependencies=no` (read in the units of
/// 247 to 262).
const WITHOUT_ORDER: &[&str] = &["local-fs.target", "remote-fs.target", "timers.target"];

/// Targets that udev starts when it finds such a device (systemd.special(7)), which no disk shows.
const OF_DEVICES: &[&str] =
    &["bluetooth.target", "printer.target", "smartcard.target", "sound.target", "usb-gadget.target"];

/// Where a boot goes on a host without any `default.target`: systemd brings it as a link to this one.
const USUAL_DEFAULT: &str = "graphical.target";

/// A way that is longer than this is none.
const LONGEST: usize = 64;

impl BootFacts {
    /// Whether a boot comes to a unit.
    pub fn reaches(&self, name: &str) -> Reached {
        match (self.walk(self.own(name), &mut BTreeSet::new(), LONGEST), &self.unread) {
            (Reached::Unpulled | Reached::No(..), Some(unread)) => {
                Reached::Unknown(format!("it is not known what else starts {name}: {unread}"))
            }
            (known, _) => known,
        }
    }

    /// The socket units that start a unit. All of them are known where the texts of all units were read.
    pub fn sockets_of(&self, name: &str) -> Vec<&Arc<str>> {
        let pulls = self.nodes.get(self.own(name)).into_iter().flat_map(|node| &node.pulled_by);
        let mut sockets: Vec<_> = pulls.map(|pull| &pull.by).filter(|by| by.ends_with(".socket")).collect();
        sockets.dedup();
        sockets
    }

    /// Whether a unit waits for a target that waits for it: a target comes after all that it pulls in (systemd.target(5)), so
    /// what a boot pulls into one target and is to start after a later one closes a circle, which systemd opens by not starting
    /// the unit. Both targets, the earlier one first; of systemd's own alone, whose order is known.
    pub fn circle(&self, name: &str, after: &[String]) -> Option<(String, String)> {
        let name = self.own(name);
        let pulls = &self.nodes.get(name)?.pulled_by;
        let is_boots =
            |target: &str| matches!(self.walk(target, &mut BTreeSet::new(), LONGEST), Reached::Yes);
        let waits_for = |later: &str, earlier: &str| {
            OF_SYSTEMD.contains(&(earlier, later)) && !WITHOUT_ORDER.contains(&earlier)
        };
        let default = self.default.as_deref().unwrap_or(USUAL_DEFAULT);
        for later in after.iter().filter(|later| later.ends_with(".target")) {
            let later = if later == "default.target" { default } else { self.own(later) };
            for earlier in pulls.iter().map(|pull| self.own(&pull.by)).filter(|by| by.ends_with(".target")) {
                if waits_for(later, earlier) && is_boots(later) && is_boots(earlier) {
                    return Some((earlier.to_owned(), later.to_owned()));
                }
            }
        }
        None
    }

    fn own<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, |own| own)
    }

    /// `seen` holds what was asked on the way: units that start each other in a ring are started by none of them.
    fn walk(&self, name: &str, seen: &mut BTreeSet<String>, left: usize) -> Reached {
        // `WantedBy=default.target` is a link below the name itself, whatever it leads to.
        if name == "default.target" || name == self.default.as_deref().unwrap_or(USUAL_DEFAULT) {
            return Reached::Yes;
        }
        if left == 0 || !seen.insert(name.to_owned()) {
            return Reached::Unpulled;
        }
        let mut no = Reached::Unpulled;
        for (_, by) in OF_SYSTEMD.iter().filter(|(target, _)| *target == name) {
            let way = match self.stands(by) {
                Ok(()) => self.walk(by, seen, left - 1),
                Err(Some(why)) => Reached::Unknown(why),
                Err(None) => continue,
            };
            match way {
                Reached::Yes => return Reached::Yes,
                unknown @ Reached::Unknown(_) => no = unknown,
                Reached::Unpulled | Reached::No(..) => {}
            }
        }
        for pull in self.nodes.get(name).into_iter().flat_map(|node| &node.pulled_by) {
            let (by, at) = (self.own(&pull.by), || pull.at.clone());
            let way = match self.stands(by) {
                Err(Some(why)) => Reached::Unknown(why),
                Err(None) => Reached::No(by.into(), self.fault(by), at()),
                Ok(()) => match self.walk(by, seen, left - 1) {
                    Reached::Unpulled => match self.unseen(by) {
                        Some(why) => Reached::Unknown(why),
                        None => Reached::No(by.into(), format!("nothing starts {by}"), at()),
                    },
                    // Why the way ends is said at the line where it begins.
                    Reached::No(last, why, _) => Reached::No(last, why, at()),
                    other => other,
                },
            };
            match (way, &no) {
                (Reached::Yes, _) => return Reached::Yes,
                (unknown @ Reached::Unknown(_), _) => no = unknown,
                (found, Reached::Unpulled) => no = found,
                _ => {}
            }
        }
        no
    }

    /// Whether a unit on the way can be started: `Err(None)` where it cannot, `Err(Some(why))` where that is not known.
    fn stands(&self, name: &str) -> Result<(), Option<String>> {
        let is_systemds = OF_SYSTEMD.iter().any(|(target, by)| *target == name || *by == name);
        match self.nodes.get(name).map(|node| &node.state) {
            Some(NodeState::Loaded) => Ok(()),
            Some(NodeState::Unread(why)) => Err(Some(format!("{name} could not be read: {why}"))),
            Some(NodeState::Absent) | None if is_systemds || name == "default.target" => Ok(()),
            Some(NodeState::Absent) | None => {
                let made = [".mount", ".automount", ".swap", ".device", ".slice", ".scope"];
                let by_generator = made.iter().any(|kind| name.ends_with(kind));
                let by_generator =
                    by_generator || self.generators.of(name).is_some() || OF_DEVICES.contains(&name);
                Err(by_generator.then(|| format!("{name} is made when the host boots, which no disk shows")))
            }
            Some(NodeState::Masked | NodeState::Refused) => Err(None),
        }
    }

    /// What may start a unit that no file starts.
    fn unseen(&self, name: &str) -> Option<String> {
        if OF_DEVICES.contains(&name) {
            return Some(format!("udev starts {name} when it finds such a device"));
        }
        if name.contains("@.") {
            return Some(format!("instances of {name} may be started by what no unit names"));
        }
        let generator =
            self.generators.of(name).filter(|_| self.nodes.get(name).is_some_and(|node| node.is_packaged))?;
        Some(format!("{generator} may have {name} started when the host boots"))
    }

    fn fault(&self, name: &str) -> String {
        match self.nodes.get(name).map(|node| &node.state) {
            Some(NodeState::Masked) => format!("{name} is masked"),
            Some(NodeState::Refused) => format!("systemd refuses {name}"),
            _ => format!("{name} does not exist"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(default: Option<&str>, edges: &[(&str, &str)], others: &[(&str, NodeState)]) -> BootFacts {
        let mut boot = BootFacts { default: default.map(Into::into), ..BootFacts::default() };
        for (unit, by) in edges {
            let at = Location::file(format!("/etc/systemd/system/{by}.wants/{unit}"));
            let node = boot.nodes.entry((*unit).into()).or_insert(BootNode {
                state: NodeState::Loaded,
                is_packaged: false,
                pulled_by: vec![],
            });
            node.pulled_by.push(Pull { by: (*by).into(), at });
        }
        for (unit, state) in others {
            let node = boot.nodes.entry((*unit).into()).or_insert(BootNode {
                state: state.clone(),
                is_packaged: false,
                pulled_by: vec![],
            });
            node.state = state.clone();
        }
        boot
    }

    #[test]
    fn a_boot_goes_from_its_target_to_what_that_starts() {
        let boot = graph(Some("multi-user.target"), &[("a.service", "multi-user.target")], &[]);
        assert_eq!(boot.reaches("a.service"), Reached::Yes);
        let boot = graph(Some("multi-user.target"), &[("a.service", "graphical.target")], &[]);
        assert!(matches!(boot.reaches("a.service"), Reached::No(by, ..) if &*by == "graphical.target"));
        let boot = graph(None, &[("a.service", "graphical.target")], &[]);
        assert_eq!(boot.reaches("a.service"), Reached::Yes, "as systemd itself has it");
        let boot = graph(Some("rescue.target"), &[("a.service", "multi-user.target")], &[]);
        assert!(matches!(boot.reaches("a.service"), Reached::No(..)));
        let timers = graph(Some("graphical.target"), &[("a.timer", "timers.target")], &[]);
        assert_eq!(timers.reaches("a.timer"), Reached::Yes);
        assert_eq!(timers.reaches("b.timer"), Reached::Unpulled);
    }

    #[test]
    fn what_is_absent_or_masked_starts_nothing() {
        let edges = [("a.service", "app.target"), ("app.target", "multi-user.target")];
        assert_eq!(graph(None, &edges, &[]).reaches("a.service"), Reached::Yes);
        let why = |state: NodeState| match graph(None, &edges, &[("app.target", state)]).reaches("a.service")
        {
            Reached::No(_, why, _) => why,
            other => format!("{other:?}"),
        };
        assert_eq!(why(NodeState::Absent), "app.target does not exist");
        assert_eq!(why(NodeState::Masked), "app.target is masked");
        let masked = graph(None, &edges, &[("multi-user.target", NodeState::Masked)]);
        assert!(matches!(masked.reaches("a.service"), Reached::No(..)));
        let mount = graph(None, &[("a.service", "srv.mount")], &[("srv.mount", NodeState::Absent)]);
        assert!(matches!(mount.reaches("a.service"), Reached::Unknown(_)));
    }

    #[test]
    fn a_ring_starts_nothing() {
        let boot = graph(None, &[("a.service", "b.service"), ("b.service", "a.service")], &[]);
        assert!(matches!(boot.reaches("a.service"), Reached::No(..)));
    }
}
