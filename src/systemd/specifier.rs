//! Specifiers: the `%x` of unit files (systemd.unit(5)), for the system manager, which runs as root.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

use super::unit_name::{UnitName, unescape};
use super::version::SystemdVersion;

/// Names of the host that some specifiers stand for; what is not known stays `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNames {
    /// `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// The host's name.
    pub host_name: Option<String>,
    /// The text of `/etc/os-release`.
    pub os_release: Option<String>,
    /// The boot id.
    pub boot_id: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The machine's architecture by systemd's name for it: `x86-64`, `arm64`.
    pub architecture: Option<String>,
    /// `PRETTY_HOSTNAME` of `/etc/machine-info`, or the host's name.
    pub pretty_host_name: Option<String>,
}

/// A value of os-release(5); `None` where it has no such key. Of several lines the last counts, as in a shell.
pub fn os_release<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let lines = text.lines().map(str::trim_start);
    let value = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).next_back()?;
    Some(value.trim_end().trim_matches(['"', '\'']))
}

/// Whoever knows the names of the host. Most units never ask.
pub trait Host {
    /// The names.
    fn names(&self) -> &HostNames;
}

impl Host for HostNames {
    fn names(&self) -> &HostNames {
        self
    }
}

/// systemd's name for an architecture as Rust calls it (`x86_64` → `x86-64`, `aarch64` → `arm64`).
pub fn architecture(rust: &str) -> Option<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("x86_64", "x86-64"),
        ("x86", "x86"),
        ("aarch64", "arm64"),
        ("arm", "arm"),
        ("riscv64", "riscv64"),
        ("riscv32", "riscv32"),
        ("s390x", "s390x"),
        ("powerpc64", if cfg!(target_endian = "little") { "ppc64-le" } else { "ppc64" }),
        ("powerpc", "ppc"),
        ("loongarch64", "loongarch64"),
        ("sparc64", "sparc64"),
    ];
    NAMES.iter().find(|(name, _)| *name == rust).map(|(_, name)| *name)
}

/// Why a value cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecifierError {
    /// systemd knows no such specifier and refuses the value.
    #[error("unknown specifier %{0}")]
    Unknown(char),
    /// It stands for something of the host that is not known here.
    #[error("%{0} stands for something of the host that was not read")]
    NotRead(char),
}

/// What specifiers stand for in one unit.
#[derive(Clone)]
pub struct Specifiers<'a> {
    name: &'a UnitName,
    fragment: Option<Arc<str>>,
    host: Option<&'a dyn Host>,
    version: SystemdVersion,
}

impl<'a> Specifiers<'a> {
    /// Of a unit with its fragment and its host, as a version of systemd knows them.
    pub fn new(
        name: &'a UnitName,
        fragment: Option<&Arc<str>>,
        host: Option<&'a dyn Host>,
        version: SystemdVersion,
    ) -> Self {
        Self { name, fragment: fragment.cloned(), host, version }
    }

    /// Expands every specifier of a text.
    pub fn expand<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, SpecifierError> {
        self.expand_with(text, &|value, out| out.push_str(value))
    }

    /// Expands every specifier of a text; `put` writes what one stands for. A `%` before anything but a
    /// letter, a digit and `%` stands for itself, and so does one at the end.
    pub fn expand_with<'t>(
        &self,
        text: &'t str,
        put: &dyn Fn(&str, &mut String),
    ) -> Result<Cow<'t, str>, SpecifierError> {
        if !text.contains('%') {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match rest.next() {
                None | Some('%') => out.push('%'),
                Some(letter) if letter.is_ascii_alphanumeric() => put(&self.value(letter)?, &mut out),
                Some(other) => out.extend(['%', other]),
            }
        }
        Ok(Cow::Owned(out))
    }

    fn value(&self, letter: char) -> Result<Cow<'_, str>, SpecifierError> {
        self.is_known(letter)?;
        let name = self.name;
        let instance = name.instance().unwrap_or("");
        let last_part = name.prefix().rsplit('-').next().unwrap_or("");
        let value: Cow<'_, str> = match letter {
            'n' => name.as_str().into(),
            'N' => name.stem().into(),
            'p' => name.prefix().into(),
            'P' => unescape(name.prefix()).into(),
            'i' => instance.into(),
            'I' => unescape(instance).into(),
            'j' => last_part.into(),
            'J' => unescape(last_part).into(),
            'f' => {
                let part = if instance.is_empty() { name.prefix() } else { instance };
                format!("/{}", unescape(part).trim_start_matches('/')).into()
            }
            'y' => self.fragment.as_deref().ok_or(SpecifierError::NotRead('y'))?.to_owned().into(),
            'Y' => {
                let path = self.fragment.as_deref().ok_or(SpecifierError::NotRead('Y'))?;
                path.rsplit_once('/').map_or("/", |(directory, _)| directory).to_owned().into()
            }
            't' => "/run".into(),
            'S' => "/var/lib".into(),
            'C' => "/var/cache".into(),
            'L' => "/var/log".into(),
            'E' => "/etc".into(),
            'T' => "/tmp".into(),
            'V' => "/var/tmp".into(),
            'h' => "/root".into(),
            'u' | 'g' => "root".into(),
            'U' | 'G' => "0".into(),
            's' if self.version.has(252) == Some(true) => "/bin/bash".into(),
            's' if self.version.has(252) == Some(false) => "/bin/sh".into(),
            's' => return Err(SpecifierError::NotRead('s')),
            'd' => format!("/run/credentials/{}", name.as_str()).into(),
            _ => return self.of_host(letter),
        };
        Ok(value)
    }

    /// The specifiers that systemd 252 knows and 247 does not, and the one that came with 255.
    fn is_known(&self, letter: char) -> Result<(), SpecifierError> {
        let learned = match letter {
            'A' | 'M' | 'Y' | 'd' | 'q' | 'y' => 252,
            'D' => 255,
            _ => return Ok(()),
        };
        match self.version.has(learned) {
            Some(true) => Ok(()),
            Some(false) => Err(SpecifierError::Unknown(letter)),
            None => Err(SpecifierError::NotRead(letter)),
        }
    }

    fn of_host(&self, letter: char) -> Result<Cow<'_, str>, SpecifierError> {
        let host = self.host.map(Host::names);
        let release = |key: &str| os_release(host?.os_release.as_deref()?, key).map(str::to_owned);
        // A field that os-release(5) may leave out is empty; a file that was not read is unknown.
        let optional = |key: &str| host?.os_release.as_ref().map(|_| release(key).unwrap_or_default());
        let value = match letter {
            'm' => host.and_then(|host| host.machine_id.clone()),
            'a' => host.and_then(|host| host.architecture.clone()),
            'q' => host.and_then(|host| host.pretty_host_name.clone()),
            'H' => host.and_then(|host| host.host_name.clone()),
            'l' => host.and_then(|host| Some(host.host_name.as_deref()?.split('.').next()?.to_owned())),
            'b' => host.and_then(|host| host.boot_id.clone()),
            'v' => host.and_then(|host| host.kernel.clone()),
            'o' => release("ID"),
            'w' => optional("VERSION_ID"),
            'B' => optional("BUILD_ID"),
            'W' => optional("VARIANT_ID"),
            'A' => optional("IMAGE_VERSION"),
            'M' => optional("IMAGE_ID"),
            'D' => Some("/usr/share".to_owned()),
            // The control groups of the unit, of its slice and of the manager: no longer documented.
            'c' | 'r' | 'R' => None,
            _ => return Err(SpecifierError::Unknown(letter)),
        };
        value.map(Cow::Owned).ok_or(SpecifierError::NotRead(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(unit: &str, text: &str) -> Result<String, SpecifierError> {
        let name = UnitName::parse(unit).unwrap();
        let host = HostNames { machine_id: Some("0123".into()), ..HostNames::default() };
        let fragment: Arc<str> = "/etc/systemd/system/foo@.service".into();
        Specifiers::new(&name, Some(&fragment), Some(&host), SystemdVersion(252))
            .expand(text)
            .map(Cow::into_owned)
    }

    #[test]
    fn a_percent_sign_before_no_letter_stands_for_itself() {
        for text in ["100% done", "%, %-", "%é", "a%", "% %!"] {
            assert_eq!(expand("foo.service", text).as_deref(), Ok(text));
        }
        assert_eq!(expand("foo.service", "%0"), Err(SpecifierError::Unknown('0')));
    }

    #[test]
    fn versions_know_different_specifiers() {
        let name = UnitName::parse("foo.service").unwrap();
        let with = |version| {
            Specifiers::new(&name, None, None, SystemdVersion(version)).expand("%D").map(Cow::into_owned)
        };
        assert_eq!(with(252), Err(SpecifierError::Unknown('D')));
        assert_eq!(with(257).as_deref(), Ok("/usr/share"));
        assert_eq!((architecture("x86_64"), architecture("aarch64")), (Some("x86-64"), Some("arm64")));
    }

    #[test]
    fn specifiers_stand_for_parts_of_the_name_and_of_the_host() {
        let unit = "foo-bar@a-b\\x2dc.service";
        for (text, value) in [
            ("%n", unit),
            ("%p %i", "foo-bar a-b\\x2dc"),
            ("%I", "a/b-c"),
            ("%f", "/a/b-c"),
            ("%j", "bar"),
            ("%E/quantum/%p.env", "/etc/quantum/foo-bar.env"),
            ("%Y", "/etc/systemd/system"),
            ("100%", "100%"),
            ("%%n", "%n"),
            ("%m", "0123"),
        ] {
            assert_eq!(expand(unit, text).as_deref(), Ok(value), "{text}");
        }
        assert_eq!(expand(unit, "%Z"), Err(SpecifierError::Unknown('Z')));
        assert_eq!(expand(unit, "%b"), Err(SpecifierError::NotRead('b')));
    }
}
