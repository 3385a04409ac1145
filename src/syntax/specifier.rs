//! Specifiers: the `%x` of unit files (systemd.unit(5)), for the system manager, which runs as root.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

use super::unit_name::{UnitName, unescape};

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
#[derive(Clone, Debug)]
pub struct Specifiers<'a> {
    name: &'a UnitName,
    fragment: Option<Arc<str>>,
    host: Option<&'a HostNames>,
}

impl<'a> Specifiers<'a> {
    /// Of a unit with its fragment and its host.
    pub fn new(name: &'a UnitName, fragment: Option<&Arc<str>>, host: Option<&'a HostNames>) -> Self {
        Self { name, fragment: fragment.cloned(), host }
    }

    /// Expands every specifier of a text. A lone `%` at the end stays.
    pub fn expand<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, SpecifierError> {
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
                None => out.push('%'),
                Some('%') => out.push('%'),
                Some(letter) => out.push_str(&self.value(letter)?),
            }
        }
        Ok(Cow::Owned(out))
    }

    fn value(&self, letter: char) -> Result<Cow<'_, str>, SpecifierError> {
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
            's' => "/bin/bash".into(),
            'a' => std::env::consts::ARCH.replace('_', "-").into(),
            'd' => format!("/run/credentials/{}", name.as_str()).into(),
            _ => return self.of_host(letter),
        };
        Ok(value)
    }

    fn of_host(&self, letter: char) -> Result<Cow<'_, str>, SpecifierError> {
        let host = self.host;
        let release = |key: &str| {
            let text = host?.os_release.as_deref()?;
            let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(value.trim_matches(['"', '\'']).to_owned())
        };
        // A field that os-release(5) may leave out is empty; a file that was not read is unknown.
        let optional = |key: &str| host?.os_release.as_ref().map(|_| release(key).unwrap_or_default());
        let value = match letter {
            'm' => host.and_then(|host| host.machine_id.clone()),
            'H' | 'q' => host.and_then(|host| host.host_name.clone()),
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
        Specifiers::new(&name, Some(&fragment), Some(&host)).expand(text).map(Cow::into_owned)
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
