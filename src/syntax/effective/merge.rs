//! Lays drop-ins over a fragment the way systemd does.

use std::sync::Arc;

use super::{EffectiveUnit, Ignored, LoadState, Setting};
use crate::model::Location;
use crate::syntax::known::{self, Known, Name};
use crate::syntax::specifier::{SpecifierError, Specifiers};
use crate::syntax::unit_file::{Entry, Note, UnitFile};
use crate::syntax::unit_name::UnitName;
use crate::syntax::value::{self, Mangled};
use crate::syntax::version::SystemdVersion;
use crate::syntax::words::{Strictness, Words};

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
        unit.drop_ins = drop_ins.iter().map(|file| file.path.clone()).collect();
        let mut merge = Merge { unit, specifiers, version, resets: Vec::new() };
        // A fragment that cannot be parsed fails the unit; a drop-in only ends at its broken line.
        if let Some(note) = &fragment.fatal {
            merge.fail(note, &fragment.path);
        }
        merge.file(&fragment);
        for file in &drop_ins {
            if let Some(note) = &file.fatal {
                merge.ignore(&file.path, note);
            }
            merge.file(file);
        }
        merge.judge();
        merge.unit.resets = merge.resets.into_iter().filter_map(last_reset).collect();
        merge.unit
    }
}

/// Section and name of a setting, and what an empty assignment swept away, itself last.
type Reset = (Name, Name, Vec<(Location, String)>);

struct Merge<'a> {
    unit: EffectiveUnit,
    specifiers: &'a Specifiers<'a>,
    version: SystemdVersion,
    /// Empty assignments and what they swept away, for the next assignment of the setting.
    resets: Vec<Reset>,
}

/// How assignments of one setting add up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Adding {
    /// The last one counts.
    Last,
    /// All count.
    All,
}

/// Settings that systemd calls by a word of their own, or OTHER, and that add up nevertheless.
const LISTS: &[&str] = &[
    "Documentation",
    "EnvironmentFile",
    "PassEnvironment",
    "UnsetEnvironment",
    "SupplementaryGroups",
    "RuntimeDirectory",
    "StateDirectory",
    "CacheDirectory",
    "LogsDirectory",
    "ConfigurationDirectory",
    "TemporaryFileSystem",
    "ExecSearchPath",
    "Sockets",
    "SuccessExitStatus",
    "RestartPreventExitStatus",
    "RestartForceExitStatus",
    "LoadCredential",
    "LoadCredentialEncrypted",
    "SetCredential",
    "SetCredentialEncrypted",
    "ImportCredential",
    "LogExtraFields",
    "IPAddressAllow",
    "IPAddressDeny",
    "SocketBindAllow",
    "SocketBindDeny",
    "RestrictNetworkInterfaces",
    "BPFProgram",
    "MountImages",
    "ExtensionImages",
    "ExtensionDirectories",
    "StandardInputText",
    "StandardInputData",
    "DisableControllers",
    "CPUAffinity",
    "WantedBy",
    "RequiredBy",
    "UpheldBy",
    "Alias",
    "Also",
];

fn adding(key: Name, kind: &str) -> Adding {
    let list = kind.ends_with("[...]")
        || kind.ends_with("[...]]")
        || matches!(
            kind,
            "CONDITION"
                | "ENVIRON"
                | "SYSCALLS"
                | "NAMESPACES"
                | "BOUNDINGSET"
                | "ARCHS"
                | "FAMILIES"
                | "FILESYSTEMS"
                | "DEVICE"
                | "DEVICEWEIGHT"
                | "DEVICELATENCY"
                | "BANDWIDTH"
                | "SOCKET"
                | "TIMER"
        )
        || LISTS.contains(&key.as_str());
    if list { Adding::All } else { Adding::Last }
}

/// Kinds whose text holds words in which a specifier is expanded; the others hold numbers and keywords.
fn expands(kind: &str) -> bool {
    !matches!(
        kind,
        "BOOLEAN" | "SECONDS" | "UNSIGNED" | "SIGNAL" | "SERVICETYPE" | "SERVICERESTART" | "KILLMODE"
    )
}

const EXEC: &str = "PATH [ARGUMENT [...]]";

impl Merge<'_> {
    fn fail(&mut self, note: &Note, path: &Arc<str>) {
        self.unit.load =
            LoadState::Error(note.kind.words().to_owned(), Location::line(path.clone(), note.line));
    }

    fn ignore(&mut self, path: &Arc<str>, note: &Note) {
        self.unit.ignored.push(Ignored {
            text: note.text.clone(),
            at: Location::line(path.clone(), note.line),
            why: note.kind.words().to_owned(),
        });
    }

    fn refuse(&mut self, why: impl Into<String>, at: Location) {
        if self.unit.load == LoadState::Loaded {
            self.unit.load = LoadState::BadSetting(why.into(), at);
        }
    }

    fn file(&mut self, file: &UnitFile) {
        for note in &file.notes {
            self.ignore(&file.path, note);
        }
        for entry in &file.entries {
            self.entry(entry, &file.path);
        }
    }

    fn entry(&mut self, entry: &Entry, path: &Arc<str>) {
        let at = Location::line(path.clone(), entry.line);
        let why = match known::look(self.version, self.unit.name.kind(), &entry.section, &entry.key) {
            Known::Setting { section, key, kind } => {
                return self.assign(section, key, kind, &entry.value, at);
            }
            Known::Private => return,
            Known::WrongSection(section) => format!("{} belongs in [{section}]", entry.key),
            Known::Unknown => {
                format!("systemd {} knows no {} in [{}]", self.version, entry.key, entry.section)
            }
            Known::UnknownSection => {
                format!("a {} has no section [{}]", self.unit.name.kind(), entry.section)
            }
        };
        self.unit.ignored.push(Ignored { text: format!("{}={}", entry.key, entry.value), at, why });
    }

    fn assign(&mut self, section: Name, key: Name, kind: &'static str, raw: &str, at: Location) {
        if raw.is_empty() && !keeps_empty(key, kind) {
            return self.reset(section, key, at);
        }
        let expanded = match expands(kind) {
            true => self.specifiers.expand(raw),
            false => Ok(raw.into()),
        };
        let expanded = match expanded {
            Ok(expanded) => expanded,
            Err(error @ SpecifierError::Unknown(_)) if kind == EXEC => {
                return self.refuse(format!("{key}={raw}: {error}"), at);
            }
            Err(error) => return self.drop(key, raw, at, error.to_string()),
        };
        let canonical = match value::canonical(self.version, &key, kind, &expanded) {
            Ok(canonical) => canonical,
            Err(Mangled { why, refused: true }) => return self.refuse(format!("{key}: {why}"), at),
            Err(Mangled { why, refused: false }) => return self.drop(key, raw, at, why),
        };
        if kind == EXEC
            && let Err(why) = well_formed_command(&expanded)
        {
            return self.refuse(format!("{key}={raw}: {why}"), at);
        }
        let read = canonical.or_else(|| (expanded != raw).then(|| expanded.into_owned()));
        self.push(section, key, kind, raw, read, at);
    }

    fn push(&mut self, section: Name, key: Name, kind: &str, raw: &str, read: Option<String>, at: Location) {
        let mut overrode = self.take_reset(section, key);
        if adding(key, kind) == Adding::Last
            && let Some(place) =
                self.unit.settings.iter().position(|setting| setting.key == key && setting.section == section)
        {
            let old = self.unit.settings.remove(place);
            overrode.extend(old.overrode);
            overrode.push((old.at, old.raw.into()));
        }
        let read = read.filter(|read| read != raw).map(Into::into);
        self.unit.settings.push(Setting { section, key, raw: raw.into(), read, at, overrode });
    }

    fn drop(&mut self, key: Name, raw: &str, at: Location, why: String) {
        self.unit.ignored.push(Ignored { text: format!("{key}={raw}"), at, why });
    }

    /// An empty assignment clears what came before and leaves its trace to the next one.
    fn reset(&mut self, section: Name, key: Name, at: Location) {
        let mut swept = self.take_reset(section, key);
        self.unit.settings.retain_mut(|setting| {
            if setting.key != key || setting.section != section {
                return true;
            }
            swept.append(&mut setting.overrode);
            swept.push((setting.at.clone(), setting.raw.to_string()));
            false
        });
        swept.push((at, String::new()));
        self.resets.push((section, key, swept));
    }

    fn take_reset(&mut self, section: Name, key: Name) -> Vec<(Location, String)> {
        match self.resets.iter().position(|(in_section, of, _)| *of == key && *in_section == section) {
            Some(at) => self.resets.swap_remove(at).2,
            None => Vec::new(),
        }
    }

    /// What systemd checks once all files are read (`service_verify`).
    fn judge(&mut self) {
        if self.unit.name.kind() != "service" {
            return;
        }
        let here = self.unit.location();
        let count = |key: &str| self.unit.assignments("Service", key).count();
        let (starts, stops) = (count("ExecStart"), count("ExecStop"));
        let kind = self.unit.scalar("Service", "Type").map(|setting| setting.value().to_owned());
        let oneshot = kind.as_deref() == Some("oneshot");
        let second = self.unit.assignments("Service", "ExecStart").nth(1).map(|setting| setting.at.clone());
        let restart = self.unit.scalar("Service", "Restart").cloned();
        let succeeds = self.unit.scalar("Unit", "SuccessAction").is_some();
        if starts == 0 && stops == 0 && !succeeds {
            self.refuse("there is no ExecStart=, no ExecStop= and no SuccessAction=", here);
        } else if starts == 0 && !oneshot && stops > 0 {
            self.refuse("there is no ExecStart=, which only Type=oneshot may leave out", here);
        } else if let (Some(second), false) = (second, oneshot) {
            self.refuse("there is more than one ExecStart=, which only Type=oneshot may have", second);
        } else if oneshot
            && let Some(restart) =
                restart.filter(|restart| matches!(restart.value(), "always" | "on-success"))
        {
            self.refuse(format!("Type=oneshot must not have Restart={}", restart.value()), restart.at);
        } else if kind.as_deref() == Some("dbus") && self.unit.scalar("Service", "BusName").is_none() {
            self.refuse("Type=dbus needs BusName=", here);
        }
    }
}

/// An empty assignment that nothing followed, as a setting without text.
fn last_reset((section, key, mut swept): Reset) -> Option<Setting> {
    let (at, _) = swept.pop()?;
    Some(Setting { section, key, raw: "".into(), read: None, at, overrode: swept })
}

/// Settings for which an empty value is a value, not a reset.
fn keeps_empty(_key: Name, _kind: &str) -> bool {
    false
}

/// The least that systemd demands of an exec line: balanced quotes and an absolute program or a bare name.
fn well_formed_command(line: &str) -> Result<(), String> {
    let mut words = Words::new(line, Strictness::EXEC);
    let mut first = None;
    loop {
        match words.next_word() {
            Ok(Some(word)) => first = first.or(Some(word.text)),
            Ok(None) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    let program = first.unwrap_or_default();
    let program = program.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    match program {
        "" => Err("there is no program".into()),
        program if program.contains('/') && !program.starts_with('/') => {
            Err(format!("{program:?} is no absolute path"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::unit_file;

    fn merge(files: &[(&str, &str)]) -> EffectiveUnit {
        let name = UnitName::parse("quantum-x.service").unwrap();
        let mut files = files.iter().map(|(path, text)| unit_file::parse(&(*path).into(), text.as_bytes()));
        let fragment = files.next().unwrap();
        let specifiers = Specifiers::new(&name, None, None);
        EffectiveUnit::merge(&name, fragment, files.collect(), &specifiers, SystemdVersion(252))
    }

    #[test]
    fn the_last_assignment_counts_and_knows_what_it_overrode() {
        let unit = merge(&[
            ("/u", "[Service]\nExecStart=/bin/true\nUser=qt\n"),
            ("/d/a.conf", "[Service]\nUser=root\n"),
            ("/d/b.conf", "[Service]\nUser=\nUser=other\n"),
        ]);
        let user = unit.scalar("Service", "User").unwrap();
        assert_eq!((user.value(), user.at.to_string().as_str()), ("other", "/d/b.conf:3"));
        let overrode: Vec<_> = user.overrode.iter().map(|(at, text)| format!("{at} {text}")).collect();
        assert_eq!(overrode, ["/u:3 qt", "/d/a.conf:2 root", "/d/b.conf:2 "]);
    }

    #[test]
    fn lists_add_up_until_an_empty_assignment() {
        let unit = merge(&[
            ("/u", "[Unit]\nAfter=a.service b.service\nAfter=c.service\n[Service]\nExecStart=/bin/true\n"),
            ("/d", "[Service]\nExecStart=\nExecStart=/bin/false x\n"),
        ]);
        let after: Vec<_> = unit.words("Unit", "After").into_iter().map(|(word, _)| word).collect();
        assert_eq!(after, ["a.service", "b.service", "c.service"]);
        assert_eq!(unit.assignments("Service", "ExecStart").count(), 1);
        assert_eq!(unit.load, LoadState::Loaded);
    }

    #[test]
    fn what_systemd_drops_leaves_the_earlier_value() {
        let unit = merge(&[(
            "/u",
            "[Service]\nExecStart=/bin/true\nRestartSec=10\nRestartSec=5 # c\nUsr=qt\n[Install]\nUser=x\n",
        )]);
        assert_eq!(unit.scalar("Service", "RestartSec").unwrap().value(), "10s");
        let ignored: Vec<_> = unit.ignored.iter().map(|ignored| ignored.at.to_string()).collect();
        assert_eq!(ignored, ["/u:4", "/u:5", "/u:7"]);
    }

    #[test]
    fn systemd_refuses_what_it_cannot_start() {
        for text in [
            "[Service]\nUser=x\n",
            "[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
            "[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a\n",
            "[Service]\nExecStart=/bin/a \"open\n",
            "[Service]\nExecStart=/bin/a %Z\n",
            "[Service]\nExecStart=./a\n",
            "[Service]\nExecStart=/bin/a\nWorkingDirectory=x\n",
        ] {
            assert!(matches!(merge(&[("/u", text)]).load, LoadState::BadSetting(..)), "{text}");
        }
        assert!(matches!(merge(&[("/u", "[Service\nExecStart=/bin/a\n")]).load, LoadState::Error(..)));
    }
}
