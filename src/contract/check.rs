//! Contradictions between the parts of a contract: each part is sound, but they cannot all be meant.

use std::collections::{HashMap, HashSet};

use super::reader::Cx;
use super::words::lies_under;
use super::{
    BelowOthers, Contract, ContractError, Form, JobProgram, Kind, Place, Service, SettingDemand, VariableForm,
};
use crate::model::Location;

/// Files an error for every contradiction.
pub(super) fn contradictions(cx: &mut Cx<'_>, contract: &Contract, known_rules: &[&str]) {
    dates(cx, contract);
    places(cx, contract);
    unused(cx, contract);
    one_unit_each(cx, contract);
    circles(cx, contract);
    env_files(cx, contract);
    jobs(cx, contract);
    provision(cx, contract);
    rules(cx, contract, known_rules);
    for service in &contract.services {
        sandbox(cx, contract, service);
    }
}

fn dates(cx: &mut Cx<'_>, contract: &Contract) {
    if let (Some(effective), Some(review)) = (&contract.effective, &contract.next_review)
        && review.value < effective.value
    {
        let message = format!("the next review is on {}, before the contract takes effect", review.value);
        cx.error_at(&review.at, message, format!("name a day after {}", effective.value));
    }
}

/// Places that lie where they must not.
fn places(cx: &mut Cx<'_>, contract: &Contract) {
    let repository = contract.repository.as_ref();
    for place in contract.layout.values() {
        for directory in &place.not_under {
            if lies_under(&place.path.value, &directory.value) {
                let message =
                    format!("{} lies under {}, where it must not", place.path.value, directory.value);
                cx.error_at(&place.path.at, message, "move it, or remove the directory from `not_under`");
            }
        }
        let outside = place.outside_repository.as_ref().zip(repository);
        if let Some((at, repository)) = outside
            && lies_under(&place.path.value, &repository.path.value)
        {
            let message = format!("{} lies in the repository {}", place.path.value, repository.path.value);
            cx.error_at(at, message, "move it, or remove `outside_repository`");
        }
    }
}

/// True when a place demands nothing of a host.
fn demands_nothing(place: &Place) -> bool {
    !place.required
        && place.owner.is_none()
        && place.group.is_none()
        && place.mode.is_none()
        && place.holds.is_empty()
        && place.not_under.is_empty()
        && place.not_on.is_empty()
        && place.no_links.is_none()
        && place.outside_repository.is_none()
}

/// What is declared and meant by nobody: a sign that a name is spelled wrong somewhere.
fn unused(cx: &mut Cx<'_>, contract: &Contract) {
    let way_out = "use it, or remove it";
    let venvs: HashSet<&str> =
        contract.services.iter().filter_map(|service| Some(service.venv.as_ref()?.value.as_str())).collect();
    for venv in contract.venvs.values().filter(|venv| !venvs.contains(venv.path.value.as_str())) {
        cx.error_at(&venv.at, format!("no service uses the venv {}", venv.name), way_out);
    }
    let services = contract.services.iter().flat_map(|service| service.requires.iter().chain(&service.after));
    let jobs = contract.jobs.iter().flat_map(|job| &job.needs);
    let telemetry = contract.safety.iter().map(|safety| &safety.telemetry.dependency);
    let needed: HashSet<&str> =
        services.chain(jobs).chain(telemetry).map(|named| named.value.as_str()).collect();
    for dependency in contract.dependencies.values() {
        if !needed.contains(dependency.name.as_ref()) {
            let message = format!("nothing requires the dependency {}", dependency.name);
            cx.error_at(&dependency.at, message, way_out);
        }
    }
    for place in contract.layout.values() {
        if demands_nothing(place) && !cx.words.used.contains(place.name.as_ref()) {
            let message = format!("the place {} demands nothing and nothing names it", place.name);
            cx.error_at(&place.at, message, way_out);
        }
    }
}

/// No unit runs two services.
fn one_unit_each(cx: &mut Cx<'_>, contract: &Contract) {
    let mut units: HashMap<&str, &Service> = HashMap::with_capacity(contract.services.len());
    let mut timers: HashMap<&str, &Service> = HashMap::new();
    for service in &contract.services {
        if let Some(other) = units.insert(&service.unit.value, service) {
            let message = format!(
                "the services {} and {} are one unit, {}",
                other.name, service.name, service.unit.value
            );
            cx.error_at(&service.at, message, "give each a unit of its own with `unit = \"….service\"`");
        }
        if let Some(timer) = &service.timer
            && let Some(other) = timers.insert(&timer.value, service)
        {
            let message = format!("{} starts both {} and {}", timer.value, other.name, service.name);
            cx.error_at(&service.at, message, "give each a timer of its own with `timer = \"….timer\"`");
        }
    }
}

/// More circles than this are one mistake said again and again.
const CIRCLES: usize = 20;

/// Services that wait for each other.
fn circles(cx: &mut Cx<'_>, contract: &Contract) {
    let services = &contract.services;
    let index: HashMap<&str, usize> =
        services.iter().enumerate().map(|(index, service)| (service.unit.value.as_str(), index)).collect();
    let mut found = 0;
    // A path of ten thousand services must not become a recursion, so the path is a list of its own.
    let mut done = vec![false; services.len()];
    let mut on_path = vec![false; services.len()];
    for start in 0..services.len() {
        let mut path = if done[start] { Vec::new() } else { vec![(start, 0)] };
        while let Some((service, edge)) = path.pop() {
            on_path[service] = true;
            let Some(unit) = services[service].after_units.get(edge) else {
                on_path[service] = false;
                done[service] = true;
                continue;
            };
            path.push((service, edge + 1));
            match index.get(unit.value.as_str()) {
                Some(next) if on_path[*next] && found < CIRCLES => {
                    found += 1;
                    let from = path.iter().position(|(index, _)| index == next).unwrap_or(0);
                    let circle = path[from..].iter().map(|(index, _)| services[*index].name.as_ref());
                    let message = match *next == service {
                        true => format!("{} waits for itself", services[service].name),
                        false => format!("services wait for each other: {}", named_circle(circle.collect())),
                    };
                    cx.error_at(&unit.at, message, "remove one of them from `after`");
                }
                Some(next) if !done[*next] && !on_path[*next] => path.push((*next, 0)),
                _ => {}
            }
        }
    }
}

/// `a → b → a`, shortened in the middle when it is long.
fn named_circle(mut names: Vec<&str>) -> String {
    let first = names.first().copied().unwrap_or("");
    if names.len() > 8 {
        names.splice(4..names.len() - 2, ["…"]);
    }
    names.push(first);
    names.join(" → ")
}

/// Env files of a contract that does not say what they must be.
fn env_files(cx: &mut Cx<'_>, contract: &Contract) {
    let first = contract.services.iter().flat_map(|service| &service.env_files).next();
    if let (false, Some(file)) = (cx.env_stated, first) {
        cx.error_at(
            &file.at,
            "there are env files, but no `[env]` says who owns them and who reads them",
            "add `[env]` with `owner = \"root\"`, `group = \"…\"` and `mode = \"0640\"`",
        );
    }
}

/// What is sound and yet can be turned against the host.
pub(super) fn doubts(contract: &Contract) -> Vec<ContractError> {
    let doubt = |below: &BelowOthers<'_>| ContractError {
        at: below.place.path.at.clone(),
        message: format!(
            "{} lies below {}, which {} owns: {} can replace it",
            below.place.path.value, below.above, below.user, below.user
        ),
        way_out: format!("move it to a directory that only root can write, or give it to {}", below.user),
        width: 1,
    };
    contract.places_below_others().iter().map(doubt).collect()
}

/// Jobs whose script nothing can run.
fn jobs(cx: &mut Cx<'_>, contract: &Contract) {
    let services: HashMap<&str, &Service> =
        contract.services.iter().map(|service| (service.name.as_ref(), service)).collect();
    for job in &contract.jobs {
        let has_makefile = contract.repository.as_ref().is_some_and(|policy| policy.makefile.is_some());
        if let Some(target) = job.make_target.as_ref().filter(|_| !has_makefile) {
            let message = format!("the job {} has a target, but no Makefile is named", job.name);
            cx.error_at(&target.at, message, "add `makefile = \"Makefile\"` to `[repository]`, or remove it");
        }
        let JobProgram::Script(script) = &job.runs else { continue };
        let Some(service) = services.get(job.service.value.as_str()) else { continue };
        if script.value.ends_with(".py") && service.venv.is_none() {
            let message = format!("{} is a Python script, but {} has no venv", script.value, service.name);
            cx.error_at(&script.at, message, "run it for a service with a venv");
        }
        if service.kind.value == Kind::Draft {
            let message = format!("the job {} runs for {}, which is only a draft", job.name, service.name);
            cx.error_at(&job.service.at, message, "run it for a service that exists");
        }
    }
}

/// Waivers and levels for rules that nobody wrote.
fn rules(cx: &mut Cx<'_>, contract: &Contract, known_rules: &[&str]) {
    if known_rules.is_empty() {
        return;
    }
    let waived = contract.waivers.iter().map(|waiver| (waiver.rule.as_str(), &waiver.at));
    let levelled = contract.severities.iter().map(|(rule, level)| (rule.as_str(), &level.at));
    for (rule, at) in waived.chain(levelled).filter(|(rule, _)| !known_rules.contains(rule)) {
        let way_out = match super::suggest::nearest(rule, known_rules.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`golden explain` lists every rule".to_owned(),
        };
        cx.error_at(at, format!("there is no rule {rule:?}"), way_out);
    }
}

/// Every demand on a setting.
fn demands_on<'s>(service: &'s Service, key: &'s str) -> impl Iterator<Item = &'s SettingDemand> {
    let is_meant = move |demand: &&SettingDemand| *demand.key == *key && demand.section == "Service";
    service.settings.iter().map(|demand| demand.as_ref()).filter(is_meant)
}

/// The values that a demand leaves open; `None` when it does not say.
fn values(demand: &SettingDemand) -> Option<&[String]> {
    match &demand.form {
        Form::Equals(value) => Some(std::slice::from_ref(value)),
        Form::OneOf(values) => Some(values),
        Form::Contains(_) | Form::Absent | Form::Present => None,
    }
}

/// systemd's words for *yes*.
fn is_yes(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// True when a demand on a list of paths covers `path`.
fn opened(service: &Service, keys: &[&str], path: &str) -> bool {
    let covers = |list: &String| {
        let bare =
            |word: &str| word.trim_start_matches(['-', '+']).split(':').next().unwrap_or("").to_owned();
        list.split_whitespace().any(|word| lies_under(path, &bare(word)))
    };
    keys.iter().flat_map(|key| demands_on(service, key)).any(|demand| match &demand.form {
        Form::Equals(list) => covers(list),
        Form::Contains(lists) => lists.iter().any(covers),
        Form::OneOf(_) | Form::Absent | Form::Present => false,
    })
}

/// Demands on the sandbox that take away what the service is demanded to have.
fn sandbox(cx: &mut Cx<'_>, contract: &Contract, service: &Service) {
    if let Some(demand) = demands_on(service, "ProtectHome").next() {
        protect_home(cx, contract, service, demand);
    }
    // What `writes` needs is opened where it is rendered, but nothing brings back what is hidden.
    let written = contract.provision.stated_setting(service, "Service", "ProtectHome");
    if let Some(written) = written.filter(|written| hides_home(&written.value)) {
        home_hidden(cx, contract, service, (&written.at, "written"));
    }
    let strict = |value: &String| value == "strict";
    let Some(demand) = demands_on(service, "ProtectSystem")
        .find(|demand| values(demand).is_some_and(|values| values.iter().all(strict)))
    else {
        return;
    };
    let own = ["ReadWritePaths", "BindPaths"];
    for written in service.writes.iter().filter(|written| !opened(service, &own, &written.value)) {
        let message = format!(
            "{} must write {}, but ProtectSystem=strict is demanded and no ReadWritePaths opens it",
            service.name, written.value
        );
        cx.error_at(
            &demand.at,
            message,
            format!("demand `ReadWritePaths = {{ contains = [{:?}] }}`", written.value),
        );
    }
}

fn hides_home(value: &String) -> bool {
    is_yes(value) || value == "tmpfs"
}

/// What ProtectHome is about.
fn at_home(path: &&str) -> bool {
    ["/home", "/root", "/run/user"].iter().any(|home| lies_under(path, home))
}

/// An error where a service needs something in what ProtectHome hides.
fn home_hidden(cx: &mut Cx<'_>, contract: &Contract, service: &Service, (at, how): (&Location, &str)) {
    let directory = service.working_directory.iter().map(|directory| directory.value.as_str());
    let venv = service.venv.iter().map(|venv| venv.value.as_str());
    let writes = service.writes.iter().map(|written| written.value.as_str());
    let binds = ["BindPaths", "BindReadOnlyPaths"];
    let hidden = directory.chain(venv).chain(writes).filter(at_home);
    if let Some(path) = hidden.into_iter().find(|path| !opened(service, &binds, path)) {
        let is_repository =
            contract.repository.as_ref().is_some_and(|repository| lies_under(path, &repository.path.value));
        let what = if is_repository { "the repository " } else { "" };
        let message = format!("the {how} ProtectHome hides {what}{path} from {}", service.name);
        cx.error_at(at, message, "\"read-only\", or demand `BindPaths = { contains = [\"…\"] }`");
    }
}

fn protect_home(cx: &mut Cx<'_>, contract: &Contract, service: &Service, demand: &SettingDemand) {
    let reads_only = |value: &String| value == "read-only";
    let all = |test: &dyn Fn(&String) -> bool| values(demand).is_some_and(|values| values.iter().all(test));
    let writes = service.writes.iter().map(|written| written.value.as_str());
    if all(&hides_home) {
        home_hidden(cx, contract, service, (&demand.at, "demanded"));
    } else if all(&|value| hides_home(value) || reads_only(value)) {
        let own = ["ReadWritePaths", "BindPaths"];
        if let Some(path) = writes.filter(at_home).find(|path| !opened(service, &own, path)) {
            let message =
                format!("{} must write {path}, but ProtectHome keeps it from writing there", service.name);
            cx.error_at(
                &demand.at,
                message,
                format!("demand `ReadWritePaths = {{ contains = [{path:?}] }}`"),
            );
        }
    }
}

/// What is written must not contradict what is demanded.
fn provision(cx: &mut Cx<'_>, contract: &Contract) {
    for name in &contract.provision.rehearse {
        if !contract.jobs.iter().any(|job| *job.name == *name.value) {
            let message = format!("there is no job {:?} to rehearse", name.value);
            cx.error_at(&name.at, message, "name a job of `[jobs]`");
        }
    }
    for service in &contract.services {
        written_in_vain(cx, service);
        written_variables(cx, contract, service);
        written_settings(cx, contract, service);
        let (Some(start), Some(command)) = (&service.provision.start, &service.command) else { continue };
        let is_demanded = match command.exact {
            true => start.words == command.words,
            false => start.words.starts_with(&command.words),
        };
        if !is_demanded {
            let message = format!("{} is started by another command than is demanded", service.name);
            cx.error_at(&start.at, message, format!("begin it with {}", command.words.join(" ")));
        }
    }
}

/// What is written for a service and would never reach the host.
fn written_in_vain(cx: &mut Cx<'_>, service: &Service) {
    let provision = &service.provision;
    if let Some(schedule) = &provision.schedule
        && service.timer.is_none()
    {
        let message = format!("{} has a schedule and no timer that keeps it", service.name);
        cx.error_at(&schedule.at, message, "write `kind = \"timer-job\"`, or remove the schedule");
    }
    if !provision.kept_elsewhere {
        return;
    }
    let start = provision.start.iter().map(|start| &start.at);
    let schedule = provision.schedule.iter().map(|schedule| &schedule.at);
    let settings = provision.own.settings.values().map(|written| &written.at);
    let variables = provision.own.variables.values().map(|written| &written.at);
    for at in start.chain(schedule).chain(settings).chain(variables) {
        let message = format!("nothing is rendered for {}, so this is never written", service.name);
        cx.error_at(at, message, "remove it, or remove `rendered = false`");
    }
}

/// Values of variables that would break a demand on them.
fn written_variables(cx: &mut Cx<'_>, contract: &Contract, service: &Service) {
    for demand in &service.variables {
        let name = &demand.name;
        let own = service.provision.own.variables.get(name);
        let decides = matches!(demand.form, VariableForm::Equals(_) | VariableForm::Absent);
        // What all services share may be decided for one of them by a demand.
        let shared = contract.provision.shared.variables.get(name).filter(|_| !decides);
        let Some(at) = own.or(shared).map(|written| &written.at) else { continue };
        let Some(value) = contract.provision.variable(service, name) else { continue };
        if !demand.form.accepts(&value) {
            let message = format!(
                "{name}={value} is written for {}, where {} demands another value",
                service.name, demand.at
            );
            cx.error_at(at, message, "write a value that is demanded, or remove it");
        }
    }
}

/// Values of settings that would break a demand on them.
fn written_settings(cx: &mut Cx<'_>, contract: &Contract, service: &Service) {
    if service.provision.own.settings.is_empty() && contract.provision.shared.settings.is_empty() {
        return;
    }
    for demand in &service.settings {
        let key: super::provision::SettingKey = (demand.section.as_str().into(), demand.key.clone());
        let own = service.provision.own.settings.get(&key);
        let shared = contract.provision.shared.settings.get(&key);
        let (stated, allowed) = match &demand.form {
            Form::Equals(value) => (own, std::slice::from_ref(value)),
            Form::Absent => (own, &[][..]),
            Form::OneOf(values) => (own.or(shared), values.as_slice()),
            Form::Contains(_) | Form::Present => continue,
        };
        let Some(stated) = stated else { continue };
        let value = contract.provision.setting(service, &demand.section, &demand.key).unwrap_or_default();
        if !allowed
            .iter()
            .any(|allowed| super::read::reads_alike(&demand.section, &demand.key, allowed, &value))
        {
            let key = &demand.key;
            let message = format!(
                "{key}={value} is written for {}, where {} demands another value",
                service.name, demand.at
            );
            cx.error_at(&stated.at, message, "write a value that is demanded, or remove it");
        }
    }
}
