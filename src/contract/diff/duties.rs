//! A contract as a list of single duties. Every field is taken out by name, so that a new one cannot be forgotten.

mod dependency;
mod models;

use self::dependency::dependency;
use self::models::{model, models};
use super::shape::Shape;
use super::{Kind, Side};
use crate::contract::secrets::states_secret;
use crate::contract::*;
use crate::model::{Location, Severity, Stated};

/// One duty.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    pub subject: String,
    pub what: String,
    text: String,
    shape: Shape,
    severity: Severity,
    at: Location,
}

impl Duty {
    pub(crate) fn is_whole(&self) -> bool {
        self.shape == Shape::Whole
    }

    pub(crate) fn side(&self) -> Side {
        let level = if self.severity == Severity::Should { " (should)" } else { "" };
        Side { text: format!("{}{level}", self.text), at: self.at.clone() }
    }

    pub(crate) fn is_same(&self, other: &Duty) -> bool {
        self.severity == other.severity && self.text == other.text && self.shape == other.shape
    }

    /// In which way this duty differs from the old one. A tighter demand on a lower level is neither.
    pub(crate) fn against(&self, old: &Duty) -> Kind {
        let is_must = |duty: &Duty| duty.severity == Severity::Must;
        let tighter = self.shape.within(&old.shape) && (is_must(self) || !is_must(old));
        let looser = old.shape.within(&self.shape) && (is_must(old) || !is_must(self));
        match (tighter, looser) {
            (true, false) => Kind::Tightened,
            (false, true) => Kind::Loosened,
            _ => Kind::Changed,
        }
    }
}

/// Collects the duties of one subject.
struct Of<'a> {
    all: &'a mut Vec<Duty>,
    subject: String,
    severity: Severity,
}

impl Of<'_> {
    fn add(&mut self, what: impl Into<String>, text: impl Into<String>, shape: Shape, at: &Location) {
        let (subject, severity) = (self.subject.clone(), self.severity);
        self.all.push(Duty {
            subject,
            what: what.into(),
            text: text.into(),
            shape,
            severity,
            at: at.clone(),
        });
    }

    fn exactly(&mut self, what: &str, value: &Stated<String>) {
        self.add(what, format!("{what} = {:?}", value.value), Shape::Exactly(value.value.clone()), &value.at);
    }

    fn maybe(&mut self, what: &str, value: &Option<Stated<String>>) {
        if let Some(value) = value {
            self.exactly(what, value);
        }
    }

    /// Each of a list is a duty of its own.
    fn each(&mut self, what: &str, values: &[Stated<String>]) {
        for value in values {
            let text = format!("{what} {:?}", value.value);
            self.add(text.clone(), text, Shape::Exactly(value.value.clone()), &value.at);
        }
    }

    /// The words of a command, whose order counts.
    fn command(&mut self, what: &str, words: &Stated<Vec<String>>) {
        let text = format!("{:?}", words.value);
        self.add(what, format!("{what} = {text}"), Shape::Exactly(text), &words.at);
    }

    fn all(&mut self, what: &str, values: &Stated<Vec<String>>) {
        self.add(what, format!("{what} = {:?}", values.value), Shape::All(values.value.clone()), &values.at);
    }

    fn mode(&mut self, mode: &Stated<u32>) {
        self.add("mode", format!("mode = \"{:04o}\"", mode.value), Shape::Bits(mode.value), &mode.at);
    }

    fn flag(&mut self, what: &str, value: bool, at: &Location) {
        self.add(what, format!("{what} = {value}"), Shape::Flag(value), at);
    }

    fn number<T: Copy + std::fmt::Display>(&mut self, what: &str, value: &Stated<T>, shape: Shape) {
        self.add(what, format!("{what} = {}", value.value), shape, &value.at);
    }
}

/// Every duty of a contract.
pub(super) fn duties(contract: &Contract) -> Vec<Duty> {
    let Contract {
        source: _,
        name: _,
        version: _,
        effective: _,
        next_review: _,
        authority: _,
        approval,
        anchor,
        outside,
        changes: _,
        layout,
        identity,
        env,
        runtime,
        repository,
        venvs,
        forbidden,
        dependencies,
        provision: _,
        services,
        // What they demand, they demand of services.
        patterns: _,
        jobs,
        waivers,
        safety,
        models: guarded,
        checklist,
        severities,
    } = contract;
    let mut all = Vec::new();
    common(&mut all, approval, identity, env, runtime);
    if let Some(path) = anchor {
        of(&mut all, "ledger".to_owned(), &path.at).exactly("anchor", path);
    }
    if let Some(Outside { send, recall }) = outside {
        let mut duties = of(&mut all, "ledger".to_owned(), &send.at);
        duties.command("send", send);
        duties.command("recall", recall);
    }
    layout.values().for_each(|one| place(&mut all, one));
    repository.iter().for_each(|one| governed(&mut all, one));
    for Venv { name, path, at } in venvs.values() {
        of(&mut all, format!("venv:{name}"), at).exactly("path", path);
    }
    forbidden.iter().for_each(|one| forbid(&mut all, one));
    dependencies.values().for_each(|one| dependency(&mut all, one));
    services.iter().for_each(|one| service(&mut all, contract, one));
    jobs.iter().for_each(|one| job(&mut all, one));
    waivers.iter().for_each(|one| waiver(&mut all, one));
    safety.iter().for_each(|one| models(&mut all, one));
    guarded.iter().for_each(|one| model(&mut all, one));
    for CheckItem { section, text, by: _, at } in checklist {
        let shape = Shape::Exactly(text.clone());
        within(&mut all, "contract").add(format!("checklist {section}"), text.as_str(), shape, at);
    }
    for (rule, level) in severities {
        let (word, rank) = match level.value {
            Level::Off => ("off", 0.0),
            Level::At(Severity::Should) => ("should", 1.0),
            Level::At(Severity::Must) => ("must", 2.0),
        };
        let text = format!("{rule} = {word:?}");
        within(&mut all, &format!("rule:{rule}")).add("level", text, Shape::AtLeast(rank), &level.at);
    }
    all
}

/// Duties of something that is there as long as the contract.
fn within<'a>(all: &'a mut Vec<Duty>, subject: &str) -> Of<'a> {
    Of { all, subject: subject.to_owned(), severity: Severity::Must }
}

/// Duties of something that a contract may have or not.
fn of<'a>(all: &'a mut Vec<Duty>, subject: String, at: &Location) -> Of<'a> {
    let (what, name) = subject.split_once(':').unwrap_or((&subject, ""));
    let (what, text) = (what.to_owned(), format!("{what} {name}").trim_end().to_owned());
    let mut of = Of { all, subject, severity: Severity::Must };
    of.add(what, text, Shape::Whole, at);
    of
}

fn common(
    all: &mut Vec<Duty>,
    approval: &Option<Approval>,
    identity: &Identity,
    env: &EnvPolicy,
    runtime: &RuntimePolicy,
) {
    if let Some(Approval { signers, required, at }) = approval {
        let mut of = of(all, "approval".to_owned(), at);
        of.exactly("signers", signers);
        of.number("required", required, Shape::AtLeast(required.value.into()));
    }
    let Identity { user, group, forbidden_groups, must_not_write } = identity;
    let mut of = within(all, "identity");
    of.exactly("user", user);
    of.exactly("group", group);
    of.all("forbidden_groups", forbidden_groups);
    of.each("must_not_write", must_not_write);
    let EnvPolicy { owner, group, mode, tolerated, secret_names } = env;
    let mut of = within(all, "env");
    of.exactly("owner", owner);
    of.exactly("group", group);
    of.mode(mode);
    let modes: Vec<String> = tolerated.iter().map(|mode| format!("{:04o}", mode.value)).collect();
    let at = tolerated.first().map_or(&mode.at, |mode| &mode.at);
    of.add("tolerated", format!("tolerated = {modes:?}"), Shape::Any(modes), at);
    of.all("secret_names", secret_names);
    let RuntimePolicy { forbidden_programs, system_site_packages, forbidden_shells } = runtime;
    let mut of = within(all, "runtime");
    of.all("forbidden_programs", forbidden_programs);
    let value = system_site_packages.value.to_string();
    let text = format!("system_site_packages = {value}");
    of.add("system_site_packages", text, Shape::Exactly(value), &system_site_packages.at);
    of.all("forbidden_shells", forbidden_shells);
}

fn place(all: &mut Vec<Duty>, place: &Place) {
    let Place {
        name,
        path,
        owner,
        group,
        mode,
        holds,
        not_under,
        not_on,
        no_links,
        outside_repository,
        required,
        kind,
        content,
        mounted,
        severity,
        at,
    } = place;
    let mut of = of(all, format!("place:{name}"), at);
    of.severity = *severity;
    of.exactly("path", path);
    of.maybe("owner", owner);
    of.maybe("group", group);
    mode.iter().for_each(|mode| of.mode(mode));
    of.each("holds", holds);
    of.each("not_under", not_under);
    of.each("not_on", not_on);
    of.flag("no_links", no_links.is_some(), no_links.as_ref().unwrap_or(at));
    of.flag("outside_repository", outside_repository.is_some(), outside_repository.as_ref().unwrap_or(at));
    of.flag("required", *required, at);
    if let Some(kind) = kind {
        let word = match kind.value {
            PlaceKind::File => "file",
            PlaceKind::Directory => "directory",
        };
        of.exactly("kind", &Stated::new(word.to_owned(), kind.at.clone()));
    }
    match content {
        Some(Content::Text(text)) => of.exactly("content", text),
        Some(Content::Keys(keys)) => of.each("keys", keys),
        None => {}
    }
    of.flag("mounted", mounted.is_some(), mounted.as_ref().unwrap_or(at));
}

fn governed(all: &mut Vec<Duty>, repository: &RepositoryPolicy) {
    let RepositoryPolicy {
        place: _,
        path,
        remote,
        wrapper,
        makefile,
        clone_roots,
        clone_depth,
        clone_skip,
        must_not_hold,
    } = repository;
    let mut of = of(all, "repository".to_owned(), &path.at);
    of.exactly("path", path);
    of.maybe("remote", remote);
    of.maybe("wrapper", wrapper);
    of.maybe("makefile", makefile);
    of.all("clone_roots", clone_roots);
    of.number("clone_depth", clone_depth, Shape::AtLeast(clone_depth.value.into()));
    let text = format!("clone_skip = {:?}", clone_skip.value);
    of.add("clone_skip", text, Shape::Any(clone_skip.value.clone()), &clone_skip.at);
    of.each("must_not_hold", must_not_hold);
}

fn forbid(all: &mut Vec<Duty>, forbidden: &Forbidden) {
    let Forbidden { section, key, words, name, why: _, at } = forbidden;
    let text = format!("{section}.{key} without {words:?}");
    within(all, &format!("forbidden:{name}")).add(
        format!("{section}.{key}"),
        text,
        Shape::All(words.clone()),
        at,
    );
}

/// What starts it in place of the boot, how old its last success may be, and where it listens.
fn at_run(of: &mut Of<'_>, service: &Service) {
    of.maybe("timer", &service.timer);
    if let Some(way) = &service.activation {
        of.exactly("activation", &Stated::new(way.value.word().to_owned(), way.at.clone()));
    }
    if let Some(most) = &service.succeeded_within {
        of.number("succeeded_within", most, Shape::AtMost(most.value as f64));
    }
    listens(of, service.ports.as_deref(), &service.at);
}

/// Where it listens: each place is a duty, and so is that there is no other.
fn listens(of: &mut Of<'_>, ports: Option<&[Stated<Port>]>, at: &Location) {
    let Some(ports) = ports else { return };
    of.flag("no other ports", true, ports.first().map_or(at, |port| &port.at));
    let written: Vec<_> =
        ports.iter().map(|port| Stated::new(port.value.to_string(), port.at.clone())).collect();
    of.each("ports", &written);
}

fn service(all: &mut Vec<Duty>, contract: &Contract, service: &Service) {
    let Service {
        name,
        title: _,
        kind,
        unit,
        timer: _,
        activation: _,
        succeeded_within: _,
        ports: _,
        user,
        group,
        group_stated,
        venv,
        command,
        env_files,
        working_directory,
        requires,
        after,
        after_units: _,
        binds_to: _,
        settings,
        variables,
        writes,
        provision: _,
        // Both say how it is deployed.
        health: _,
        code: _,
        at,
    } = service;
    let mut of = of(all, format!("service:{name}"), at);
    let word = format!("{:?}", kind.value);
    of.add("kind", format!("kind = {word}"), Shape::Exactly(word), &kind.at);
    of.exactly("unit", unit);
    at_run(&mut of, service);
    of.exactly("user", user);
    of.exactly("group", group);
    of.flag("group stated", *group_stated, &group.at);
    of.maybe("venv", venv);
    if let Some(CommandDemand { words, exact, at }) = command {
        of.add("command", format!("command = {words:?}"), Shape::Exactly(words.join("\0")), at);
        of.flag("exact", *exact, at);
    }
    env_files.iter().for_each(|file| env_file(&mut of, file));
    let order: Vec<String> = env_files.iter().map(|file| file.path.clone()).collect();
    of.add("env_files", format!("env_files = {order:?}"), Shape::Exactly(order.join("\0")), at);
    of.maybe("working_directory", working_directory);
    of.each("requires", requires);
    of.each("after", after);
    of.each("writes", writes);
    for demand in settings {
        let SettingDemand { section, key, form, severity, default_counts, since, at } = demand.as_ref();
        of.severity = *severity;
        let default = if *default_counts { ", or by default" } else { "" };
        let since = since.map_or(String::new(), |since| format!(", since systemd {since}"));
        let text = format!("{}{default}{since}", setting_words(key, form));
        of.add(format!("{section}.{key}"), text, Shape::Setting(form.clone(), *default_counts), at);
    }
    for demand in variables {
        let VariableDemand { name, form, severity, at } = demand.as_ref();
        of.severity = *severity;
        of.add(format!("${name}"), variable_words(contract, name, form), Shape::Variable(form.clone()), at);
    }
}

fn env_file(of: &mut Of<'_>, file: &EnvFileDemand) {
    let EnvFileDemand { path, secret, owner, group, mode, overrides, optional, at } = file;
    let what = |key: &str| format!("env_files {path} {key}");
    let text = |key: &str, value: &str| format!("{path} {key} = {value}");
    of.add(what("secret"), text("secret", &secret.to_string()), Shape::Flag(!secret), at);
    of.add(what("optional"), text("optional", &optional.to_string()), Shape::Flag(!optional), at);
    for (key, name) in [("owner", owner), ("group", group)] {
        name.iter().for_each(|name| of.add(what(key), text(key, name), Shape::Exactly(name.clone()), at));
    }
    if let Some(mode) = mode {
        of.add(what("mode"), text("mode", &format!("\"{mode:04o}\"")), Shape::Bits(*mode), at);
    }
    of.add(
        what("overrides"),
        text("overrides", &format!("{overrides:?}")),
        Shape::Any(overrides.clone()),
        at,
    );
}

fn setting_words(key: &str, form: &Form) -> String {
    match form {
        Form::Equals(value) => format!("{key} = {value:?}"),
        Form::OneOf(values) => format!("{key} one of {values:?}"),
        Form::Contains(words) => format!("{key} contains {words:?}"),
        Form::Absent => format!("{key} absent"),
        Form::Present => format!("{key} present"),
    }
}

fn variable_words(contract: &Contract, name: &str, form: &VariableForm) -> String {
    match form {
        form if states_secret(contract, name, form) => format!("{name} = (a secret)"),
        VariableForm::Equals(value) => format!("{name} = {value:?}"),
        VariableForm::OneOf(values) => format!("{name} one of {values:?}"),
        VariableForm::Path { under: None } => format!("{name} an absolute path"),
        VariableForm::Path { under: Some(under) } => format!("{name} under {under}"),
        VariableForm::Integer { min, max } => match (*min, *max) {
            (i64::MIN, max) => format!("{name} at most {max}"),
            (min, i64::MAX) => format!("{name} at least {min}"),
            (min, max) => format!("{name} from {min} to {max}"),
        },
        VariableForm::Present => format!("{name} present"),
        VariableForm::Absent => format!("{name} absent"),
    }
}

fn job(all: &mut Vec<Duty>, job: &Job) {
    let Job { name, service, runs, replaces, needs, single_flight, time_limit, make_target, at } = job;
    let mut of = of(all, format!("job:{name}"), at);
    of.exactly("service", service);
    match runs {
        JobProgram::Script(script) => of.exactly("script", script),
        JobProgram::BuiltIn(built_in) => of.exactly("built_in", built_in),
    }
    of.each("replaces", replaces);
    of.each("needs", needs);
    of.flag("single_flight", *single_flight, at);
    if let Some(seconds) = time_limit {
        of.add("time_limit", format!("time_limit = {seconds} s"), Shape::AtMost(*seconds as f64), at);
    }
    of.maybe("make_target", make_target);
}

fn waiver(all: &mut Vec<Duty>, waiver: &Waiver) {
    let Waiver { rule, subject, key, reason: _, owner: _, expires, at } = waiver;
    let key = key.as_ref().map_or(String::new(), |key| format!(" ({key})"));
    let mut of = within(all, "waiver");
    of.add(format!("{rule} {subject}{key}"), format!("waived until {expires}"), Shape::Until(*expires), at);
}
