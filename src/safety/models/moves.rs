//! A transition as a plan: which artefacts come and go, which variables of the env file change, and what the ledger is to
//! say of it. The host is read; nothing is changed here.
//!
//! An activation is a plan. An assignment of an env file is kept as text, so that a rollback restores the very bytes
//! and leaves beside them what was rotated since. The artefact of a canary lies beside the active one, so that both
//! exist until the service has restarted. A rollback is not undone if its service does not start: that would bring the
//! bad model back.

use crate::contract::{Assignment, Contract, Health, Model, Service};
use crate::ledger::Event;
use crate::ledger::models::{Change as Text, Lifecycle, Registered, State, Step as Past, fact};
use crate::model::Stated;
use crate::model::change::{Change, Coming, Going, Verb};
use crate::plan::{Plan, Step};
use crate::syntax::env_file;
use crate::system::hand::{Hand, Node};

/// Seconds that a service must have been up and quiet after a model has changed: one that dies after its first seconds is
/// noticed.
pub const QUIET: u64 = 12;

/// What the name of a canary's artefact begins with.
pub const CANARY: &str = "canary-";

/// The version of an artefact that golden did not register.
const UNKNOWN: &str = "unregistered-0";

/// What a transition is planned on.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// What reads the host.
    pub hand: &'a dyn Hand,
    /// The contract.
    pub contract: &'a Contract,
    /// The model.
    pub model: &'a Model,
    /// The time, for names in the archive.
    pub now: jiff::Timestamp,
}

/// A transition that can be made.
#[derive(Clone, Debug)]
pub struct Move {
    /// What is to be done.
    pub plan: Plan,
    /// What the ledger says when it is done.
    pub event: Event,
    /// With which facts.
    pub facts: Vec<(String, String)>,
    /// What stays as it is, since somebody else has changed it.
    pub left: Vec<String>,
}

/// A place where an artefact of a model lies.
struct Slot {
    path: String,
    /// What lies there now.
    digest: Option<String>,
}

/// A variable as the env file has it and as it is to be.
struct Wanted<'a> {
    name: &'a str,
    value: String,
    /// It is a switch: where the file does not have it, the service may know it by another name, and obey neither.
    must_be_there: bool,
}

impl<'a> Ground<'a> {
    /// The directory of the models.
    fn place(&self) -> Result<&'a str, String> {
        let place = self.contract.model_place();
        place
            .map(|place| place.path.value.as_str())
            .ok_or_else(|| "the contract names no place of models".to_owned())
    }

    /// The service that loads the model.
    pub fn service(&self) -> Result<&'a Service, String> {
        let name = &self.model.service.value;
        let found = self.contract.services.iter().find(|service| *service.name == **name);
        found.ok_or_else(|| format!("the contract has no service {name}"))
    }

    /// Where the active artefact lies.
    pub fn active_path(&self) -> Result<String, String> {
        Ok(format!("{}/active/{}", self.place()?, self.model.artefact.value))
    }

    /// Where the artefact of a canary lies.
    pub fn canary_path(&self) -> Result<String, String> {
        Ok(format!("{}/active/{CANARY}{}", self.place()?, self.model.artefact.value))
    }

    /// The place where training leaves what is to be judged.
    pub fn shadow_directory(&self) -> Result<String, String> {
        Ok(format!("{}/shadow", self.place()?))
    }

    fn digest(&self, path: &str) -> Result<Option<String>, String> {
        let found = self.hand.digest(path, 0).map_err(|refused| refused.to_string())?;
        Ok(found.map(|found| found.digest))
    }

    /// What lies at a path, which must be what the ledger says. What golden never placed is taken as it is.
    fn slot(&self, path: String, known: Option<&Past>) -> Result<Slot, String> {
        let digest = self.digest(&path)?;
        match known {
            Some(step) if digest.as_deref() != Some(&step.artefact.digest) => Err(format!(
                "{path} is not the artefact that the ledger says (entry {}): {}",
                step.entry,
                digest.map_or("nothing is there".to_owned(), |digest| format!("sha256 {digest}"))
            )),
            _ => Ok(Slot { path, digest }),
        }
    }

    /// A new name in the archive: when, which model, which version.
    fn archived(&self, version: &str) -> Result<String, String> {
        let (place, time) = (self.place()?, self.now.strftime("%Y%m%dT%H%M%S.%3fZ"));
        let (model, file) = (&self.model.name, &self.model.artefact.value);
        let kind = file.rsplit_once('.').map_or(String::new(), |(_, kind)| format!(".{kind}"));
        Ok(format!("{place}/archive/{time}_{model}_{version}{kind}"))
    }

    /// What is in a slot, with the name that it gets.
    fn going(&self, slot: &Slot, life: &Lifecycle) -> Result<Option<Going>, String> {
        let Some(digest) = slot.digest.clone() else { return Ok(None) };
        let version = life.version_of(&digest).unwrap_or(UNKNOWN);
        Ok(Some(Going { aside: self.archived(version)?, digest }))
    }

    fn env_text(&self) -> Result<Vec<u8>, String> {
        let path = &self.model.env_file;
        match self.hand.node(path).map_err(|refused| refused.to_string())? {
            Node::File { bytes, .. } => Ok(bytes),
            other => Err(format!("{path} is {}, where the env file belongs", other.word())),
        }
    }

    /// The texts of assignments that must change so that the service receives these values.
    fn assignments(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Text>, String> {
        let bytes = self.env_text()?;
        let mut changes = Vec::new();
        let read = env_file::parse(&bytes, u32::MAX);
        for Wanted { name, value, must_be_there } in wanted {
            self.refuse_overridden(name)?;
            let is = read.get(name).map(|variable| variable.value.as_str());
            if is == Some(value.as_str()) {
                continue;
            }
            if *must_be_there && is.is_none() {
                return Err(format!(
                    "{} does not set {name}; write there what it is now, so that it is known which variable is switched",
                    self.model.env_file
                ));
            }
            changes.push(Text {
                name: (*name).to_owned(),
                was: self.text_of(&bytes, name)?,
                now: Some(Change::env_line(name, value)),
            });
        }
        Ok(changes)
    }

    /// The text of the assignment of a variable that counts.
    fn text_of(&self, bytes: &[u8], name: &str) -> Result<Option<String>, String> {
        let found = env_file::assignment(bytes, name).map(|at| bytes[at].to_vec());
        let text = found.map(String::from_utf8).transpose();
        text.map_err(|_| format!("{name} in {} is not UTF-8; correct it by hand", self.model.env_file))
    }

    /// A later env file that sets the same variable would win.
    fn refuse_overridden(&self, name: &str) -> Result<(), String> {
        let later =
            self.service()?.env_files.iter().skip_while(|file| file.path != self.model.env_file).skip(1);
        for file in later {
            let node = self.hand.node(&file.path).map_err(|refused| refused.to_string())?;
            if let Node::File { bytes, .. } = node
                && env_file::parse(&bytes, u32::MAX).get(name).is_some()
            {
                return Err(format!(
                    "{} sets {name}, too, and is read after {}",
                    file.path, self.model.env_file
                ));
            }
        }
        Ok(())
    }

    fn step(&self, change: Change) -> Step {
        Step::new(format!("model:{}", self.model.name), format!("model {}", self.model.name), change)
    }

    fn edits(&self, changes: &[Text]) -> Vec<Step> {
        let edit = |change: &Text| {
            let Text { name, was, now } = change.clone();
            self.step(Change::Assignment { path: self.model.env_file.clone(), name, was, now })
        };
        changes.iter().map(edit).collect()
    }

    /// The service is restarted, and must stay up for long enough.
    fn restart(&self, tried: bool) -> Result<Step, String> {
        let service = self.service()?;
        let own = service.health();
        let quiet = Stated::new(own.quiet().max(QUIET), self.model.at.clone());
        let health = Health { active_for: Some(quiet), ..own.clone() };
        let change = Change::Unit { verb: Verb::Restart, unit: service.unit.value.clone() };
        let step = Step::new(format!("service:{}", service.name), "what it loads has changed", change);
        Ok(Step { health: Some(health), tried, ..step })
    }

    fn facts(&self, digest: &str, version: &str, changes: &[Text]) -> Vec<(String, String)> {
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = vec![
            fact(fact::MODEL, &self.model.name),
            fact(fact::ARTEFACT, digest),
            fact(fact::VERSION, version),
            fact(fact::FILE, &self.model.env_file),
        ];
        for change in changes {
            all.extend(change.was.iter().map(|was| (format!("{}{}", fact::WAS, change.name), was.clone())));
            all.extend(change.now.iter().map(|now| (format!("{}{}", fact::NOW, change.name), now.clone())));
        }
        all
    }

    /// The registered artefact becomes a canary. `share` is the part of the traffic that it gets, where the contract names
    /// a variable for that.
    pub fn canary(&self, life: &Lifecycle, shadow: &Registered, share: Option<&str>) -> Result<Move, String> {
        self.slot(self.active_path()?, life.active())?;
        let slot = self.slot(self.canary_path()?, life.canary())?;
        let from = self.digest(&shadow.path)?;
        if from.as_deref() != Some(&shadow.artefact.digest) {
            return Err(format!(
                "{} is not what was registered (entry {}): {}",
                shadow.path,
                shadow.entry,
                from.map_or("nothing is there".to_owned(), |digest| format!("sha256 {digest}"))
            ));
        }
        let mut wanted = wanted(&self.model.canary, &slot.path);
        match (&self.model.share, share) {
            (Some(name), Some(share)) => wanted.push(new(&name.value, share.to_owned())),
            (None, Some(_)) => {
                return Err("the contract names no variable for a share of the traffic".to_owned());
            }
            (_, None) => {}
        }
        let changes = self.assignments(&wanted)?;
        let was = self.going(&slot, life)?;
        let artefact = &shadow.artefact;
        let now = Some(Coming { from: shadow.path.clone(), digest: artefact.digest.clone() });
        let mut facts = self.facts(&artefact.digest, &artefact.version, &changes);
        facts.extend(kept(was.as_ref()));
        let steps = [self.step(Change::Artefact { to: slot.path, now, was })];
        let steps = steps.into_iter().chain(self.edits(&changes)).chain([self.restart(false)?]).collect();
        Ok(Move { plan: Plan { steps }, event: Event::Canaried, facts, left: Vec::new() })
    }

    /// The canary becomes the active one, which is archived.
    pub fn promote(&self, life: &Lifecycle) -> Result<Move, String> {
        let canary = life.canary().ok_or("there is no canary to promote")?;
        let artefact = &canary.artefact;
        let from = self.slot(self.canary_path()?, Some(canary))?;
        let slot = self.slot(self.active_path()?, life.active())?;
        let mut all = wanted(&self.model.active, &slot.path);
        // What the promotion does not name keeps the canary's value, but for the path and the share.
        let is_named = |name: &str| self.model.active.iter().any(|one| one.name == name);
        let paths = self
            .model
            .canary
            .iter()
            .filter(|one| one.value.value.contains(crate::contract::models::ARTEFACT));
        let moved = paths.filter(|one| !is_named(&one.name));
        all.extend(moved.map(|one| new(&one.name, one.value_for(&slot.path))));
        let share = self.model.share.iter().filter(|name| !is_named(&name.value));
        all.extend(share.map(|name| new(&name.value, "1".to_owned())));
        let changes = self.assignments(&all)?;
        let was = self.going(&slot, life)?;
        let mut facts = self.facts(&artefact.digest, &artefact.version, &changes);
        facts.extend(kept(was.as_ref()));
        facts.extend(slot.digest.iter().map(|digest| (fact::REPLACED.to_owned(), digest.clone())));
        let mut steps = Vec::new();
        if slot.digest.as_ref() != Some(&artefact.digest) {
            let now = Some(Coming { from: from.path.clone(), digest: artefact.digest.clone() });
            steps.push(self.step(Change::Artefact { to: slot.path.clone(), now, was }));
        }
        steps.extend(self.edits(&changes));
        steps.push(self.restart(false)?);
        let gone = Going { digest: artefact.digest.clone(), aside: slot.path };
        steps.push(self.step(Change::Artefact { to: from.path, now: None, was: Some(gone) }));
        Ok(Move { plan: Plan { steps }, event: Event::Promoted, facts, left: Vec::new() })
    }

    /// Back to the first `steps` of those that count.
    pub fn rollback(&self, life: &Lifecycle, steps: usize) -> Result<Move, String> {
        let (target, popped) = (life.back_to(steps), &life.steps[steps..]);
        if popped.is_empty() {
            return Err("nothing was activated since".to_owned());
        }
        let canary = self.slot(self.canary_path()?, life.canary())?;
        let active = self.slot(self.active_path()?, life.active())?;
        let (before, left) = self.texts_before(popped)?;
        let mut plan = Plan::default();
        let mut facts: Vec<(String, String)> = Vec::new();
        let of_canary = target.canary().map(|step| step.artefact.digest.as_str());
        // The first promotion that is taken back knows what lay there before, golden's or not.
        let promoted = popped.iter().find(|step| step.state == State::Active);
        let of_active = promoted.map_or(active.digest.as_deref(), |step| step.replaced.as_deref());
        for (slot, wanted) in [(&canary, of_canary), (&active, of_active)] {
            if slot.digest.as_deref() == wanted {
                continue;
            }
            let now = match wanted {
                Some(digest) => {
                    Some(Coming { from: self.kept_at(life, digest, &active)?, digest: digest.to_owned() })
                }
                None => None,
            };
            let was = self.going_back(slot, life, &canary, &active)?;
            facts.extend(kept(was.as_ref()));
            plan.steps.push(self.step(Change::Artefact { to: slot.path.clone(), now, was }));
        }
        plan.steps.extend(self.edits(&before));
        plan.steps.push(self.restart(true)?);
        let live = target.live().map(|step| step.artefact.clone());
        let (digest, version) = live.map_or_else(Default::default, |live| (live.digest, live.version));
        let to = target.live().map_or(0, |step| step.entry);
        facts.extend(self.facts(&digest, &version, &before));
        facts.push((fact::TO.to_owned(), to.to_string()));
        Ok(Move { plan, event: Event::RolledBack, facts, left })
    }

    /// What goes from a slot in a rollback; two slots with the same bytes are kept under one name.
    fn going_back(
        &self,
        slot: &Slot,
        life: &Lifecycle,
        canary: &Slot,
        active: &Slot,
    ) -> Result<Option<Going>, String> {
        let Some(digest) = &slot.digest else { return Ok(None) };
        let elsewhere = life.kept.iter().filter(|(kept, _)| kept == digest).map(|(_, path)| path);
        for path in elsewhere {
            if self.digest(path)?.as_ref() == Some(digest) {
                return Ok(Some(Going { digest: digest.clone(), aside: path.clone() }));
            }
        }
        let both = canary.digest.is_some() && canary.digest == active.digest;
        match both && slot.path == canary.path {
            true => Ok(Some(Going { digest: digest.clone(), aside: active.path.clone() })),
            false => self.going(slot, life),
        }
    }

    /// Where the bytes with a digest lie: in the archive, or in the active place.
    fn kept_at(&self, life: &Lifecycle, digest: &str, active: &Slot) -> Result<String, String> {
        if active.digest.as_deref() == Some(digest) {
            return Ok(active.path.clone());
        }
        let kept = life.kept.iter().filter(|(kept, _)| kept == digest).map(|(_, path)| path);
        let registered =
            life.registered.iter().rev().filter(|one| one.artefact.digest == digest).map(|one| &one.path);
        for path in kept.chain(registered) {
            if self.digest(path).is_ok_and(|found| found.as_deref() == Some(digest)) {
                return Ok(path.clone());
            }
        }
        Err(format!("no backup of the artefact with sha256 {digest} is left, so it cannot come back"))
    }

    /// What the variables were before these steps, and which of them somebody else has changed since.
    fn texts_before(&self, popped: &[Past]) -> Result<(Vec<Text>, Vec<String>), String> {
        let bytes = self.env_text()?;
        let mut names: Vec<&str> =
            popped.iter().flat_map(|step| step.changes.iter().map(|one| one.name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        let (mut changes, mut left) = (Vec::new(), Vec::new());
        for name in names {
            let mut of = popped.iter().flat_map(|step| &step.changes).filter(|one| one.name == name);
            let Some(first) = of.next() else { continue };
            let last = of.next_back().unwrap_or(first);
            let is = self.text_of(&bytes, name)?;
            if is == first.was {
                continue;
            }
            match is == last.now {
                true => changes.push(Text { name: name.to_owned(), was: is, now: first.was.clone() }),
                false => left
                    .push(format!("{name} in {} was changed since, and not by golden", self.model.env_file)),
            }
        }
        Ok((changes, left))
    }
}

fn wanted<'a>(set: &'a [Assignment], path: &str) -> Vec<Wanted<'a>> {
    let wanted = |one: &'a Assignment| Wanted {
        must_be_there: !one.value.value.contains(crate::contract::models::ARTEFACT),
        ..new(&one.name, one.value_for(path))
    };
    set.iter().map(wanted).collect()
}

/// A variable that the file may lack so far.
fn new(name: &str, value: String) -> Wanted<'_> {
    Wanted { name, value, must_be_there: false }
}

/// The fact of an artefact that is kept in the archive.
fn kept(was: Option<&Going>) -> Option<(String, String)> {
    let was = was.filter(|was| was.aside.contains("/archive/"))?;
    Some((format!("{}{}", fact::KEPT, was.digest), was.aside.clone()))
}

#[cfg(test)]
mod tests;
