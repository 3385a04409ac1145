//! What a timer, a socket and a path unit wait for, and which unit they start.

use super::{EffectiveUnit, Ignored, Setting};

/// A kind of unit that starts another one when something happens.
pub struct Trigger {
    /// `timer`, `socket`, `path`.
    pub kind: &'static str,
    /// Its section.
    pub section: &'static str,
    /// The setting that names what it starts.
    pub starts: &'static str,
    /// The settings that say what it waits for. An empty one of them takes all back: "the list of timers is reset (both
    /// OnCalendar= timers and monotonic timers)" (systemd.timer(5)), and so are addresses and paths.
    pub waits: &'static [&'static str],
    /// Settings beside them that are switched on or off.
    pub switches: &'static [&'static str],
    /// What is wrong where nothing is waited for.
    pub without: &'static str,
}

/// All of them: systemd.timer(5), systemd.socket(5), systemd.path(5).
pub const TRIGGERS: &[Trigger] = &[
    Trigger {
        kind: "timer",
        section: "Timer",
        starts: "Unit",
        waits: &[
            "OnCalendar",
            "OnActiveSec",
            "OnBootSec",
            "OnStartupSec",
            "OnUnitActiveSec",
            "OnUnitInactiveSec",
        ],
        switches: &["OnClockChange", "OnTimezoneChange"],
        without: "nothing triggers it: it has no OnCalendar= and no On…Sec=",
    },
    Trigger {
        kind: "socket",
        section: "Socket",
        starts: "Service",
        waits: &[
            "ListenStream",
            "ListenDatagram",
            "ListenSequentialPacket",
            "ListenFIFO",
            "ListenNetlink",
            "ListenSpecial",
            "ListenMessageQueue",
            "ListenUSBFunction",
        ],
        switches: &[],
        without: "it has no Listen setting (ListenStream=, ListenDatagram=, ListenFIFO=, …)",
    },
    Trigger {
        kind: "path",
        section: "Path",
        starts: "Unit",
        waits: &["PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"],
        switches: &[],
        without: "it watches no path",
    },
];

impl EffectiveUnit {
    /// What kind of trigger it is, where it is one.
    pub fn trigger(&self) -> Option<&'static Trigger> {
        TRIGGERS.iter().find(|trigger| trigger.kind == self.name.kind())
    }

    /// The unit that a trigger starts, and the setting that names it; without one it is the service of its own name.
    pub fn started(&self) -> Option<(String, Option<&Setting>)> {
        let trigger = self.trigger()?;
        let named =
            self.scalar(trigger.section, trigger.starts).filter(|setting| !setting.value().is_empty());
        let own = || Some(format!("{}.service", self.name.as_str().rsplit_once('.')?.0));
        let name = named.map_or_else(own, |setting| Some(setting.value().to_owned()))?;
        Some((name, named))
    }

    /// At how many places a socket unit listens: it hands over a descriptor for each.
    pub fn places_to_listen(&self) -> usize {
        let waits = self.trigger().map_or(&[][..], |trigger| trigger.waits);
        waits.iter().map(|key| self.assignments("Socket", key).count()).sum()
    }

    /// The first line of what a trigger waits for that systemd ignores.
    pub fn passed_over_trigger(&self) -> Option<&Ignored> {
        let trigger = self.trigger()?;
        self.ignored.iter().find(|ignored| {
            let key = ignored.text.split('=').next().unwrap_or_default().trim();
            trigger.waits.contains(&key) || trigger.switches.contains(&key)
        })
    }
}
