//! The effective unit: what systemd makes of a fragment and all of its drop-ins, with the line that each
//! value comes from and what it overrode.

mod implied;
mod kinds;
mod merge;
mod trigger;
mod unread;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::known::{self, Name};
use super::unit_name::UnitName;
use super::value;
use super::version::SystemdVersion;
use crate::model::Location;

pub use kinds::stays;
pub use trigger::{TRIGGERS, Trigger};
pub use unread::noticing_unread;

/// Whether several assignments of a setting all count.
pub fn is_list(section: &str, key: &str) -> bool {
    let name = || known::name(key).zip(known::kind(section, key));
    name().is_some_and(|(key, kind)| kinds::adding(key, kind) == kinds::Adding::All)
}

/// Whether an empty assignment takes a setting back to systemd's default.
pub fn is_reset_by_nothing(section: &str, key: &str) -> bool {
    known::kind(section, key).is_some_and(|kind| !kinds::stays(key, kind))
}

/// A unit as systemd would have it after reading all of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectiveUnit {
    /// The unit's own name.
    pub name: UnitName,
    /// Names that lead to it by links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<UnitName>,
    /// Whether systemd would load it.
    pub load: LoadState,
    /// The file that defines it.
    pub fragment: Option<Arc<str>>,
    /// The drop-ins in the order in which they apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop_ins: Vec<Arc<str>>,
    /// The assignments that count.
    pub settings: Vec<Setting>,
    /// Empty assignments with no assignment after them: settings that are back at systemd's default, with
    /// the line that put them there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resets: Vec<Setting>,
    /// `DefaultEnvironment=` of systemd-system.conf(5): what the manager hands to every service, in the form of
    /// `Environment=`. The unit's own files come after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_down: Vec<Setting>,
    /// What was written and does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// What may count or not: settings that only one of the measured versions around this one knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<Ignored>,
    /// Empty assignments after which the earlier value still holds, of settings that are not reset that way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vain_resets: Vec<Ignored>,
    /// The version of systemd that read it.
    #[serde(default, skip_serializing_if = "SystemdVersion::is_newest")]
    pub version: SystemdVersion,
    /// Where the assignments of a setting are, made when the first one is asked for.
    #[serde(skip)]
    index: Index,
}

/// systemd's load states (systemd.unit(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// It can be started.
    Loaded,
    /// There is no file, or the link to it leads nowhere.
    NotFound,
    /// A link to `/dev/null` or an empty file keeps it from ever starting.
    Masked,
    /// systemd refuses it: why, and where.
    BadSetting(String, Location),
    /// Its file cannot be parsed: why, and where.
    Error(String, Location),
}

/// One assignment that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The systemd section.
    pub section: Name,
    /// The setting's modern name.
    pub key: Name,
    /// The text as written, without blanks around it.
    raw: Box<str>,
    /// What systemd makes of it where that differs: specifiers expanded, canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read: Option<Box<str>>,
    /// Why it is not known what systemd makes of it: it names something of the host that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<Box<str>>,
    /// Where it is written.
    pub at: Location,
    /// What it overrode, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrode: Vec<(Location, String)>,
}

impl Setting {
    /// The value as systemd takes it. Where that is not known, the text as it is written, and whoever looks
    /// under [`noticing_unread`] is told.
    pub fn value(&self) -> &str {
        if let Some(why) = &self.unread {
            unread::notice(self, why);
        }
        self.read.as_deref().unwrap_or(&self.raw)
    }

    /// The text as it is written.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

/// Something that is written in the unit's files and does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ignored {
    /// The setting, or the text of the line.
    pub text: String,
    /// Where it is written.
    pub at: Location,
    /// Why systemd passes it over.
    pub why: String,
}

/// Positions of assignments by section and setting. It follows from the settings and is no part of the value.
#[derive(Debug, Default)]
struct Index(OnceLock<HashMap<(Name, Name), Vec<usize>>>);

impl Index {
    /// Fewer settings than this are looked through.
    const WORTH_IT: usize = 256;

    /// The positions of a setting's assignments.
    fn of(&self, settings: &[Setting], section: &str, key: &str) -> &[usize] {
        let places = self.0.get_or_init(|| {
            let mut places: HashMap<(Name, Name), Vec<usize>> = HashMap::new();
            for (at, setting) in settings.iter().enumerate() {
                places.entry((setting.section, setting.key)).or_default().push(at);
            }
            places
        });
        let names = known::name(section).zip(known::name(key));
        names.and_then(|names| places.get(&names)).map_or(&[], Vec::as_slice)
    }
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl EffectiveUnit {
    fn bare(name: &UnitName, load: LoadState, fragment: Option<Arc<str>>) -> Self {
        Self {
            name: name.clone(),
            aliases: Vec::new(),
            load,
            fragment,
            drop_ins: Vec::new(),
            settings: Vec::new(),
            resets: Vec::new(),
            handed_down: Vec::new(),
            ignored: Vec::new(),
            vain_resets: Vec::new(),
            unmeasured: Vec::new(),
            version: SystemdVersion::default(),
            index: Index::default(),
        }
    }

    /// A unit without a file.
    pub fn not_found(name: &UnitName) -> Self {
        Self::bare(name, LoadState::NotFound, None)
    }

    /// A unit that a link to `/dev/null` or an empty file masks.
    pub fn masked(name: &UnitName, by: Arc<str>) -> Self {
        Self::bare(name, LoadState::Masked, Some(by))
    }

    /// Hands out every text of its files that it holds: a value with its setting, or a line that does not count.
    pub fn texts(&self, each: &mut dyn FnMut(Option<&str>, &str)) {
        for setting in self.settings.iter().chain(&self.resets).chain(&self.handed_down) {
            let before = setting.overrode.iter().map(|(_, text)| text.as_str());
            let texts = std::iter::once(&*setting.raw).chain(setting.read.as_deref()).chain(before);
            texts.for_each(|text| each(Some(&setting.key), text));
        }
        let others = self.ignored.iter().chain(&self.unmeasured).chain(&self.vain_resets);
        others.for_each(|ignored| each(None, &ignored.text));
    }

    /// Gives these texts another wording where there is one.
    pub fn rewrite(&mut self, wording: &dyn Fn(Option<&str>, &str) -> Option<String>) {
        for setting in self.settings.iter_mut().chain(&mut self.resets).chain(&mut self.handed_down) {
            let wording = |text: &str| wording(Some(&setting.key), text);
            if let Some(other) = wording(&setting.raw) {
                setting.raw = other.into();
            }
            if let Some(other) = setting.read.as_deref().and_then(wording) {
                setting.read = Some(other.into());
            }
            for (_, text) in &mut setting.overrode {
                *text = wording(text).unwrap_or_else(|| std::mem::take(text));
            }
        }
        for ignored in self.ignored.iter_mut().chain(&mut self.unmeasured).chain(&mut self.vain_resets) {
            let other = wording(None, &ignored.text);
            ignored.text = other.unwrap_or_else(|| std::mem::take(&mut ignored.text));
        }
    }

    /// The unit with the names that lead to it.
    #[must_use]
    pub fn with_aliases(mut self, aliases: Vec<UnitName>) -> Self {
        self.aliases = aliases;
        self
    }

    /// Adds what a link below the unit's `*.wants` or `*.requires` says, which counts as `Wants=` and
    /// `Requires=` do.
    pub fn add_link(&mut self, key: &str, unit: &str, link: Arc<str>) {
        if let (Some(section), Some(key)) = (known::name("Unit"), known::name(key)) {
            self.index = Index::default();
            self.settings.push(Setting {
                section,
                key,
                raw: unit.into(),
                read: None,
                unread: None,
                at: Location::file(link),
                overrode: Vec::new(),
            });
        }
    }

    /// The unit with what the manager hands to it: the texts of `DefaultEnvironment=`, with their places.
    #[must_use]
    pub fn with_environment(mut self, lines: &[(String, Location)]) -> Self {
        let Some((section, key)) = known::name("Service").zip(known::name("Environment")) else {
            return self;
        };
        let handed_down = lines.iter().map(|(text, at)| Setting {
            section,
            key,
            raw: text.as_str().into(),
            read: None,
            unread: None,
            at: at.clone(),
            overrode: Vec::new(),
        });
        self.handed_down = handed_down.collect();
        self
    }

    /// Its own name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(UnitName::as_str)
    }

    /// The unit as a place: its file, or where its file should be.
    pub fn location(&self) -> Location {
        match &self.fragment {
            Some(path) => Location::file(path.clone()),
            None => Location::file(format!("/etc/systemd/system/{}", self.name)),
        }
    }

    /// The setting that counts, for one that has a single value.
    pub fn scalar(&self, section: &str, key: &str) -> Option<&Setting> {
        self.assignments(section, key).last()
    }

    /// The line that decides a setting with a single value: the assignment that counts, or the empty one
    /// that took it back to systemd's default.
    pub fn deciding(&self, section: &str, key: &str) -> Option<&Setting> {
        let reset = || self.resets.iter().find(|reset| *reset.section == *section && *reset.key == *key);
        self.scalar(section, key).or_else(reset)
    }

    /// Whether systemd makes a user for it while it runs.
    pub fn is_dynamic(&self) -> bool {
        self.scalar("Service", "DynamicUser").is_some_and(|setting| setting.value() == "yes")
    }

    /// Its fragment and its drop-ins.
    pub fn files(&self) -> impl Iterator<Item = &Arc<str>> {
        self.fragment.iter().chain(&self.drop_ins)
    }

    /// Whether the file of a setting says nothing but this setting.
    pub fn is_all_of_file(&self, setting: &Setting) -> bool {
        let path = setting.at.path();
        let is_it = |other: &Setting| other.section == setting.section && other.key == setting.key;
        let speaks = |other: &Setting| {
            other.at.path() == path || other.overrode.iter().any(|(at, _)| at.path() == path)
        };
        self.settings.iter().chain(&self.resets).all(|other| is_it(other) || !speaks(other))
            && self.ignored.iter().chain(&self.vain_resets).all(|ignored| ignored.at.path() != path)
    }

    /// Every assignment that counts of a setting that takes several.
    pub fn assignments(&self, section: &str, key: &str) -> impl DoubleEndedIterator<Item = &Setting> {
        // A unit of a few lines is looked through; one of thousands would be looked through thousands of times.
        let listed =
            (self.settings.len() > Index::WORTH_IT).then(|| self.index.of(&self.settings, section, key));
        let all = if listed.is_some() { &[][..] } else { self.settings.as_slice() };
        let is_it = move |setting: &&Setting| *setting.key == *key && *setting.section == *section;
        let listed = listed.unwrap_or_default().iter().filter_map(|at| self.settings.get(*at));
        listed.chain(all).filter(is_it)
    }

    /// The words of a list setting, each with the assignment it stands in.
    pub fn words(&self, section: &str, key: &str) -> Vec<(String, &Setting)> {
        let kind = known::kind(section, key).unwrap_or_default();
        let words = |setting: &'_ Setting| value::split(key, kind, setting.value()).0;
        self.assignments(section, key)
            .flat_map(|setting| words(setting).into_iter().map(move |word| (word, setting)))
            .collect()
    }
}
