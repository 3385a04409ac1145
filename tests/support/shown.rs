//! What `systemctl show` prints of a setting, from our own reading of the unit: the same text, or both sides
//! in one order where systemd's has none.

use std::collections::{BTreeMap, BTreeSet};

use golden::syntax::words::{Strictness, Words};
use golden::systemd::effective::{EffectiveUnit, LoadState};
use golden::systemd::environment::{parse_environment, parse_unset_environment};

const WORDS: &[&str] = &[
    "CacheDirectory",
    "ConfigurationDirectory",
    "Documentation",
    "ExecPaths",
    "ExecSearchPath",
    "InaccessiblePaths",
    "LogsDirectory",
    "NoExecPaths",
    "PassEnvironment",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RequiresMountsFor",
    "RuntimeDirectory",
    "StateDirectory",
    "SupplementaryGroups",
    "TemporaryFileSystem",
];

const BINDS: &[&str] = &["BindPaths", "BindReadOnlyPaths"];

/// Lists of units, to which systemd adds.
pub const UNITS: &[&str] =
    &["After", "Before", "Wants", "Requires", "BindsTo", "Conflicts", "PartOf", "OnFailure"];

/// Sets whose members systemd prints in an order of its own.
const SETS: &[&str] = &[
    "AmbientCapabilities",
    "CapabilityBoundingSet",
    "IPAddressDeny",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
];

/// Words that systemd prints as numbers.
const NUMBERS: &[(&str, &[(&str, &str)])] = &[
    (
        "IOSchedulingClass",
        &[("none", "2"), ("0", "2"), ("realtime", "1"), ("best-effort", "2"), ("idle", "3")],
    ),
    (
        "CPUSchedulingPolicy",
        &[("other", "0"), ("fifo", "1"), ("rr", "2"), ("batch", "3"), ("idle", "5"), ("ext", "7")],
    ),
    ("SyslogFacility", &[("daemon", "3"), ("local0", "16")]),
    ("SyslogLevel", LEVELS),
    ("LogLevelMax", LEVELS),
    ("SystemCallErrorNumber", &[("EPERM", "1")]),
    ("SecureBits", &[("noroot", "1")]),
    ("IPAddressAllow", &[("127.0.0.1", "127.0.0.1/32")]),
    ("IPAddressDeny", &[("any", "0.0.0.0/0 ::/0")]),
    ("IOReadBandwidthMax", &[("/dev/null 1M", "/dev/null 1000000")]),
    // The word is printed by a property of its own.
    ("ProtectHostname", &[("private", "yes"), ("private:myhost", "yes"), ("yes:myhost", "yes")]),
    ("PrivateTmp", &[("disconnected", "yes"), ("connected", "yes")]),
    ("PrivateUsers", &[("self", "yes"), ("identity", "yes"), ("full", "yes"), ("managed", "yes")]),
    ("ProtectControlGroups", &[("private", "yes"), ("strict", "yes")]),
];

const LEVELS: &[(&str, &str)] = &[
    ("emerg", "0"),
    ("alert", "1"),
    ("crit", "2"),
    ("err", "3"),
    ("warning", "4"),
    ("notice", "5"),
    ("info", "6"),
    ("debug", "7"),
];

/// systemd's word for a load state.
pub fn load_word(unit: &EffectiveUnit) -> &'static str {
    match unit.load {
        LoadState::Loaded => "loaded",
        LoadState::NotFound => "not-found",
        LoadState::Masked => "masked",
        LoadState::BadSetting(..) => "bad-setting",
        LoadState::Error(..) => "error",
    }
}

/// The words of a list as `systemctl show` quotes them: within double quotes a backslash takes the next
/// character as it is.
pub fn unquoted(text: &str) -> Vec<String> {
    let mut words = Words::new(text, Strictness::PLAIN);
    std::iter::from_fn(|| words.next_word().expect("systemctl balances its quotes"))
        .map(|word| word.text)
        .collect()
}

/// `RuntimeDirectory=` and kin, which systemd sorts.
fn is_directory(property: &str) -> bool {
    property.ends_with("Directory") && WORDS.contains(&property)
}

/// What systemctl printed, in the form in which [`ours`] gives our own reading.
pub fn theirs(property: &str, printed: &str) -> String {
    match property {
        "Environment" | "UnsetEnvironment" => sorted(unquoted(printed)),
        // Of systemd 247 a link is printed as a part of the name.
        _ if is_directory(property) => {
            let directory = |word: String| word.split(':').next().unwrap_or_default().to_owned();
            sorted(unquoted(printed).into_iter().map(directory).collect())
        }
        _ if WORDS.contains(&property) => format!("{:?}", unquoted(printed)),
        // Namespaces of time came later than the others.
        "RestrictNamespaces" => {
            let older = printed.split(' ').filter(|kind| *kind != "time");
            set_of(&older.collect::<Vec<_>>().join(" "))
        }
        // None is shown as what it comes to from 252 on.
        "IOSchedulingClass" if printed == "0" => "2".to_owned(),
        _ if SETS.contains(&property) || UNITS.contains(&property) => set_of(printed),
        _ if property.ends_with("PressureWatch") => match printed {
            "on" => "yes".to_owned(),
            "off" => "no".to_owned(),
            _ => printed.to_owned(),
        },
        _ => printed.to_owned(),
    }
}

/// Our reading of a property, where `default` is what systemd has without a setting.
pub fn ours(unit: &EffectiveUnit, section: &str, key: &str, property: &str, default: &str) -> String {
    let words = || unit.words(section, key).into_iter().map(|(word, _)| word);
    match property {
        "Environment" => {
            let plain = |word: &str| Ok(word.to_owned());
            let mut found = BTreeMap::new();
            for setting in unit.assignments(section, key) {
                let read = parse_environment(setting.value(), &plain);
                found.extend(read.items.into_iter().map(|item| (item.name, item.value)));
            }
            return sorted(found.into_iter().map(|(name, value)| format!("{name}={value}")).collect());
        }
        "UnsetEnvironment" => {
            let plain = |word: &str| Ok(word.to_owned());
            let settings = unit.assignments(section, key);
            let items = settings.flat_map(|setting| parse_unset_environment(setting.value(), &plain).items);
            return sorted(
                items
                    .map(|item| {
                        item.value.map_or(item.name.clone(), |value| format!("{}={value}", item.name))
                    })
                    .collect(),
            );
        }
        "EnvironmentFiles" => {
            let files =
                unit.assignments(section, key).map(|setting| match setting.value().strip_prefix('-') {
                    Some(path) => format!("{path} (ignore_errors=yes)"),
                    None => format!("{} (ignore_errors=no)", setting.value()),
                });
            return files.collect::<Vec<_>>().join("\n");
        }
        // A directory's link is not printed with it.
        _ if is_directory(property) => {
            return sorted(
                words().map(|word| word.split(':').next().unwrap_or_default().to_owned()).collect(),
            );
        }
        _ if WORDS.contains(&property) => return format!("{:?}", words().collect::<Vec<_>>()),
        _ if UNITS.contains(&property) => {
            let all: Vec<String> = default.split(' ').map(str::to_owned).chain(words()).collect();
            return set_of(&all.join(" "));
        }
        _ if BINDS.contains(&property) => {
            let bind = |word: String| match word.contains(':') {
                true => format!("{word}:rbind"),
                false => format!("{word}:{word}:rbind"),
            };
            return words().map(bind).collect::<Vec<_>>().join(" ");
        }
        _ => {}
    }
    let Some(stated) = stated(unit, section, key, property) else {
        let is_bounding_reset = property == "CapabilityBoundingSet" && unit.deciding(section, key).is_some();
        return if is_bounding_reset { String::new() } else { theirs(property, default) };
    };
    as_printed(property, &stated)
}

/// The assignment that counts; some properties have several settings.
fn stated(unit: &EffectiveUnit, section: &str, key: &str, property: &str) -> Option<String> {
    let keys: &[&str] = match property {
        "TimeoutStartUSec" => &["TimeoutStartSec", "TimeoutSec"],
        "TimeoutStopUSec" => &["TimeoutStopSec", "TimeoutSec"],
        "StartLimitIntervalUSec" => &["StartLimitIntervalSec"],
        _ => &[key],
    };
    let last = unit.settings.iter().rev().find(|setting| keys.contains(&setting.key.as_str()));
    last.or_else(|| unit.scalar(section, key)).map(|setting| setting.value().to_owned())
}

fn as_printed(property: &str, value: &str) -> String {
    if let Some((_, numbers)) = NUMBERS.iter().find(|(name, _)| *name == property)
        && let Some((_, number)) = numbers.iter().find(|(word, _)| *word == value)
    {
        return theirs(property, number);
    }
    match property {
        "StandardInput" | "StandardOutput" | "StandardError" => {
            value.split(':').next().unwrap_or_default().to_owned()
        }
        "WorkingDirectory" => match value.strip_prefix('-') {
            Some(path) => format!("!{path}"),
            None => value.to_owned(),
        },
        "Delegate" if value != "no" => "yes".to_owned(),
        "RestrictNamespaces" => match value.strip_prefix('~') {
            Some(without) => {
                let all = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
                let without: Vec<&str> = without.split(' ').collect();
                all.into_iter().filter(|kind| !without.contains(kind)).collect::<Vec<_>>().join(" ")
            }
            None => set_of(value),
        },
        "RestrictAddressFamilies" if value == "none" => String::new(),
        _ if SETS.contains(&property) => set_of(value),
        _ if property.starts_with("Limit") => {
            let limit = match property.ends_with("Soft") {
                true => value.split(':').next(),
                false => value.rsplit(':').next(),
            };
            limit.unwrap_or_default().to_owned()
        }
        _ => value.to_owned(),
    }
}

fn set_of(text: &str) -> String {
    let (inverted, words) = text.strip_prefix('~').map_or(("", text), |words| ("~", words));
    let words: BTreeSet<&str> = words.split_whitespace().collect();
    format!("{inverted}{}", words.into_iter().collect::<Vec<_>>().join(" "))
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort();
    format!("{words:?}")
}
