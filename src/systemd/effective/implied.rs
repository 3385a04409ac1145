//! What one setting makes of others: `DynamicUser=yes` forces a sandbox, and gives the user its name; the commands and the
//! bus name decide about a type that is not stated.

use super::{EffectiveUnit, Setting};
use crate::systemd::command_line;

impl EffectiveUnit {
    /// The value that a setting of `[Service]` has in force and the line that decides it, where the unit says anything
    /// about it; `None` where systemd's default counts.
    pub fn in_force(&self, key: &str) -> Option<(&str, &Setting)> {
        let stated = || self.scalar("Service", key).map(|setting| (setting.value(), setting));
        self.implied(key).or_else(stated)
    }

    /// What `DynamicUser=` makes of a setting, whatever the unit says of it.
    ///
    /// "If this option is enabled, RemoveIPC= is implied … PrivateTmp= is implied … NoNewPrivileges= and
    /// RestrictSUIDSGID= are implied (and cannot be disabled) … ProtectSystem=strict and ProtectHome=read-only are
    /// implied" (systemd.exec(5)). Where the unit asks for more than that, what it asks for counts.
    pub fn implied(&self, key: &str) -> Option<(&'static str, &Setting)> {
        let dynamic = self.scalar("Service", "DynamicUser").filter(|setting| setting.value() == "yes")?;
        let stated = || self.scalar("Service", key).map(Setting::value);
        let value = match key {
            "ProtectSystem" => "strict",
            "ProtectHome" if stated().is_none_or(|value| value == "no") => "read-only",
            "PrivateTmp" if stated().is_none_or(|value| value == "no") => "yes",
            "NoNewPrivileges" | "RemoveIPC" | "RestrictSUIDSGID" => "yes",
            _ => return None,
        };
        Some((value, dynamic))
    }

    /// What systemd waits for at a start: `Type=`, or what it takes where that is not stated (systemd.service(5)).
    pub fn service_type(&self) -> &str {
        let mut starts = self.assignments("Service", "ExecStart");
        match self.scalar("Service", "Type").map(Setting::value) {
            Some(stated) => stated,
            None if self.assignments("Service", "BusName").next().is_some() => "dbus",
            None if starts.any(|line| !command_line::parse(line.value()).commands.is_empty()) => "simple",
            None => "oneshot",
        }
    }

    /// The name of the user that systemd starts a service as: `User=`, else root; with `DynamicUser=` the name of the
    /// unit. `None` where that is no name of a user, so that systemd makes one of a hash.
    pub fn user_name(&self) -> Option<&str> {
        let stated = self.scalar("Service", "User").map(Setting::value).filter(|name| !name.is_empty());
        match (stated, self.is_dynamic()) {
            (Some(name), _) => Some(name),
            (None, false) => Some("root"),
            (None, true) => Some(self.name.prefix()).filter(|name| is_strict_name(name)),
        }
    }

    /// The name of the group of a dynamic user: `Group=`, else that of the user.
    pub fn dynamic_group(&self) -> Option<&str> {
        let stated = self.scalar("Service", "Group").map(Setting::value).filter(|name| !name.is_empty());
        stated.or_else(|| self.user_name())
    }
}

/// `valid_user_group_name` without laxness: what systemd makes users of.
fn is_strict_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.len() <= 31 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}
