//! Lays drop-ins over a fragment the way systemd does.

mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use super::kinds::{Adding, REFUSES_UNKNOWN_SPECIFIERS, adding, expands, into_words, put_escaped, stays};
use super::{EffectiveUnit, Ignored, LoadState, Setting, TRIGGERS};
use crate::model::Location;
use crate::syntax::unit_file::{Entry, Note, NoteKind, UnitFile, has_unsafe_characters};
use crate::systemd::command_line::{self, CommandLine};
use crate::systemd::environment::{Assignment, DroppedItem, List, parse_environment};
use crate::systemd::known::{self, Known, Name};
use crate::systemd::specifier::{SpecifierError, Specifiers};
use crate::systemd::unit_name::UnitName;
use crate::systemd::value::{self, Mangled, Reading};
use crate::systemd::version::SystemdVersion;

impl EffectiveUnit {
    /// Merges a fragment and its drop-ins, which are in the order of application.
    pub fn merge(
        name: &UnitName,
        fragment: UnitFile,
        drop_ins: Vec<UnitFile>,
        specifiers: &Specifiers<'_>,
        version: SystemdVersion,
    ) -> EffectiveUnit {
        let mut unit = EffectiveUnit::bare(name, LoadState::Loaded, Some(fragment.path.clone()));
        unit.version = version;
        unit.drop_ins = drop_ins.iter().map(|file| file.path.clone()).collect();
        let mut merge = Merge {
            unit,
            specifiers,
            version,
            settings: Vec::new(),
            places: HashMap::new(),
            resets: HashMap::new(),
            vain_resets: HashMap::new(),
        };
        // A fragment that cannot be read to its end fails the unit; a drop-in only ends there.
        if let Err(stop) = merge.file(&fragment) {
            merge.unit.load = match stop {
                Stop::Refused(why, at) => LoadState::BadSetting(why, at),
                Stop::Failed(why, at) => LoadState::Error(why, at),
            };
        }
        for file in &drop_ins {
            if let Err(Stop::Refused(why, at) | Stop::Failed(why, at)) = merge.file(file) {
                let why = format!("{why}; the rest of the file is not read");
                merge.unit.ignored.push(Ignored { text: line_of(file, &at), at, why });
            }
        }
        merge.unit.settings = merge.settings.drain(..).flatten().collect();
        merge.unit.index = Default::default();
        merge.unit.vain_resets = merge.vain_resets();
        merge.inherit_output();
        merge.judge();
        let mut resets: Vec<Setting> = merge
            .resets
            .drain()
            .filter_map(|((section, key), swept)| last_reset(section, key, swept))
            .collect();
        resets.sort_by_key(|reset| (reset.section, reset.key));
        merge.unit.resets = resets;
        merge.unit
    }
}

/// The text of a line that ended a drop-in.
fn line_of(file: &UnitFile, at: &Location) -> String {
    let is_there = |line: u32| at.line_number() == Some(line);
    let entry = file.entries.iter().find(|entry| is_there(entry.line));
    let header = || file.headers.iter().find(|(_, line)| is_there(*line));
    match (entry, &file.fatal) {
        (Some(entry), _) => format!("{}={}", entry.key, entry.value),
        (None, Some(note)) => note.text.clone(),
        (None, None) => header().map_or_else(String::new, |(section, _)| format!("[{section}]")),
    }
}

/// Why a file is not read to its end.
enum Stop {
    /// systemd's load state is `bad-setting`.
    Refused(String, Location),
    /// systemd's load state is `error`.
    Failed(String, Location),
}

/// What empty assignments of a setting swept away, the last one of them last.
type Swept = Vec<(Location, String)>;

struct Merge<'a> {
    unit: EffectiveUnit,
    specifiers: &'a Specifiers<'a>,
    version: SystemdVersion,
    /// The assignments in order; what was overridden or swept away leaves a gap.
    settings: Vec<Option<Setting>>,
    /// Where the assignments of a setting that count are.
    places: HashMap<(Name, Name), Vec<usize>>,
    /// Empty assignments and what they swept away, for the next assignment of the setting.
    resets: HashMap<(Name, Name), Swept>,
    /// The last empty assignment of a setting that stays as it was.
    vain_resets: HashMap<(Name, Name), Location>,
}

const EXEC: &str = "PATH [ARGUMENT [...]]";

impl Merge<'_> {
    fn refuse(&mut self, why: impl Into<String>, at: Location) {
        if self.unit.load == LoadState::Loaded {
            self.unit.load = LoadState::BadSetting(why.into(), at);
        }
    }

    fn file(&mut self, file: &UnitFile) -> Result<(), Stop> {
        for note in &file.notes {
            self.unit.ignored.push(Ignored {
                text: note.text.clone(),
                at: Location::line(file.path.clone(), note.line),
                why: note.kind.words().to_owned(),
            });
        }
        for (section, line) in &file.headers {
            let is_bare = file.entries.iter().all(|entry| entry.section != *section);
            let look = || known::look(self.version, self.unit.name.kind(), section, "");
            if is_bare && look() == Known::UnknownSection {
                let why = format!("a {} has no section [{section}]", self.unit.name.kind());
                let at = Location::line(file.path.clone(), *line);
                self.unit.ignored.push(Ignored { text: format!("[{section}]"), at, why });
            }
        }
        let broken = self.broken_header(file);
        let read = |entry: &&Entry| broken.is_none_or(|line| entry.line < line);
        for entry in file.entries.iter().filter(read) {
            self.entry(entry, &file.path)?;
        }
        if let Some(line) = broken {
            let why = NoteKind::BrokenHeader.words().to_owned();
            return Err(Stop::Failed(why, Location::line(file.path.clone(), line)));
        }
        match &file.fatal {
            Some(Note { line, kind, .. }) => {
                Err(Stop::Failed(kind.words().to_owned(), Location::line(file.path.clone(), *line)))
            }
            None => Ok(()),
        }
    }

    /// The line of the first header at whose name this systemd gives the file up: all but the oldest do at unsafe
    /// characters, the newest at an empty name as well. The others take either for a section that they do not know.
    fn broken_header(&mut self, file: &UnitFile) -> Option<u32> {
        for (section, line) in &file.headers {
            let gives_up = match section.is_empty() {
                true => self.version.has(262),
                false if has_unsafe_characters(section) => self.version.has(252),
                false => continue,
            };
            match gives_up {
                Some(true) => return Some(*line),
                Some(false) => {}
                None => self.unit.unmeasured.push(Ignored {
                    text: format!("[{section}]"),
                    at: Location::line(file.path.clone(), *line),
                    why: format!("whether systemd {} reads the file on was not measured", self.version),
                }),
            }
        }
        None
    }

    fn entry(&mut self, entry: &Entry, path: &Arc<str>) -> Result<(), Stop> {
        let at = Location::line(path.clone(), entry.line);
        let why = match known::look(self.version, self.unit.name.kind(), &entry.section, &entry.key) {
            Known::Setting { section, key, kind } => {
                return self.assign(section, key, kind, &entry.value, at);
            }
            Known::Private => return Ok(()),
            Known::Unmeasured { section, key, between: (older, newer) } => {
                let why = format!(
                    "it was not measured whether systemd {} knows it; only one of {older} and {newer} does",
                    self.version
                );
                self.unit.unmeasured.push(Ignored {
                    text: format!("{key}={}", entry.value),
                    at: at.clone(),
                    why: why.clone(),
                });
                if !entry.value.is_empty() {
                    self.push(Setting::written(section, key, &entry.value, Some(why), at), "");
                }
                return Ok(());
            }
            Known::Beyond { nearest } => {
                let why = format!(
                    "it was not measured whether systemd {} knows it; {nearest} does not",
                    self.version
                );
                self.unit.unmeasured.push(Ignored {
                    text: format!("{}={}", entry.key, entry.value),
                    at,
                    why,
                });
                return Ok(());
            }
            Known::WrongSection(section) => format!("{} belongs in [{section}]", entry.key),
            Known::Unknown => {
                format!("systemd {} knows no {} in [{}]", self.version, entry.key, entry.section)
            }
            Known::UnknownSection => {
                format!("a {} has no section [{}]", self.unit.name.kind(), entry.section)
            }
        };
        self.unit.ignored.push(Ignored { text: format!("{}={}", entry.key, entry.value), at, why });
        Ok(())
    }

    fn assign(
        &mut self,
        section: Name,
        key: Name,
        kind: &'static str,
        raw: &str,
        at: Location,
    ) -> Result<(), Stop> {
        if raw.is_empty() {
            if &*key == "DynamicUser" {
                return Err(Stop::Refused(format!("{key}= is not a boolean"), at));
            }
            let was_said = self.places.get(&(section, key)).is_some_and(|places| !places.is_empty());
            match stays(&key, kind) {
                false if kind == "CONDITION" => self.reset_conditions(section, key, &at),
                false
                    if let Some(trigger) =
                        TRIGGERS.iter().find(|trigger| trigger.waits.contains(&key.as_str())) =>
                {
                    for other in trigger.waits.iter().filter_map(|key| known::name(key)) {
                        self.reset(section, other, at.clone());
                    }
                }
                false => self.reset(section, key, at),
                true if was_said => drop(self.vain_resets.insert((section, key), at)),
                true => {}
            }
            return Ok(());
        }
        let read = match self.reading(key, kind, raw) {
            Ok(Reading { value, passed_over, unmeasured }) => {
                for why in unmeasured {
                    self.unit.unmeasured.push(Ignored { text: format!("{key}={raw}"), at: at.clone(), why });
                }
                for why in passed_over {
                    self.unit.ignored.push(Ignored { text: format!("{key}={raw}"), at: at.clone(), why });
                }
                value
            }
            Err(Unusable::Unread(why)) => {
                self.push(Setting::written(section, key, raw, Some(why), at), kind);
                return Ok(());
            }
            Err(Unusable::Dropped(why)) => {
                self.unit.ignored.push(Ignored { text: format!("{key}={raw}"), at, why });
                return Ok(());
            }
            Err(Unusable::Refused(why)) => return Err(Stop::Refused(format!("{key}={raw}: {why}"), at)),
            Err(Unusable::Failed(why)) => return Err(Stop::Failed(format!("{key}={raw}: {why}"), at)),
        };
        let mut setting = Setting::written(section, key, raw, None, at);
        setting.read = read.filter(|read| read != raw).map(Into::into);
        self.push(setting, kind);
        Ok(())
    }

    /// What systemd makes of a text.
    fn reading(&self, key: Name, kind: &'static str, raw: &str) -> Result<Reading, Unusable> {
        if kind == EXEC {
            return self.command(raw).map(|value| Reading { value, ..Reading::default() });
        }
        let expanded = match expands(&key, kind) {
            true => self.specifiers.expand_with(raw, into_words(&key, kind)),
            false => Ok(raw.into()),
        };
        let expanded = match expanded {
            Err(error @ SpecifierError::NotRead(_)) => return Err(Unusable::Unread(error.to_string())),
            _ if kind == "ENVIRON" && self.has_bad_items(raw) => return Ok(self.good_items(raw)),
            Ok(expanded) => expanded,
            _ if kind == "ENVIRON" && self.has_bad_items(raw) => return Ok(self.good_items(raw)),
            Err(error) if REFUSES_UNKNOWN_SPECIFIERS.contains(&key.as_str()) => {
                return Err(Unusable::Refused(error.to_string()));
            }
            Err(error) => return Err(Unusable::Dropped(error.to_string())),
        };
        let reader = value::Reader { version: self.version, unit: &self.unit.name };
        match reader.canonical(&key, kind, &expanded) {
            Ok(mut read) => {
                read.value = read.value.or_else(|| (expanded != raw).then(|| expanded.into_owned()));
                Ok(read)
            }
            // What systemd 252 ignores of it, 247 takes for an error.
            Err(Mangled { why, .. }) if &*key == "CPUAffinity" && self.version.has(252) == Some(false) => {
                Err(Unusable::Failed(why))
            }
            Err(Mangled { why, .. }) if &*key == "PIDFile" || key.ends_with("ImagePolicy") => {
                Err(Unusable::Failed(why))
            }
            Err(Mangled { why, refused: true }) => Err(Unusable::Refused(why)),
            Err(Mangled { why, refused: false }) => Err(Unusable::Dropped(why)),
        }
    }

    fn items(&self, raw: &str) -> List<Assignment> {
        parse_environment(raw, &|word| match self.specifiers.expand(word) {
            Ok(expanded) => Ok(expanded.into_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    fn has_bad_items(&self, raw: &str) -> bool {
        !self.items(raw).dropped.is_empty()
    }

    /// `Environment=` without the items that systemd leaves out, which do not keep the others from counting.
    fn good_items(&self, raw: &str) -> Reading {
        let list = self.items(raw);
        let mut value = String::with_capacity(raw.len());
        for item in &list.items {
            if !value.is_empty() {
                value.push(' ');
            }
            put_escaped(&format!("{}={}", item.name, item.value), &mut value);
        }
        let words = |dropped: &DroppedItem| format!("{}: {}", dropped.text, dropped.why.words());
        let passed_over = list.dropped.iter().map(words).collect();
        Reading { value: Some(value), passed_over, ..Reading::default() }
    }

    fn command(&self, raw: &str) -> Result<Option<String>, Unusable> {
        // The line is judged word by word, as systemd expands it.
        let unread = std::cell::Cell::new(None);
        let line = command_line::parse_with(raw, &|word| match self.specifiers.expand(word) {
            Ok(expanded) => Ok(expanded.into_owned()),
            Err(error @ SpecifierError::NotRead(_)) => {
                unread.set(Some(error.to_string()));
                Ok(word.to_owned())
            }
            Err(error) => Err(error.to_string()),
        });
        match line.error {
            Some(error) if error.refuses_unit => return Err(Unusable::Refused(error.why.to_string())),
            Some(error) if line.commands.is_empty() => return Err(Unusable::Dropped(error.why.to_string())),
            None if line.commands.is_empty() => {
                return Err(Unusable::Dropped("there is no command".to_owned()));
            }
            _ => {}
        }
        self.shell_prefix(&line)?;
        if let Some(command) = line.commands.iter().find(|command| command.argv0.ends_with('/')) {
            return Err(Unusable::Refused(format!("{} names a directory", command.argv0)));
        }
        if let Some(why) = unread.take() {
            return Err(Unusable::Unread(why));
        }
        match self.specifiers.expand_with(raw, &put_escaped) {
            Ok(expanded) => Ok((expanded != raw).then(|| expanded.into_owned())),
            // In a command that is left out for its dash.
            Err(_) => Ok(None),
        }
    }

    /// `|` before a program: older versions take it for a part of its name.
    fn shell_prefix(&self, line: &CommandLine) -> Result<(), Unusable> {
        let version = self.version;
        match line.commands.iter().any(|command| command.prefixes.shell).then(|| version.has(262)) {
            None | Some(Some(true)) => Ok(()),
            Some(Some(false)) => {
                Err(Unusable::Refused(format!("systemd {version} does not know | before a program")))
            }
            Some(None) => Err(Unusable::Unread(format!(
                "whether systemd {version} knows | before a program was not measured"
            ))),
        }
    }

    fn push(&mut self, mut setting: Setting, kind: &str) {
        let place = (setting.section, setting.key);
        setting.overrode = self.resets.remove(&place).unwrap_or_default();
        let places = self.places.entry(place).or_default();
        if adding(setting.key, kind) == Adding::Last {
            self.vain_resets.remove(&place);
            if let Some(old) = places.pop().and_then(|at| self.settings[at].take()) {
                // Moved, not copied: a hundred thousand assignments of one setting are read in one pass.
                setting.overrode = old.overrode;
                setting.overrode.push((old.at, old.raw.into()));
            }
        }
        places.push(self.settings.len());
        self.settings.push(Some(setting));
    }

    /// An empty `ConditionUser=` takes back every other condition, too; assertions are a list of their own. Measured on 252
    /// and 257.
    fn reset_conditions(&mut self, section: Name, key: Name, at: &Location) {
        let prefix = if key.starts_with("Assert") { "Assert" } else { "Condition" };
        let stated = |(other, name): &&(Name, Name)| *other == section && name.starts_with(prefix);
        let others: Vec<Name> = self.places.keys().filter(stated).map(|(_, name)| *name).collect();
        others.into_iter().filter(|name| *name != key).for_each(|name| self.reset(section, name, at.clone()));
        self.reset(section, key, at.clone());
    }

    /// An empty assignment clears what came before and leaves its trace to the next one.
    fn reset(&mut self, section: Name, key: Name, at: Location) {
        let mut swept = self.resets.remove(&(section, key)).unwrap_or_default();
        for at in self.places.remove(&(section, key)).unwrap_or_default() {
            if let Some(mut old) = self.settings[at].take() {
                // The first of them carries the whole past, which is moved, not copied.
                match swept.is_empty() {
                    true => swept = old.overrode,
                    false => swept.append(&mut old.overrode),
                }
                swept.push((old.at, old.raw.into()));
            }
        }
        swept.push((at, String::new()));
        self.resets.insert((section, key), swept);
        self.undo(key);
    }

    /// Forgets what was passed over of a setting that an empty assignment takes back: nothing of it would count now.
    fn undo(&mut self, key: Name) {
        let is_of = |ignored: &Ignored| {
            let stands = ignored.text.split_once('=').is_some_and(|(of, _)| *of == *key);
            stands && !ignored.why.contains(" belongs in [")
        };
        self.unit.ignored.retain(|ignored| !is_of(ignored));
        self.unit.unmeasured.retain(|ignored| !is_of(ignored));
    }

    fn vain_resets(&mut self) -> Vec<Ignored> {
        let mut resets: Vec<Ignored> = self
            .vain_resets
            .drain()
            .map(|((_, key), at)| {
                let why = "systemd keeps what was said before".to_owned();
                Ignored { text: format!("{key}="), at, why }
            })
            .collect();
        resets.sort_by(|a, b| (&a.at, &a.text).cmp(&(&b.at, &b.text)));
        resets
    }

    /// An output that is inherited goes where the input comes from, and without an input to the journal.
    fn inherit_output(&mut self) {
        let reads =
            self.unit.scalar("Service", "StandardInput").is_some_and(|input| input.known_value() != "null");
        let is_output =
            |setting: &&mut Setting| &*setting.key == "StandardOutput" && &*setting.section == "Service";
        if let Some(output) = self.unit.settings.iter_mut().find(is_output).filter(|_| !reads)
            && output.known_value() == "inherit"
        {
            output.read = Some("journal".into());
        }
    }
}

/// An empty assignment that nothing followed, as a setting without text.
fn last_reset(section: Name, key: Name, mut swept: Swept) -> Option<Setting> {
    let (at, _) = swept.pop()?;
    Some(Setting { overrode: swept, ..Setting::written(section, key, "", None, at) })
}

impl Setting {
    fn written(section: Name, key: Name, raw: &str, unread: Option<String>, at: Location) -> Setting {
        let unread = unread.map(Into::into);
        Setting { section, key, raw: raw.into(), read: None, unread, at, overrode: Vec::new() }
    }

    /// The value, or the text where the value is not known.
    fn known_value(&self) -> &str {
        self.read.as_deref().unwrap_or(&self.raw)
    }
}

/// Why a text does not become a value.
enum Unusable {
    /// It is not known what it becomes.
    Unread(String),
    /// The assignment is ignored.
    Dropped(String),
    /// systemd reads no further: `bad-setting`.
    Refused(String),
    /// systemd reads no further: `error`.
    Failed(String),
}

#[cfg(test)]
mod tests;
