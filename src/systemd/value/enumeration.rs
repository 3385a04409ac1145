//! Settings that take one of some words, which systemd tells apart by case.

use super::{Mangled, boolean, dropped, yes_no};
use crate::systemd::version::SystemdVersion;

/// The words of one setting, or of all settings of one kind.
struct Words {
    /// A boolean is as good as a word.
    or_boolean: bool,
    /// Words that every version knows.
    always: &'static [&'static str],
    /// Words with the version that has learned them.
    since: &'static [(u32, &'static [&'static str])],
    /// The greatest number that is taken, too.
    or_number: Option<u32>,
    /// The words that numbers from 0 stand for; empty where one stands for none.
    numbered: &'static [&'static str],
}

const fn words(always: &'static [&'static str]) -> Words {
    Words { or_boolean: false, always, since: &[], or_number: None, numbered: &[] }
}

const fn or_boolean(always: &'static [&'static str]) -> Words {
    Words { or_boolean: true, ..words(always) }
}

impl Words {
    const fn since(self, since: &'static [(u32, &'static [&'static str])]) -> Self {
        Words { since, ..self }
    }

    /// The words that a version knows.
    fn known(&self, version: SystemdVersion) -> impl Iterator<Item = &'static str> + Clone {
        let learned = self.since.iter().filter(move |(since, _)| version.0 >= *since);
        self.always.iter().chain(learned.flat_map(|(_, words)| *words)).copied()
    }

    /// Whether a version lies between a measured one that does not know a word and the one that has learned it.
    fn may_know(&self, version: SystemdVersion, word: &str) -> bool {
        let learned = self.since.iter().find(|(_, words)| words.contains(&word));
        learned.is_some_and(|(since, _)| version.has(*since).is_none())
    }

    const fn or_number(self, most: u32, numbered: &'static [&'static str]) -> Self {
        Words { or_number: Some(most), numbered, ..self }
    }
}

const LEVEL_WORDS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

const LEVELS: Words = words(LEVEL_WORDS).or_number(7, LEVEL_WORDS);

/// syslog(3); between `ftp` and `local0` are numbers without a word.
const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "",
    "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// ioprio_set(2)
const IO_CLASSES: &[&str] = &["none", "realtime", "best-effort", "idle"];

/// `SCHED_…` of sched.h
const SCHEDULING: &[&str] = &["other", "fifo", "rr", "batch", "", "idle", "", "ext"];

const JOB_MODES: Words = words(&[
    "fail",
    "replace",
    "replace-irreversibly",
    "isolate",
    "flush",
    "ignore-dependencies",
    "ignore-requirements",
    "triggering",
])
.since(&[(254, &["restart-dependencies"]), (262, &["lenient"])]);

fn of(key: &str, kind: &str) -> Option<Words> {
    Some(match (kind, key) {
        ("SERVICETYPE", _) => words(&["simple", "forking", "oneshot", "dbus", "notify", "idle", "exec"])
            .since(&[(253, &["notify-reload"])]),
        ("SERVICERESTART", _) => {
            words(&["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"])
        }
        ("SERVICERESTARTMODE", _) => words(&["normal", "direct"]).since(&[(257, &["debug"])]),
        ("SERVICEEXITTYPE", _) => words(&["main", "cgroup"]),
        ("TIMEOUTMODE", _) => words(&["terminate", "abort", "kill"]),
        ("KILLMODE", _) => words(&["control-group", "process", "mixed", "none"]),
        ("ACCESS", "NotifyAccess") => words(&["none", "main", "exec", "all"]),
        ("POLICY", "DevicePolicy") => words(&["auto", "closed", "strict"]),
        ("ACTION", _) => words(&[
            "none",
            "reboot",
            "reboot-force",
            "reboot-immediate",
            "poweroff",
            "poweroff-force",
            "poweroff-immediate",
            "exit",
            "exit-force",
        ])
        .since(&[(
            254,
            &[
                "soft-reboot",
                "soft-reboot-force",
                "kexec",
                "kexec-force",
                "halt",
                "halt-force",
                "halt-immediate",
            ],
        )]),
        ("FACILITY", _) => words(&[
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
            "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ])
        .or_number(23, FACILITIES),
        ("LEVEL", _) => LEVELS,
        ("IOCLASS", _) => words(IO_CLASSES).or_number(7, IO_CLASSES),
        ("CPUSCHEDPOLICY", _) => words(&["other", "batch", "idle", "fifo", "rr"])
            .since(&[(262, &["ext"])])
            .or_number(i32::MAX as u32, SCHEDULING),
        (_, "OnFailureJobMode" | "OnSuccessJobMode") => JOB_MODES,
        (_, "LogLevelMax") => LEVELS,
        (_, "CollectMode") => words(&["inactive", "inactive-or-failed"]),
        (_, "OOMPolicy") => words(&["continue", "stop", "kill"]),
        (_, "ManagedOOMPreference") => words(&["none", "avoid", "omit"]),
        (_, "ManagedOOMSwap" | "ManagedOOMMemoryPressure") => words(&["auto", "kill"]),
        (_, "KeyringMode") => words(&["inherit", "private", "shared"]),
        (_, "ProtectProc") => words(&["noaccess", "invisible", "ptraceable", "default"]),
        (_, "ProcSubset") => words(&["all", "pid"]),
        (_, "MountFlags") => words(&["shared", "slave", "private"]),
        (_, "ProtectSystem") => or_boolean(&["full", "strict"]),
        (_, "ProtectHome") => or_boolean(&["read-only", "tmpfs"]),
        (_, "RuntimeDirectoryPreserve") => or_boolean(&["restart"]),
        (_, "NUMAPolicy") => words(&["default", "preferred", "bind", "interleave", "local"])
            .since(&[(262, &["preferred-many", "weighted-interleave"])]),
        (_, "UtmpMode") => words(&["init", "login", "user"]),
        (_, "MemoryTHP") => words(&["inherit", "disable", "madvise", "system"]),
        (_, "CPUSetPartition") => words(&["member", "root", "isolated"]),
        (_, "FileDescriptorStorePreserve") => or_boolean(&["restart"]),
        (_, "MemoryPressureWatch" | "CPUPressureWatch" | "IOPressureWatch") => or_boolean(&["auto", "skip"]),
        (
            _,
            "MountAPIVFS"
            | "PrivatePIDs"
            | "PrivateBPF"
            | "MemoryKSM"
            | "SetLoginEnvironment"
            | "BindLogSockets",
        ) => or_boolean(&[]),
        // Booleans that have learned further words.
        (_, "ProtectHostname") => or_boolean(&[]).since(&[(262, &["private"])]),
        (_, "PrivateTmp") => or_boolean(&[]).since(&[(257, &["disconnected", "connected"])]),
        (_, "PrivateUsers") => {
            or_boolean(&[]).since(&[(257, &["self", "identity"]), (262, &["full", "managed"])])
        }
        (_, "ProtectControlGroups") => or_boolean(&[]).since(&[(257, &["private", "strict"])]),
        _ => return None,
    })
}

/// The value of such a setting; `None` for other settings.
pub(super) fn read(
    version: SystemdVersion,
    key: &str,
    kind: &str,
    text: &str,
) -> Option<Result<String, Mangled>> {
    let words = of(key, kind)?;
    let known = words.known(version);
    if known.clone().any(|word| word == text) {
        return Some(Ok(text.to_owned()));
    }
    if let (true, Ok(value)) = (words.or_boolean, boolean(text)) {
        return Some(Ok(yes_no(value)));
    }
    if let (Some(most), Ok(number)) = (words.or_number, text.parse::<u32>())
        && number <= most
    {
        let word = words.numbered.get(number as usize).filter(|word| !word.is_empty());
        return Some(Ok(word.map_or_else(|| text.to_owned(), |word| (*word).to_owned())));
    }
    let known = known.collect::<Vec<_>>().join(", ");
    Some(match (words.or_boolean, known.is_empty()) {
        (true, true) => dropped(format!("{text:?} is not a boolean")),
        (true, false) => dropped(format!("{text:?} is neither a boolean nor one of {known}")),
        (false, _) => dropped(format!("{text:?} is not one of {known}")),
    })
}

/// Why it is not known whether systemd takes a text that [`read`] does not know: a version that nobody measured may have
/// learned the word.
pub(super) fn unmeasured(version: SystemdVersion, key: &str, kind: &str, text: &str) -> Option<String> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
    let words = of(key, kind);
    let between = words.as_ref().is_some_and(|words| words.may_know(version, text));
    let beyond = version < SystemdVersion::OLDEST || version > SystemdVersion::NEWEST;
    let may_have_learned = is_word && beyond && (words.is_some() || kind == "BOOLEAN");
    let is_known = || match words.is_some() {
        true => read(version, key, kind, text).is_some_and(|read| read.is_ok()),
        false => boolean(text).is_ok(),
    };
    ((between || may_have_learned) && !is_known())
        .then(|| format!("it was not measured whether systemd {version} takes {text:?}"))
}
