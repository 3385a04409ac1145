//! Commands that mend a unit: what a person would type into a root shell, and a test really runs.
//!
//! The offending line is changed where it stands. A drop-in that holds nothing else is removed when that
//! uncovers the demanded value. What a package owns (`/usr`, `/lib`) and what a generator writes stays as
//! it is: a drop-in of ours overrides it.

use crate::facts::start::{Started, base_name, lies_under};
use crate::rules::prelude::*;
use crate::syntax::command_line;

/// The name of our drop-in; later than any that people choose.
const OURS: &str = "zz-golden.conf";

/// A word of a shell command, quoted where it must be.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Adds lines to the end of a file.
pub fn append(path: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    format!("printf '%s\\n' {} >> {}", lines.join(" "), quoted(path))
}

/// Replaces a line and the lines that continue it.
pub fn replace_line(path: &str, line: u32, text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('|', r"\|").replace('&', r"\&");
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s|.*|{text}|}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}

/// Empties a line and the lines that continue it. The lines stay, so that other findings still point right.
pub fn delete_line(path: &str, line: u32) -> String {
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s/[^\n]*//g}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}

/// Replaces a word in a line and in the lines that continue it; a program may have its prefixes before it.
pub fn replace_in_line(path: &str, line: u32, word: &str, by: &str) -> String {
    let literal = |text: &str, special: &str| -> String {
        let escape = |c: char| if special.contains(c) { format!("\\{c}") } else { c.to_string() };
        text.chars().map(escape).collect()
    };
    let (pattern, by) = (literal(word, r"\.*[]^$,"), literal(by, r"\&,"));
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s,\(^\|[-@:+!= \t]\){pattern}\([ \t:]\|$\),\1{by}\2,g}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}

/// Whether people keep this file, so that it may be changed where it is.
fn is_ours_to_change(path: &str) -> bool {
    path.starts_with("/etc/systemd/")
}

/// Whether a file goes away with the next boot.
fn is_runtime(path: &str) -> bool {
    path.starts_with("/run/")
}

fn is_drop_in(path: &str) -> bool {
    path.rsplit('/').nth(1).is_some_and(|directory| directory.ends_with(".d"))
}

impl ServiceView<'_> {
    /// What makes systemd and, for a service that runs, the process take up what is written.
    pub fn take_up(&self) -> String {
        match self.service.kind.value.runs() {
            true => {
                format!("systemctl daemon-reload && systemctl restart {}", quoted(&self.service.unit.value))
            }
            false => "systemctl daemon-reload".to_owned(),
        }
    }

    /// A command and then [`Self::take_up`].
    pub fn and_take_up(&self, command: impl AsRef<str>) -> String {
        format!("{} && {}", command.as_ref(), self.take_up())
    }

    /// The command that gives a setting of `[Service]` the demanded value.
    pub fn mend_setting(
        &self,
        unit: &EffectiveUnit,
        setting: Option<&Setting>,
        key: &str,
        demanded: &str,
    ) -> String {
        let section = setting.map_or("Service", |setting| setting.section.as_str());
        self.mend_in(unit, setting, section, key, demanded)
    }

    /// The same for a setting of any section.
    pub fn mend_in(
        &self,
        unit: &EffectiveUnit,
        setting: Option<&Setting>,
        section: &str,
        key: &str,
        demanded: &str,
    ) -> String {
        let text = format!("{key}={demanded}");
        let Some(setting) = setting else {
            return self.mend_by_adding(unit, section, &[text]);
        };
        let path = setting.at.path.as_ref();
        if let Some(command) = self.mend_by_removing(unit, setting, |uncovered| uncovered == demanded) {
            return command;
        }
        match setting.at.line {
            Some(line) if is_ours_to_change(path) && self.is_own(unit, path) => {
                self.and_take_up(replace_line(path, line.get(), &text))
            }
            _ => self.mend_by_drop_in(Some(path), section, &[text]),
        }
    }

    /// The command that removes the drop-in of a setting, where that says nothing else and what it overrode
    /// is right.
    pub fn mend_by_removing(
        &self,
        unit: &EffectiveUnit,
        setting: &Setting,
        is_right: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let path = &setting.at.path;
        let (at, uncovered) = setting.overrode.iter().rev().find(|(at, _)| at.path != *path)?;
        let removable = is_right(uncovered) && !is_runtime(&at.path) && self.holds_only(unit, setting);
        removable.then(|| self.and_take_up(format!("rm -f {}", quoted(path))))
    }

    /// The command that adds lines to a section of the unit: to its own file where people keep that, else
    /// in a drop-in of ours.
    pub fn mend_by_adding(&self, unit: &EffectiveUnit, section: &str, lines: &[String]) -> String {
        let fragment = unit.location().path;
        // What a drop-in has reset, a line in the fragment cannot bring back.
        let keys = lines.iter().filter_map(|line| line.split_once('=')).map(|(key, _)| key);
        let over = keys.filter_map(|key| unit.deciding(section, key)).map(|setting| &setting.at.path);
        let over = over.filter(|path| is_drop_in(path)).max_by_key(|path| base_name(path));
        if over.is_some() || !is_ours_to_change(&fragment) {
            return self.mend_by_drop_in(over.map(AsRef::as_ref), section, lines);
        }
        // The file may end without a newline.
        let mut all = vec![String::new(), format!("[{section}]")];
        all.extend(lines.iter().cloned());
        self.and_take_up(append(&fragment, &all))
    }

    /// The command that writes lines into a drop-in that is read after the file `over`.
    pub fn mend_by_drop_in(&self, over: Option<&str>, section: &str, lines: &[String]) -> String {
        let mut name = OURS.to_owned();
        while over.is_some_and(|over| is_drop_in(over) && base_name(over) > name.as_str()) {
            name.insert(0, 'z');
        }
        let directory = format!("/etc/systemd/system/{}.d", self.service.unit.value);
        let mut all = vec![format!("[{section}]")];
        all.extend(lines.iter().cloned());
        let write = append(&format!("{directory}/{name}"), &all);
        self.and_take_up(format!("mkdir -p {} && {write}", quoted(&directory)))
    }

    /// The command that replaces a whole list.
    pub fn mend_list(&self, over: Option<&str>, section: &str, key: &str, values: &[String]) -> String {
        let mut lines = vec![format!("{key}=")];
        lines.extend(values.iter().map(|value| format!("{key}={value}")));
        self.mend_by_drop_in(over, section, &lines)
    }

    /// The command that makes ExecStart the contract's.
    pub fn mend_command(
        &self,
        unit: &EffectiveUnit,
        demanded: &CommandDemand,
        setting: Option<&Setting>,
    ) -> String {
        let line = self.service.exec_line(demanded);
        match setting {
            None => self.mend_by_adding(unit, "Service", &[format!("ExecStart={line}")]),
            Some(setting) if unit.assignments("Service", "ExecStart").count() == 1 => {
                self.mend_setting(unit, Some(setting), "ExecStart", &line)
            }
            Some(setting) => self.mend_list(Some(&setting.at.path), "Service", "ExecStart", &[line]),
        }
    }

    /// The command that puts another program into an Exec line.
    pub fn mend_program(&self, unit: &EffectiveUnit, started: &Started, program: &str) -> String {
        let setting = started.setting;
        if let Some(demanded) = self.service.command.as_ref().filter(|_| started.key == "ExecStart") {
            return self.mend_command(unit, demanded, Some(setting));
        }
        let directory = program.rsplit_once('/').map_or("", |(directory, _)| directory);
        let is_right = |text: &str| {
            let commands = command_line::parse(text).commands;
            !commands.is_empty() && commands.iter().all(|command| lies_under(&command.program, directory))
        };
        if let Some(command) = self.mend_by_removing(unit, setting, is_right) {
            return command;
        }
        match setting.at.line {
            // With a specifier in it, the program is not written as it is read.
            Some(line)
                if is_ours_to_change(&setting.at.path)
                    && setting.value().contains(&started.command.program) =>
            {
                let old = &started.command.program;
                self.and_take_up(replace_in_line(&setting.at.path, line.get(), old, program))
            }
            _ => format!(
                "a person must decide what {} should run; a program of the venv is {program}",
                setting.at
            ),
        }
    }

    /// The command that takes a line out of the unit.
    pub fn mend_by_deleting(&self, unit: &EffectiveUnit, at: &Location) -> Option<String> {
        let line = at.line?.get();
        let here = is_ours_to_change(&at.path) || is_runtime(&at.path);
        (here && self.is_own(unit, &at.path)).then(|| self.and_take_up(delete_line(&at.path, line)))
    }

    /// Whether a file shapes this unit alone: its fragment, or a drop-in of its own directory.
    fn is_own(&self, unit: &EffectiveUnit, path: &str) -> bool {
        let own = |name: &str| path.contains(&format!("/{name}.d/"));
        !is_drop_in(path) || unit.names().any(own)
    }

    /// Whether the file of a setting is a drop-in in /etc or /run that says nothing else.
    fn holds_only(&self, unit: &EffectiveUnit, setting: &Setting) -> bool {
        let path = &setting.at.path;
        (is_ours_to_change(path) || is_runtime(path)) && is_drop_in(path) && unit.is_all_of_file(setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        assert_eq!(quoted("User=qt"), "User=qt");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_replacement_is_text() {
        let command = replace_line("/etc/systemd/system/x.service", 3, "Description=a|b&c\\d");
        let script = r"3{:a;/\\$/{N;ba};s|.*|Description=a\|b\&c\\d|}";
        assert_eq!(command, format!("sed -i '{script}' /etc/systemd/system/x.service"));
    }
}
