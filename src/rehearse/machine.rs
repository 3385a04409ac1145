//! Throwaway machines: a Debian image, an overlay on top of it, and systemd-nspawn as the boot loader. The work is
//! done by the script that the tests use too, which travels inside this program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::system::act::{Act, Rights};
use crate::system::hand::{Call, DiskHand, Ended, Hand};

/// The script.
const SCRIPT: &str = include_str!("../../tools/machine");

/// Where images and machines lie unless somebody says otherwise.
pub const STORE: &str = "/var/cache/golden/machines";

/// Seconds for an image, which is loaded from a mirror, and for anything in a machine.
const PATIENCE: u64 = 1800;

/// Why there is no machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMachine(pub String);

impl From<io::Error> for NoMachine {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a machine begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A release of the distribution with these packages, and nothing else.
    Distribution {
        /// Its name.
        suite: String,
        /// The packages.
        packages: Vec<String>,
    },
    /// This very host, below an overlay.
    Host,
}

/// A machine, which ends when this value does.
#[derive(Debug)]
pub struct Machine {
    script: String,
    store: String,
    name: String,
    /// It outlives this value.
    kept: bool,
    /// Somebody wants it to end.
    stopped: Arc<AtomicBool>,
}

impl Machine {
    /// Lays the files of a machine; they may be changed before it boots. With it, their directory. When `stopped` is set,
    /// nothing more is run in it, and whoever plays on it hears so.
    pub fn lay(
        store: &str,
        name: &str,
        ground: &Ground,
        stopped: Arc<AtomicBool>,
        talk: &mut dyn FnMut(&str),
    ) -> Result<(Self, String), NoMachine> {
        let act = Act::live();
        let script = format!("{store}/machine");
        act.make_way(&script)?;
        let own = Rights { uid: 0, gid: 0, mode: 0o700 };
        // Another rehearsal may begin at the same moment, so each takes the place with a whole file of its own.
        let new = format!("{script}.{}", std::process::id());
        act.write(&new, SCRIPT.as_bytes(), own)?;
        act.rename(&new, &script)?;
        let (store, name) = (store.to_owned(), name.to_owned());
        let mut machine = Self { script, store, name: name.clone(), kept: true, stopped };
        // Machines whose golden was killed.
        let _ = machine.call(&["gc"], talk);
        let image = match ground {
            Ground::Distribution { suite, packages } => {
                Some(machine.call(&["image", &format!("with:{}", packages.join(",")), suite], talk)?)
            }
            Ground::Host => None,
        };
        let _ = machine.call(&["down", &name], talk);
        // From here on there is something to take down, however far it comes.
        let owner = std::process::id().to_string();
        machine.kept = false;
        let root = match &image {
            Some(image) => machine.call(&["prepare", &name, image, "--owner", &owner], talk)?,
            None => machine.call(&["copy", &name, "--owner", &owner], talk)?,
        };
        Ok((machine, root))
    }

    /// Boots it. What outlives this process has no owner with whom it would end.
    pub fn boot(&self, talk: &mut dyn FnMut(&str)) -> Result<(), NoMachine> {
        let owner = if self.kept { "-".to_owned() } else { std::process::id().to_string() };
        self.call(&["up", &self.name, "--owner", &owner], talk).map(drop)
    }

    /// Lets it outlive this value.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// The script that enters it and ends it.
    pub fn script_path(&self) -> &str {
        &self.script
    }

    /// Reboots it and waits until it is up.
    pub fn reboot(&self) -> Result<(), String> {
        self.call(&["reboot", &self.name], &mut |_| {}).map(drop).map_err(|NoMachine(why)| why)
    }

    /// Runs a program in it as root. An error where it could not be run, or somebody wants the machine to end.
    pub fn run(&self, words: &[&str]) -> io::Result<Ended> {
        let ended = self.script(&[&["exec", &self.name, "--"][..], words].concat(), &mut |_| {});
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(io::Error::other("it was interrupted")),
            false => ended,
        }
    }

    /// Runs a program in it and wants a certain exit code; what it said otherwise.
    pub fn expect(&self, words: &[&str], code: i32) -> Result<(), String> {
        let ended = self.run(words).map_err(|error| error.to_string())?;
        if ended.code == Some(code) {
            return Ok(());
        }
        let shown = match ended.code {
            Some(other) => format!("ended with {other}, not {code}"),
            None => "was killed".to_owned(),
        };
        Err(format!("{} {shown}\n{}", words.join(" "), ended.said.trim_end()))
    }

    fn script(&self, words: &[&str], talk: &mut dyn FnMut(&str)) -> io::Result<Ended> {
        let words = std::iter::once(self.script.as_str()).chain(words.iter().copied()).map(str::to_owned);
        let environment = vec![("GOLDEN_MACHINES".to_owned(), self.store.clone())];
        DiskHand::live()
            .run(&Call { words: words.collect(), identity: None, environment, limit: PATIENCE }, talk)
    }

    /// The last line that the script prints. `talk` hears what it says to people.
    fn call(&self, words: &[&str], talk: &mut dyn FnMut(&str)) -> Result<String, NoMachine> {
        let ended = self.script(words, &mut |line| {
            if let Some(said) = line.strip_prefix("machine: ") {
                talk(said);
            }
        })?;
        let last = ended.said.trim_end().lines().next_back().unwrap_or_default();
        match ended.code {
            Some(0) => Ok(last.to_owned()),
            _ => Err(NoMachine(format!("machine {}: {}", words.join(" "), ended.said.trim_end()))),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.script(&["down", &self.name], &mut |_| {});
        }
    }
}
