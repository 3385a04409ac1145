//! System calls and their groups, which systemd knows by name: `SystemCallFilter=` and its kin.
//!
//! The names are those of `systemd-analyze syscall-filter` of the measured versions. systemd logs a name that it does not
//! know and goes on without it, so that a deny-list with a slip in it denies nothing.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::{Mangled, Reading, dropped, list};
use crate::systemd::version::{Around, OfEach, SystemdVersion};

struct Table {
    text: &'static str,
    names: OnceLock<HashSet<&'static str>>,
}

static TABLES: OfEach<Table> = [
    Table::new(include_str!("../known/syscalls-247.txt")),
    Table::new(include_str!("../known/syscalls-252.txt")),
    Table::new(include_str!("../known/syscalls-254.txt")),
    Table::new(include_str!("../known/syscalls-257.txt")),
    Table::new(include_str!("../known/syscalls-262.txt")),
];

impl Table {
    const fn new(text: &'static str) -> Self {
        Self { text, names: OnceLock::new() }
    }

    fn has(&self, name: &str) -> bool {
        self.names.get_or_init(|| self.text.lines().collect()).contains(name)
    }
}

/// Whether a systemd of a version knows a name; `None` where none like it was measured.
fn knows(version: SystemdVersion, name: &str) -> Option<bool> {
    match version.around(&TABLES).map(|table| table.has(name)) {
        Around::Measured(known) => Some(known),
        Around::Between(older, newer) => (older == newer).then_some(older),
        // A newer one may have learned it.
        Around::After(known) => known.then_some(true),
        // An older one may not have had it yet.
        Around::Before(known) => (!known).then_some(false),
    }
}

/// `SystemCallFilter=` and `SystemCallLog=`: names and groups, each with an error number after a colon.
pub(super) fn filter(version: SystemdVersion, text: &str) -> Result<Reading, Mangled> {
    let (inverted, rest) = text.strip_prefix('~').map_or(("", text), |rest| ("~", rest));
    let (words, unsplit) = list::split("", "", rest);
    let mut reading = Reading::default();
    reading.passed_over.extend(unsplit.map(|rest| format!("{rest}: unbalanced quotes")));
    let mut kept = Vec::new();
    for word in words {
        let (name, number) = word.split_once(':').map_or((word.as_str(), None), |(name, n)| (name, Some(n)));
        let what = if name.starts_with('@') { "group of system calls" } else { "system call" };
        match knows(version, name) {
            _ if number.is_some_and(|number| number != "kill" && !is_error_number(number)) => {
                reading.passed_over.push(format!("{word:?} names no error number"));
                continue;
            }
            Some(true) => {}
            Some(false) => {
                reading.passed_over.push(format!("{name:?} is not a {what}"));
                continue;
            }
            None => reading
                .unmeasured
                .push(format!("it was not measured whether systemd {version} knows the {what} {name}")),
        }
        kept.push(word);
    }
    reading.value = (!reading.passed_over.is_empty()).then(|| format!("{inverted}{}", kept.join(" ")));
    Ok(reading)
}

/// `SystemCallArchitectures=`
pub(super) fn architectures(version: SystemdVersion, text: &str) -> Result<Reading, Mangled> {
    const NAMES: &[&str] = &[
        "native",
        "x86",
        "x86-64",
        "x32",
        "arm",
        "arm64",
        "loongarch64",
        "m68k",
        "mips",
        "mips64",
        "mips64-n32",
        "mips-le",
        "mips64-le",
        "mips64-le-n32",
        "parisc",
        "parisc64",
        "ppc",
        "ppc64",
        "ppc64-le",
        "riscv64",
        "s390",
        "s390x",
        "sh",
    ];
    const LEARNED: &[(&str, u32)] = &[("loongarch64", 257), ("parisc", 252), ("parisc64", 252)];
    let known = |word: &str| {
        let learned = LEARNED.iter().find(|(name, _)| *name == word);
        NAMES.contains(&word) && learned.is_none_or(|(_, since)| version.has(*since) != Some(false))
    };
    list::set(text, &known, "no architecture")
}

/// `RestrictFileSystems=`: systemd knows its groups by name; the names of file systems are the kernel's.
pub(super) fn file_systems(text: &str) -> Result<Reading, Mangled> {
    const GROUPS: &[&str] = &[
        "@basic-api",
        "@anonymous",
        "@application",
        "@auxiliary-api",
        "@common-block",
        "@historical-block",
        "@known",
        "@network",
        "@privileged-api",
        "@security",
        "@temporary",
    ];
    list::set(text, &|word| !word.starts_with('@') || GROUPS.contains(&word), "no group of file systems")
}

/// `SystemCallErrorNumber=`
pub(super) fn error_number(text: &str) -> Result<Reading, Mangled> {
    match text == "kill" || is_error_number(text) {
        true => Ok(Reading::default()),
        false => dropped(format!("{text:?} is not an error number")),
    }
}

/// errno(3), by name or number.
fn is_error_number(text: &str) -> bool {
    ERRORS.contains(&text) || text.parse::<u32>().is_ok_and(|number| (1..4096).contains(&number))
}

const ERRORS: &[&str] = &[
    "E2BIG",
    "EACCES",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "EADV",
    "EAFNOSUPPORT",
    "EAGAIN",
    "EALREADY",
    "EBADE",
    "EBADF",
    "EBADFD",
    "EBADMSG",
    "EBADR",
    "EBADRQC",
    "EBADSLT",
    "EBFONT",
    "EBUSY",
    "ECANCELED",
    "ECHILD",
    "ECHRNG",
    "ECOMM",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EDEADLOCK",
    "EDESTADDRREQ",
    "EDOM",
    "EDOTDOT",
    "EDQUOT",
    "EEXIST",
    "EFAULT",
    "EFBIG",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "EIDRM",
    "EILSEQ",
    "EINPROGRESS",
    "EINTR",
    "EINVAL",
    "EIO",
    "EISCONN",
    "EISDIR",
    "EISNAM",
    "EKEYEXPIRED",
    "EKEYREJECTED",
    "EKEYREVOKED",
    "EL2HLT",
    "EL2NSYNC",
    "EL3HLT",
    "EL3RST",
    "ELIBACC",
    "ELIBBAD",
    "ELIBEXEC",
    "ELIBMAX",
    "ELIBSCN",
    "ELNRNG",
    "ELOOP",
    "EMEDIUMTYPE",
    "EMFILE",
    "EMLINK",
    "EMSGSIZE",
    "EMULTIHOP",
    "ENAMETOOLONG",
    "ENAVAIL",
    "ENETDOWN",
    "ENETRESET",
    "ENETUNREACH",
    "ENFILE",
    "ENOANO",
    "ENOBUFS",
    "ENOCSI",
    "ENODATA",
    "ENODEV",
    "ENOENT",
    "ENOEXEC",
    "ENOKEY",
    "ENOLCK",
    "ENOLINK",
    "ENOMEDIUM",
    "ENOMEM",
    "ENOMSG",
    "ENONET",
    "ENOPKG",
    "ENOPROTOOPT",
    "ENOSPC",
    "ENOSR",
    "ENOSTR",
    "ENOSYS",
    "ENOTBLK",
    "ENOTCONN",
    "ENOTDIR",
    "ENOTEMPTY",
    "ENOTNAM",
    "ENOTRECOVERABLE",
    "ENOTSOCK",
    "ENOTSUP",
    "ENOTTY",
    "ENOTUNIQ",
    "ENXIO",
    "EOPNOTSUPP",
    "EOVERFLOW",
    "EOWNERDEAD",
    "EPERM",
    "EPFNOSUPPORT",
    "EPIPE",
    "EPROTO",
    "EPROTONOSUPPORT",
    "EPROTOTYPE",
    "ERANGE",
    "EREMCHG",
    "EREMOTE",
    "EREMOTEIO",
    "ERESTART",
    "ERFKILL",
    "EROFS",
    "ESHUTDOWN",
    "ESOCKTNOSUPPORT",
    "ESPIPE",
    "ESRCH",
    "ESRMNT",
    "ESTALE",
    "ESTRPIPE",
    "ETIME",
    "ETIMEDOUT",
    "ETOOMANYREFS",
    "ETXTBSY",
    "EUCLEAN",
    "EUNATCH",
    "EUSERS",
    "EWOULDBLOCK",
    "EXDEV",
    "EXFULL",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_by_version() {
        let read = |version: u32, text: &str| filter(SystemdVersion(version), text).unwrap();
        let good = read(252, "~@clock @mount read:EPERM write:kill");
        assert_eq!((good.passed_over.len(), good.unmeasured.len(), good.value), (0, 0, None));
        for (version, text) in
            [(252, "@clok"), (257, "clok"), (254, "~@clok"), (252, "@sandbox"), (257, "read:ENOPE")]
        {
            assert_eq!(read(version, text).passed_over.len(), 1, "{version} {text}");
        }
        assert_eq!(read(252, "~@clok @mount").value.as_deref(), Some("~@mount"));
        for (version, text) in [(253, "@sandbox"), (263, "brandnew"), (246, "read")] {
            assert_eq!(read(version, text).unmeasured.len(), 1, "{text}");
        }
        assert!(read(247, "read").unmeasured.is_empty());
    }
}
