//! What kind of setting an assignment is of: whether assignments add up, whether an empty one resets, and how
//! specifiers stand in its text. Measured on systemd 252 and 257 where the man pages are silent.
//!
//! Most settings are not reset by an empty assignment: `Restart=` and `After=` keep their value, which has a rule of
//! its own (`unit-reset-in-vain`).

use crate::systemd::known::Name;
use crate::systemd::value;

/// How assignments of one setting add up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Adding {
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

pub(super) fn adding(key: Name, kind: &str) -> Adding {
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

/// Settings that an empty assignment leaves as they are, instead of setting them back.
pub fn stays(key: &str, kind: &str) -> bool {
    const KEYS: &[&str] = &[
        "BusName",
        "CollectMode",
        "Delegate",
        "JobTimeoutSec",
        "JobRunningTimeoutSec",
        "ManagedOOMPreference",
        "ManagedOOMSwap",
        "ManagedOOMMemoryPressure",
        "OOMPolicy",
        "PrivateTmp",
        "PrivateUsers",
        "ProcSubset",
        "KeyringMode",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectProc",
        "ProtectSystem",
        "RequiresMountsFor",
        "RuntimeDirectoryPreserve",
        "TimeoutStopSec",
    ];
    KEYS.contains(&key)
        || key.starts_with("Limit") && kind == "LIMIT"
        || matches!(
            kind,
            "ACCESS"
                | "ACTION"
                | "BOOLEAN"
                | "CPUSCHEDPRIO"
                | "FACILITY"
                | "INPUT"
                | "LEVEL"
                | "MODE"
                | "NANOSECONDS"
                | "OUTPUT"
                | "POLICY"
                | "SECONDS"
                | "SERVICEEXITTYPE"
                | "SERVICERESTART"
                | "SERVICERESTARTMODE"
                | "SERVICETYPE"
                | "SIGNAL"
                | "SLICE"
                | "TIMEOUTMODE"
                | "UNIT [...]"
                | "UNSIGNED"
        )
}

/// Settings whose text holds words in which a specifier is expanded; the others hold numbers and keywords.
pub(super) fn expands(key: &str, kind: &str) -> bool {
    !matches!(
        kind,
        "BOOLEAN"
            | "SECONDS"
            | "UNSIGNED"
            | "SIGNAL"
            | "SERVICETYPE"
            | "SERVICERESTART"
            | "KILLMODE"
            | "LIMIT"
    ) && !matches!(key, "CPUQuota" | "TasksMax")
}

/// Settings beside the commands for which an unknown specifier refuses the unit.
pub(super) const REFUSES_UNKNOWN_SPECIFIERS: &[&str] = &[
    "WorkingDirectory",
    "RootDirectory",
    "RootImage",
    "RootVerity",
    "User",
    "Group",
    "SupplementaryGroups",
    "SELinuxContext",
    "AppArmorProfile",
    "SmackProcessLabel",
];

/// How the text that a specifier stands for is written into a value. Specifiers are expanded after a list
/// has been split into words, so what they stand for must stay within its word.
pub(super) fn into_words(key: &str, kind: &str) -> &'static dyn Fn(&str, &mut String) {
    if kind == "ENVIRON" {
        &put_escaped
    } else if (kind.ends_with("[...]") || kind.ends_with("[...]]")) && value::is_unquoted(key, kind) {
        &put_quoted
    } else {
        &put_plain
    }
}

fn put_plain(value: &str, out: &mut String) {
    out.push_str(value);
}

/// For lists in which C escapes are decoded.
pub(super) fn put_escaped(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            ' ' => out.push_str("\\s"),
            '\t' => out.push_str("\\t"),
            '\\' | '"' | '\'' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
}

/// For lists in which a backslash only protects the next character.
fn put_quoted(value: &str, out: &mut String) {
    for c in value.chars() {
        if matches!(c, ' ' | '\t' | '\\' | '"' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
}
