//! What systemd checks once all files of a unit are read (`service_verify` and its kin in its sources).

use super::{Ignored, Merge, Setting};
use crate::model::Location;
use crate::systemd::command_line;

impl Merge<'_> {
    /// What systemd checks once all files are read.
    pub(super) fn judge(&mut self) {
        match self.unit.name.kind() {
            "service" => self.judge_service(),
            _ => self.judge_trigger(),
        }
    }

    /// `timer_verify`, `socket_verify`, `path_verify`: what nothing triggers is refused.
    fn judge_trigger(&mut self) {
        let Some(trigger) = self.unit.trigger() else { return };
        let section = trigger.section;
        let is_set = |key: &&str| self.unit.assignments(section, key).next().is_some();
        let is_on =
            |key: &str| self.unit.scalar(section, key).is_some_and(|setting| setting.known_value() == "yes");
        if !trigger.switches.iter().any(|key| is_on(key)) && !trigger.waits.iter().any(is_set) {
            return match self.unit.passed_over_trigger() {
                Some(Ignored { text, at, why }) => {
                    let (why, at) = (format!("{text}: {why}, and nothing else triggers it"), at.clone());
                    self.refuse(why, at);
                }
                None => self.refuse(trigger.without, self.unit.location()),
            };
        }
        let explicit = self.unit.scalar(section, "Service").map(|setting| setting.at.clone());
        if let Some(at) = explicit.filter(|_| section == "Socket" && is_on("Accept")) {
            self.refuse("Accept=yes starts instances of a template, and no Service= may be named", at);
        }
    }

    /// `service_verify`.
    fn judge_service(&mut self) {
        let here = self.unit.location();
        let commands = |key: &str| {
            let settings = self.unit.assignments("Service", key);
            let count = |setting: &Setting| command_line::parse(setting.known_value()).commands.len();
            settings.flat_map(|setting| vec![setting.at.clone(); count(setting)]).collect::<Vec<Location>>()
        };
        let start_lines = commands("ExecStart");
        let (starts, stops) = (start_lines.len(), commands("ExecStop").len());
        let value =
            |key: &str| self.unit.scalar("Service", key).map(|setting| setting.known_value().to_owned());
        let is = |key: &str, wanted: &str| value(key).as_deref() == Some(wanted);
        let has = |key: &str| self.unit.assignments("Service", key).next().is_some();
        let kind = self.unit.service_type().to_owned();
        let oneshot = kind == "oneshot";
        let restart = self.unit.scalar("Service", "Restart").cloned();
        let succeeds =
            self.unit.scalar("Unit", "SuccessAction").is_some_and(|action| action.known_value() != "none");
        let forced = self.unit.scalar("Service", "RestartForceExitStatus").map(|setting| setting.at.clone());
        let lets_processes_live = matches!(value("KillMode").as_deref(), Some("process" | "none"));
        let remains = is("RemainAfterExit", "yes");
        if starts == 0 && stops == 0 && !succeeds {
            self.refuse("there is no ExecStart=, no ExecStop= and no SuccessAction=", here);
        } else if starts == 0 && !oneshot {
            self.refuse("there is no ExecStart=, which only Type=oneshot may leave out", here);
        } else if starts == 0 && !remains && !succeeds {
            self.refuse("there is no ExecStart=, no SuccessAction= and no RemainAfterExit=yes", here);
        } else if let (Some(second), false) = (start_lines.into_iter().nth(1), oneshot) {
            self.refuse("there is more than one ExecStart=, which only Type=oneshot may have", second);
        } else if oneshot
            && let Some(restart) =
                restart.filter(|restart| matches!(restart.known_value(), "always" | "on-success"))
        {
            self.refuse(format!("Type=oneshot must not have Restart={}", restart.known_value()), restart.at);
        } else if oneshot
            && self.version.has(257) != Some(true)
            && let Some(at) = forced
        {
            self.refuse_forced(at);
        } else if kind == "dbus" && !has("BusName") {
            self.refuse("Type=dbus needs BusName=", here);
        } else if has("PAMName") && lets_processes_live {
            self.refuse("PAMName= needs KillMode=control-group or mixed", here);
        } else if matches!(value("WorkingDirectory").as_deref(), Some("~" | "-~"))
            && self.unit.is_dynamic()
            && self.version.has(257) == Some(true)
        {
            self.refuse("WorkingDirectory=~ is of no use with DynamicUser=yes, whose user has no home", here);
        }
    }

    /// `RestartForceExitStatus=` of a oneshot, which only newer versions allow.
    fn refuse_forced(&mut self, at: Location) {
        let text = "RestartForceExitStatus=";
        match self.version.has(257) {
            None => self.unit.unmeasured.push(Ignored {
                text: text.to_owned(),
                at,
                why: format!("whether systemd {} allows it with Type=oneshot was not measured", self.version),
            }),
            Some(_) => self.refuse(format!("Type=oneshot must not have {text} before systemd 257"), at),
        }
    }
}
