//! Settings whose text is the value, if it has the right shape; else systemd drops it.

use std::net::IpAddr;

use super::{Mangled, boolean, dropped, number};

/// Whether a setting's text, or each word of it, has the shape that systemd asks for.
pub(super) fn check(key: &str, text: &str) -> Result<(), Mangled> {
    let all = |fits: &dyn Fn(&str) -> bool| text.split_ascii_whitespace().all(fits);
    let (fits, what) = match key {
        "PrivateMounts" => return boolean(text).map(|_| ()),
        "SecureBits" => (all(&|word| SECURE_BITS.contains(&word)), "a list of secure bits"),
        "Personality" => (PERSONALITIES.contains(&text), "a personality"),
        "CoredumpFilter" => (all(&is_coredump_part), "a list of core dump mappings"),
        "FailureActionExitStatus" | "SuccessActionExitStatus" => {
            (text.parse::<u8>().is_ok(), "an exit status")
        }
        "LogNamespace" | "DelegateSubgroup" => (is_file_name(text), "a name without slashes"),
        "LogExtraFields" => (all(&|word| word.contains('=')), "a list of FIELD=value"),
        "LoadCredential" | "LoadCredentialEncrypted" | "SetCredential" | "SetCredentialEncrypted" => (
            text.split(':').next().is_some_and(is_file_name),
            "a name without slashes, a colon and its content",
        ),
        "IPAddressAllow" | "IPAddressDeny" => (all(&is_network), "a list of addresses"),
        "DeviceAllow" => {
            let mut words = text.split_ascii_whitespace();
            let is_right = |rights: &str| rights.chars().all(|right| "rwm".contains(right));
            let fits = words.next().is_some_and(is_device) && words.next().is_none_or(is_right);
            (fits, "a device and its rights")
        }
        "CPUAffinity" => (text == "numa" || all(&is_processor_range), "a list of processors"),
        "AllowedCPUs" | "StartupAllowedCPUs" => (all(&is_processor_range), "a list of processors"),
        "OpenFile" => (text.starts_with('/'), "an absolute path"),
        "TemporaryFileSystem" => (all(&|word| word.starts_with('/')), "a list of absolute paths"),
        "ExecSearchPath" => (text.split(':').any(|path| path.starts_with('/')), "a list of absolute paths"),
        "IOReadBandwidthMax" | "IOWriteBandwidthMax" | "IOReadIOPSMax" | "IOWriteIOPSMax" => {
            let mut words = text.split_ascii_whitespace();
            let is_path = words.next().is_some_and(|path| path.starts_with('/'));
            let is_rate = |rate: &str| rate == "infinity" || number::parse_size(rate).is_some();
            (is_path && words.next().is_some_and(is_rate), "a device and a rate")
        }
        _ => return Ok(()),
    };
    match fits {
        true => Ok(()),
        false => dropped(format!("{text:?} is not {what}")),
    }
}

const SECURE_BITS: &[&str] = &[
    "keep-caps",
    "keep-caps-locked",
    "no-setuid-fixup",
    "no-setuid-fixup-locked",
    "noroot",
    "noroot-locked",
];

const PERSONALITIES: &[&str] = &[
    "x86", "x86-64", "arm", "arm-be", "arm64", "arm64-be", "ppc", "ppc-le", "ppc64", "ppc64-le", "s390",
    "s390x",
];

fn is_coredump_part(word: &str) -> bool {
    const NAMES: &[&str] = &[
        "private-anonymous",
        "shared-anonymous",
        "private-file-backed",
        "shared-file-backed",
        "elf-headers",
        "private-huge",
        "shared-huge",
        "private-dax",
        "shared-dax",
        "all",
        "default",
    ];
    let hexadecimal = word.strip_prefix("0x").unwrap_or(word);
    NAMES.contains(&word) || u64::from_str_radix(hexadecimal, 16).is_ok()
}

fn is_file_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/') && !matches!(text, "." | "..")
}

fn is_network(word: &str) -> bool {
    let is_prefix = |address: IpAddr, length: &str| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        length.parse::<u8>().is_ok_and(|length| length <= most)
    };
    matches!(word, "any" | "localhost" | "link-local" | "multicast")
        || match word.split_once('/') {
            Some((address, length)) => address.parse().is_ok_and(|address| is_prefix(address, length)),
            None => word.parse::<IpAddr>().is_ok(),
        }
}

fn is_device(word: &str) -> bool {
    ["/dev/", "/run/systemd/inaccessible/", "char-", "block-"].iter().any(|start| word.starts_with(start))
}

fn is_processor_range(word: &str) -> bool {
    let is_number = |text: &str| text.parse::<u16>().is_ok();
    word.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once('-') {
        Some((from, to)) => is_number(from) && is_number(to),
        None => is_number(part),
    })
}
