//! Remedies in units: a setting, a command or a line of one.

use super::{by_hand, is_drop_in, needs_only_a_reload, unit_word};
use crate::facts::start::{Started, base_name, is_python, simplified};
use crate::model::change::{Change, How, Verb};
use crate::rules::prelude::*;
use crate::systemd::command_line::{self, Command};
use crate::systemd::effective;

impl ServiceView<'_> {
    /// What makes systemd and, for a service that runs, the process take up what is written.
    pub fn taking_up(&self) -> Vec<Change> {
        let unit = self.service.unit.value.clone();
        match self.service.runs_by_itself() {
            true => vec![Change::Reload, Change::Unit { verb: Verb::Restart, unit }],
            false => vec![Change::Reload],
        }
    }

    /// Changes, and then what takes them up: a reload alone where only systemd reads what has changed.
    pub fn taken_up(&self, changes: impl IntoIterator<Item = Change>) -> Remedy {
        let changes: Vec<Change> = changes.into_iter().collect();
        match changes.iter().all(needs_only_a_reload) {
            true => Remedy::changes(changes.into_iter().chain([Change::Reload])),
            false => Remedy::changes(changes.into_iter().chain(self.taking_up())),
        }
    }

    /// The remedy for a process that is not what its files say. A job that runs is not disturbed.
    pub fn restarted(&self) -> Remedy {
        match self.service.runs_by_itself() {
            true => Remedy::changes(self.taking_up()),
            false => Remedy::decide(format!(
                "wait until {} has ended: a job that runs is not restarted",
                self.service.unit.value
            )),
        }
    }

    /// A verb for the unit of the service.
    pub fn verb(&self, verb: Verb) -> Change {
        Change::Unit { verb, unit: self.service.unit.value.clone() }
    }

    /// The remedy that gives a setting of `[Service]` the demanded value.
    pub fn set(&self, unit: &EffectiveUnit, setting: Option<&Setting>, key: &str, demanded: &str) -> Remedy {
        let section = setting.map_or("Service", |setting| setting.section.as_str());
        self.set_in(unit, setting, section, key, demanded)
    }

    /// The same for a setting of any section. A list holds the demanded value alone afterwards; where systemd does not
    /// empty the list for an empty assignment, only a person can take out what else stands in it.
    pub fn set_in(
        &self,
        unit: &EffectiveUnit,
        setting: Option<&Setting>,
        section: &str,
        key: &str,
        demanded: &str,
    ) -> Remedy {
        let values = [demanded.to_owned()];
        let last = unit.assignments(section, key).last();
        let over = setting.map(|setting| setting.at.path());
        match (effective::is_list(section, key), last) {
            (false, _) => self.in_drop_in(over, section, key, &values, How::Set),
            (true, None) => self.add(unit, section, key, &values),
            (true, Some(last)) if effective::is_reset_by_nothing(section, key) => {
                self.in_drop_in(Some(last.at.path()), section, key, &values, How::Replace)
            }
            (true, Some(last)) => Remedy::decide(format!(
                "write {key}={demanded} at {}: systemd only ever adds to {key}=, so no drop-in can do it",
                last.at
            ))
            .candidate("", by_hand(&last.at)),
        }
    }

    /// The remedy that takes a setting back to systemd's default: an empty assignment where that does it, else the line
    /// goes.
    pub fn unset(&self, unit: &EffectiveUnit, setting: &Setting) -> Remedy {
        let (section, key) = (setting.section.as_str(), setting.key.as_str());
        if effective::is_reset_by_nothing(section, key) {
            return self.in_drop_in(Some(setting.at.path()), section, key, &[], How::Replace);
        }
        // A drop-in that overrides another value would only bring that one back.
        let is_alone = setting.overrode.is_empty() && unit.assignments(section, key).count() == 1;
        self.empty_line(unit, &setting.at).filter(|_| is_alone).unwrap_or_else(|| {
            Remedy::decide(format!("remove {key}= from {}", setting.at)).candidate("", by_hand(&setting.at))
        })
    }

    /// The remedy that adds values to what the unit says already.
    pub fn add(&self, unit: &EffectiveUnit, section: &str, key: &str, values: &[String]) -> Remedy {
        // What a drop-in has reset, an earlier one cannot bring back.
        let over = unit.deciding(section, key).map(|setting| setting.at.path());
        self.in_drop_in(over, section, key, values, How::Add)
    }

    /// The remedy that replaces a whole list.
    pub fn replace_list(
        &self,
        unit: &EffectiveUnit,
        over: Option<&str>,
        section: &str,
        key: &str,
        values: &[String],
    ) -> Remedy {
        let last = unit.deciding(section, key).map(|setting| setting.at.path());
        self.in_drop_in(last.or(over), section, key, values, How::Replace)
    }

    /// The remedy that writes assignments of a list anew, each from the present one; `None` takes one out. Findings about
    /// several assignments of one list all bring this one remedy, so that none undoes another's.
    pub fn replace_each(
        &self,
        unit: &EffectiveUnit,
        section: &str,
        key: &str,
        text: impl Fn(&Setting) -> Option<String>,
    ) -> Remedy {
        let values: Vec<String> = unit.assignments(section, key).filter_map(text).collect();
        self.replace_list(unit, None, section, key, &values)
    }

    /// The same for one assignment; the others stay as they are written.
    pub fn replace_one(&self, unit: &EffectiveUnit, setting: &Setting, text: Option<&str>) -> Remedy {
        let is_it = |other: &Setting| other.at == setting.at && other.raw() == setting.raw();
        self.replace_each(unit, &setting.section, &setting.key, |other| match is_it(other) {
            true => text.map(str::to_owned),
            false => Some(other.raw().to_owned()),
        })
    }

    /// The remedy that writes a setting into golden's drop-in, which is read after the file `over`.
    fn in_drop_in(
        &self,
        over: Option<&str>,
        section: &str,
        key: &str,
        values: &[String],
        how: How,
    ) -> Remedy {
        let over = over.filter(|path| is_drop_in(path)).map(|path| base_name(path).to_owned());
        self.taken_up([Change::Setting {
            // Of a template's instance the instance: what stands in the template holds for all of them.
            unit: self.service.unit.value.clone(),
            section: section.to_owned(),
            key: key.to_owned(),
            values: values.to_vec(),
            how,
            over,
        }])
    }

    /// The remedy that makes ExecStart the contract's. Where the contract allows more arguments, those of the present
    /// line stay; where it is not plain which those are, a person decides.
    pub fn set_command(
        &self,
        unit: &EffectiveUnit,
        demanded: &CommandDemand,
        setting: Option<&Setting>,
    ) -> Remedy {
        let line = self.service.exec_line(demanded);
        let Some(setting) = setting else { return self.add(unit, "Service", "ExecStart", &[line]) };
        let present = command_line::parse(setting.raw());
        let is_only = unit.assignments("Service", "ExecStart").count() == 1;
        let kept = match present.commands.as_slice() {
            [command] if is_only => kept_arguments(self.service, command, demanded),
            _ => None,
        };
        match kept {
            Some(kept) => {
                let kept: String = kept.iter().flat_map(|word| [" ".to_owned(), unit_word(word)]).collect();
                self.replace_list(unit, None, "Service", "ExecStart", &[format!("{line}{kept}")])
            }
            None => {
                let shell = self.replace_list(unit, None, "Service", "ExecStart", &[line]).shell();
                Remedy::decide(format!(
                    "choose the arguments of the contract's command: {} has others",
                    setting.at
                ))
                .candidate("without them", shell)
            }
        }
    }

    /// The remedy that puts another program into an Exec line, and keeps its arguments.
    pub fn set_program(&self, unit: &EffectiveUnit, started: &Started, program: &str) -> Remedy {
        let is_it = |other: &Started| other.setting.at == started.setting.at;
        self.set_programs(unit, started, |other| is_it(other).then(|| program.to_owned()))
    }

    /// The remedy that puts another program into each Exec line of a setting for which there is one. `started` is the
    /// command of the finding.
    pub fn set_programs(
        &self,
        unit: &EffectiveUnit,
        started: &Started,
        program: impl Fn(&Started) -> Option<String>,
    ) -> Remedy {
        let setting = started.setting;
        if let Some(demanded) = self.service.command.as_ref().filter(|_| started.key == "ExecStart") {
            return self.set_command(unit, demanded, Some(setting));
        }
        let corrected = |setting: &Setting| -> Option<String> {
            let command = command_line::parse(setting.value()).commands.into_iter().next()?;
            let started = Started { key: started.key, setting, command };
            with_program(setting, &started.command, &program(&started)?)
        };
        match corrected(setting) {
            Some(_) => self.replace_each(unit, "Service", started.key, |other| {
                Some(corrected(other).unwrap_or_else(|| other.raw().to_owned()))
            }),
            None => Remedy::decide(match program(started) {
                Some(program) => {
                    format!("decide what {} should run; a program of the venv is {program}", setting.at)
                }
                None => format!("decide which program of the venv {} should run", setting.at),
            })
            .candidate("", by_hand(&setting.at)),
        }
    }

    /// The remedy that takes a line out of the unit: only in a file of /etc that serves this unit alone.
    pub fn empty_line(&self, unit: &EffectiveUnit, at: &Location) -> Option<Remedy> {
        self.edit_line(unit, at, None)
    }

    /// The remedy that writes a line of the unit anew, where no drop-in can do it.
    pub fn edit_line(&self, unit: &EffectiveUnit, at: &Location, text: Option<&str>) -> Option<Remedy> {
        let line = at.line_number()?;
        let path = at.path().to_string();
        self.serves_this_unit_alone(unit, &path).then(|| {
            let unit = self.service.unit.value.clone();
            self.taken_up([Change::UnitLine { unit, path, line, text: text.map(str::to_owned) }])
        })
    }

    /// Whether a file of /etc shapes this unit alone: its fragment or a drop-in of its own directory; no template, no
    /// drop-in for a type or a prefix.
    pub fn serves_this_unit_alone(&self, unit: &EffectiveUnit, path: &str) -> bool {
        let own_directory = |name: &str| path.starts_with(&format!("/etc/systemd/system/{name}.d/"));
        let own_fragment = |name: &str| path == format!("/etc/systemd/system/{name}");
        let template = |name: &str| name.contains("@.");
        unit.names().any(|name| !template(name) && (own_directory(name) || own_fragment(name)))
    }

    /// The value that a demand is met with where the contract states one: the demanded one, the only one of a choice,
    /// or what `[provision]` says.
    pub fn stated_value(&self, demand: &SettingDemand) -> Option<String> {
        let provision = &self.contract.provision;
        let written = || provision.setting(self.service, &demand.section, &demand.key);
        match &demand.form {
            Form::Equals(value) => Some(value.clone()),
            Form::OneOf(values) => match values.as_slice() {
                [only] => Some(only.clone()),
                _ => written().filter(|value| values.contains(value)),
            },
            Form::Contains(words) => Some(words.join(" ")),
            Form::Present => written().or_else(|| {
                let title = self.service.title.clone();
                title.filter(|_| (demand.section == "Unit") && (*demand.key == *"Description"))
            }),
            Form::Absent => None,
        }
    }

    /// The question which value meets a demand, where the contract states none.
    pub fn decide_value(&self, demand: &SettingDemand) -> Remedy {
        let (section, key) = (&demand.section, &demand.key);
        let question = match &demand.form {
            Form::OneOf(values) => format!("choose a value for {key}=: {}", values.join(", ")),
            _ => format!("choose a value for {key}="),
        };
        let candidates = match &demand.form {
            Form::OneOf(values) => values.as_slice(),
            _ => &[],
        };
        let set = |value: &String| {
            let values = vec![value.clone()];
            let (unit, section, key) = (self.service.unit.value.clone(), section.to_owned(), key.to_string());
            let change = Change::Setting { unit, section, key, values, how: How::Set, over: None };
            self.taken_up([change]).shell()
        };
        candidates.iter().fold(Remedy::decide(question), |remedy, value| remedy.candidate("", set(value)))
    }
}

/// The arguments of a command that stay when the contract's takes its place; `None` where that is not plain.
fn kept_arguments(service: &Service, present: &Command, demanded: &CommandDemand) -> Option<Vec<String>> {
    let (program, arguments) = demanded.words.split_first()?;
    let wanted = service.program(program);
    let (wanted, found) = (base_name(&wanted).to_owned(), base_name(&present.program));
    let is_same = wanted == found || (is_python(&wanted) && is_python(found));
    if demanded.exact || present.words.is_empty() {
        return Some(Vec::new());
    }
    // A word in the place of a word may be another one; an option is never read as a word, nor a word as an option.
    let is_option = |word: &String| word.starts_with('-');
    let fits =
        |(found, wanted): (&String, &String)| found == wanted || (!is_option(found) && !is_option(wanted));
    let leads = present.words.iter().zip(arguments).all(fits);
    let more = || present.words.get(arguments.len()..).unwrap_or_default().to_vec();
    (is_same && leads && !present.prefixes.argv0_override).then(more)
}

/// The text of an Exec line with another program; `None` where the program is not written as it is read.
fn with_program(setting: &Setting, command: &Command, program: &str) -> Option<String> {
    let raw = setting.raw();
    let is_one = command_line::parse(raw).commands.len() == 1;
    let prefixes = raw.len() - raw.trim_start_matches(['@', '-', ':', '+', '!', '|']).len();
    let (before, rest) = raw.split_at(prefixes);
    let word = rest.split_whitespace().next().filter(|_| is_one)?;
    let is_it = word == command.program || simplified(word) == simplified(&command.program);
    is_it.then(|| format!("{before}{}{}", unit_word(program), &rest[word.len()..]))
}
