//! Settings that hold several words, of which systemd drops the bad ones and keeps the others.

use super::{Mangled, Reading, dropped, path};
use crate::syntax::env_file::is_valid_name;
use crate::syntax::words::{Strictness, Words};
use crate::systemd::unit_name::UnitName;
use crate::systemd::version::SystemdVersion;

/// Lists whose words are separated by blanks alone: a quote is part of the word.
pub fn is_unquoted(key: &str, kind: &str) -> bool {
    !matches!(key, "SupplementaryGroups" | "Documentation") && kind != "UNIT [...]"
}

/// The words of a list, and the rest of it that cannot be split.
pub fn split<'a>(key: &str, kind: &str, text: &'a str) -> (Vec<String>, Option<&'a str>) {
    if !is_unquoted(key, kind) {
        return (text.split_ascii_whitespace().map(str::to_owned).collect(), None);
    }
    let mut words = Words::new(text, Strictness::PLAIN);
    let mut found = Vec::new();
    loop {
        let rest = words.rest();
        match words.next_word() {
            Ok(Some(word)) => found.push(word.text),
            Ok(None) => return (found, None),
            Err(_) => return (found, Some(rest)),
        }
    }
}

/// Reads a list word by word; a word that is none goes, and without any left the assignment goes.
fn each(
    key: &str,
    kind: &str,
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Reading, Mangled> {
    let (words, rest) = split(key, kind, text);
    let mut kept = Vec::with_capacity(words.len());
    let mut passed_over: Vec<String> =
        rest.map(|rest| format!("{rest}: unbalanced quotes")).into_iter().collect();
    let mut is_as_written = true;
    for word in &words {
        match read(word) {
            Ok(read) => {
                is_as_written &= read == *word;
                kept.push(read);
            }
            Err(why) => passed_over.push(why),
        }
    }
    if kept.is_empty() {
        return dropped(passed_over.join("; "));
    }
    let value = match is_as_written && passed_over.is_empty() {
        true => None,
        false if is_unquoted(key, kind) => {
            Some(kept.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
        }
        false => Some(kept.join(" ")),
    };
    Ok(Reading { value, passed_over, ..Reading::default() })
}

/// A word as it is written into a list so that it is read as this word.
fn quoted(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, ' ' | '\t' | '\\' | '"' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Absolute paths; `-` and `+` before one are kept.
pub(super) fn paths(key: &str, kind: &str, text: &str) -> Result<Reading, Mangled> {
    each(key, kind, text, &|word| path::plain(word).map_err(|mangled| mangled.why))
}

/// `RuntimeDirectory=` and kin: relative paths, each with a link after a colon.
///
/// systemd 247 knows no such link: the colon is part of the name. Another word than `ro` behind it is dropped from 257 on.
pub(super) fn directories(
    version: SystemdVersion,
    key: &str,
    kind: &str,
    text: &str,
) -> Result<Reading, Mangled> {
    let has_links = version.has(252) != Some(false);
    each(key, kind, text, &|word| {
        let flags = word.split(':').nth(2).filter(|flags| *flags != "ro");
        let is_bad = has_links && word.contains(':') && key == "ConfigurationDirectory";
        if is_bad || flags.is_some() && version.has(257) == Some(true) {
            return Err(format!("{word:?} has something behind a colon that {key}= does not take"));
        }
        let directory = word.split(':').next().unwrap_or(word);
        match directory.is_empty() || directory.starts_with('/') || path::goes_up(directory) {
            true => Err(format!("{word:?} is not a relative path without ..")),
            false => Ok(match word.split_once(':') {
                Some((directory, links)) => format!("{}:{links}", path::normalize(directory)),
                None => path::normalize(word),
            }),
        }
    })
}

/// Names of units; a template gets the unit's instance, or its prefix where it has none.
pub(super) fn units(unit: &UnitName, key: &str, kind: &str, text: &str) -> Result<Reading, Mangled> {
    each(key, kind, text, &|word| {
        let name = UnitName::parse(word).map_err(|_| format!("{word:?} is not the name of a unit"))?;
        let is_template = name.instance() == Some("");
        let instance = unit.instance().filter(|instance| !instance.is_empty()).unwrap_or(unit.prefix());
        Ok(match name.instantiate(instance).filter(|_| is_template) {
            Some(instance) => instance.to_string(),
            None => word.to_owned(),
        })
    })
}

/// Names of variables.
pub(super) fn variables(key: &str, kind: &str, text: &str) -> Result<Reading, Mangled> {
    each(key, kind, text, &|word| match is_valid_name(word) {
        true => Ok(word.to_owned()),
        false => Err(format!("{word:?} is not the name of a variable")),
    })
}

/// `documentation_url_is_valid`.
pub(super) fn documentation(key: &str, kind: &str, text: &str) -> Result<Reading, Mangled> {
    const SCHEMES: &[&str] = &["http://", "https://", "file:/", "info:", "man:"];
    each(key, kind, text, &|word| match SCHEMES.iter().any(|scheme| word.starts_with(scheme)) {
        true => Ok(word.to_owned()),
        false => Err(format!("{word:?} is not an http, https, file, info or man URI")),
    })
}

/// Words out of a closed list, after a `~` that inverts them. Where none of them is known, an empty list
/// remains in force: `RestrictAddressFamilies=AF_X` allows no family at all.
pub(super) fn set(text: &str, known: &dyn Fn(&str) -> bool, what: &str) -> Result<Reading, Mangled> {
    let (inverted, list) = text.strip_prefix('~').map_or(("", text), |list| ("~", list));
    let (words, rest) = split("", "", list);
    let mut passed_over: Vec<String> =
        rest.map(|rest| format!("{rest}: unbalanced quotes")).into_iter().collect();
    let (kept, bad): (Vec<String>, Vec<String>) = words.into_iter().partition(|word| known(word));
    passed_over.extend(bad.into_iter().map(|word| format!("{word:?} is {what}")));
    let value = (!passed_over.is_empty()).then(|| format!("{inverted}{}", kept.join(" ")));
    Ok(Reading { value, passed_over, ..Reading::default() })
}

/// `CapabilityBoundingSet=`: names in any case.
pub(super) fn capabilities(text: &str) -> Result<Reading, Mangled> {
    const NAMES: &[&str] = &[
        "chown",
        "dac_override",
        "dac_read_search",
        "fowner",
        "fsetid",
        "kill",
        "setgid",
        "setuid",
        "setpcap",
        "linux_immutable",
        "net_bind_service",
        "net_broadcast",
        "net_admin",
        "net_raw",
        "ipc_lock",
        "ipc_owner",
        "sys_module",
        "sys_rawio",
        "sys_chroot",
        "sys_ptrace",
        "sys_pacct",
        "sys_admin",
        "sys_boot",
        "sys_nice",
        "sys_resource",
        "sys_time",
        "sys_tty_config",
        "mknod",
        "lease",
        "audit_write",
        "audit_control",
        "setfcap",
        "mac_override",
        "mac_admin",
        "syslog",
        "wake_alarm",
        "block_suspend",
        "audit_read",
        "perfmon",
        "bpf",
        "checkpoint_restore",
    ];
    let known = |word: &str| {
        let word = word.to_ascii_lowercase();
        let by_number = || word.parse::<usize>().is_ok_and(|number| number < NAMES.len());
        word.strip_prefix("cap_").is_some_and(|name| NAMES.contains(&name)) || by_number()
    };
    let mut reading = set(text, &known, "no capability")?;
    let lower = reading.value.as_deref().unwrap_or(text).to_ascii_lowercase();
    reading.value = (lower != text).then_some(lower);
    Ok(reading)
}

/// `RestrictAddressFamilies=` (address_families(7)).
pub(super) fn address_families(version: SystemdVersion, text: &str) -> Result<Reading, Mangled> {
    const NAMES: &[&str] = &[
        "ALG",
        "APPLETALK",
        "ASH",
        "ATMPVC",
        "ATMSVC",
        "AX25",
        "BLUETOOTH",
        "BRIDGE",
        "CAIF",
        "CAN",
        "DECnet",
        "ECONET",
        "FILE",
        "IB",
        "IEEE802154",
        "INET",
        "INET6",
        "IPX",
        "IRDA",
        "ISDN",
        "IUCV",
        "KCM",
        "KEY",
        "LLC",
        "LOCAL",
        "MCTP",
        "MPLS",
        "NETBEUI",
        "NETLINK",
        "NETROM",
        "NFC",
        "PACKET",
        "PHONET",
        "PPPOX",
        "QIPCRTR",
        "RDS",
        "ROSE",
        "ROUTE",
        "RXRPC",
        "SECURITY",
        "SMC",
        "SNA",
        "TIPC",
        "UNIX",
        "UNSPEC",
        "VSOCK",
        "WANPIPE",
        "X25",
        "XDP",
    ];
    if text == "none" {
        return Ok(Reading::plain(text));
    }
    let known = |name: &str| NAMES.contains(&name) && (name != "MCTP" || version.has(252) != Some(false));
    set(text, &|word| word.strip_prefix("AF_").is_some_and(known), "no address family")
}
