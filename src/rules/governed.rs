//! Words about the governed repository that several rules share: its files, its wrapper, its Makefile.

use crate::facts::repository::ShellCommand;
use crate::rules::prelude::*;
use crate::syntax::makefile::{Makefile, RecipeLine, Rule};
use crate::syntax::shell_words::{self, Call};

/// A contract without a repository.
pub fn no_repository() -> Outcome {
    Outcome::not_applicable("the contract governs no repository")
}

/// The command that brings a file of the repository back from git.
pub fn restore(view: &View, policy: &RepositoryPolicy, file: &str) -> String {
    let place = view.contract.layout.get(&policy.place);
    let owner = place.and_then(|place| place.owner.as_ref());
    let as_owner = owner.map_or(String::new(), |owner| format!("runuser -u {} -- ", quoted(&owner.value)));
    format!("{as_owner}git -C {} checkout HEAD -- {}", quoted(&policy.path.value), quoted(file))
}

/// Fails when a file of the repository is missing or no regular file.
pub fn missing_file(view: &View, policy: &RepositoryPolicy, file: &Stated<String>, what: &str) -> Ruling {
    let path = format!("{}/{}", policy.path.value, file.value);
    let lookup = view.path(Need::Repository, &path)?;
    let restore = restore(view, policy, &file.value);
    let (message, observed, mend) = match lookup.node()? {
        Some(step) if step.meta.kind == NodeKind::File => return Ok(Outcome::Pass),
        Some(step) => {
            let aside = format!("mv {0} {0}.aside && {restore}", quoted(&path));
            (format!("{what} is no regular file"), step.meta.kind.word(), aside)
        }
        None => (format!("{what} does not exist"), "nothing", restore),
    };
    Ok(Finding::new(message, lookup.location(), file.at.clone())
        .expected(path.as_str())
        .observed(observed)
        .mend(mend)
        .into())
}

/// The rules that make a target, by its name or by a pattern.
pub fn rules_for<'m>(makefile: &'m Makefile, target: &'m str) -> impl Iterator<Item = &'m Rule> {
    makefile.rules.iter().filter(move |rule| rule.targets.iter().any(|name| is_made_by(target, name)))
}

fn is_made_by(target: &str, name: &str) -> bool {
    match name.split_once('%') {
        None => name == target,
        Some((before, after)) => {
            target.len() > before.len() + after.len() && target.starts_with(before) && target.ends_with(after)
        }
    }
}

/// The script of a job that runs one.
pub struct JobScript<'a> {
    /// The contract's word on the repository.
    pub policy: &'a RepositoryPolicy,
    /// The script, relative to the repository.
    pub script: &'a Stated<String>,
    /// Its path.
    pub path: String,
    /// The walk to it.
    pub lookup: &'a Lookup,
    /// Who runs it.
    pub user: &'a str,
}

impl<'a> JobScript<'a> {
    /// The script, or why a rule about it does not apply.
    pub fn of(view: &JobView<'a>) -> Result<Result<Self, Outcome>, Undecided> {
        let Some(policy) = &view.contract.repository else { return Ok(Err(no_repository())) };
        let JobProgram::Script(script) = &view.job.runs else {
            return Ok(Err(Outcome::not_applicable("golden itself carries it out")));
        };
        let path = format!("{}/{}", policy.path.value, script.value);
        let lookup = view.path(Need::Repository, &path)?;
        let service = view.contract.services.iter().find(|service| *service.name == *view.job.service.value);
        let user = service.map_or(&view.contract.identity.user.value, |service| &service.user.value);
        Ok(Ok(Self { policy, script, path, lookup, user }))
    }
}

/// The Makefile of a contract that also names a wrapper.
pub struct GovernedMakefile<'a> {
    /// The contract's word on the repository.
    pub policy: &'a RepositoryPolicy,
    /// The wrapper, relative to the repository.
    pub wrapper: &'a Stated<String>,
    /// What stands in the Makefile.
    pub makefile: &'a Makefile,
    /// Its path.
    pub path: String,
}

impl<'a> GovernedMakefile<'a> {
    /// The Makefile, or why a rule about its recipes does not apply.
    pub fn of(view: &View<'a>) -> Result<Result<Self, Outcome>, Undecided> {
        let Some(policy) = &view.contract.repository else { return Ok(Err(no_repository())) };
        let (Some(file), Some(wrapper)) = (&policy.makefile, &policy.wrapper) else {
            return Ok(Err(Outcome::not_applicable("the contract names no Makefile or no wrapper")));
        };
        let Some(makefile) = view.repository()?.makefile.known()? else {
            return Ok(Err(crate::rules::files::does_not_exist()));
        };
        let path = format!("{}/{}", policy.path.value, file.value);
        Ok(Ok(Self { policy, wrapper, makefile, path }))
    }

    /// What was found; nothing in a Makefile that was not read to its end is no pass.
    pub fn ruling(&self, findings: Vec<Finding>) -> Ruling {
        match findings.is_empty() && self.makefile.incomplete {
            true => Err(Undecided::new(format!("{} expands to more than is read", self.path))),
            false => Ok(Outcome::from_findings(findings)),
        }
    }
}

/// Whether a call starts the wrapper, itself or as a shell's script.
pub fn is_wrapper(call: &Call, wrapper: &str) -> bool {
    wrapped_words(call, wrapper).is_some()
}

/// What a call hands to the wrapper; `None` where it does not start it.
pub fn wrapped_words<'c>(call: &'c Call, wrapper: &str) -> Option<&'c [String]> {
    let names = |word: &str| {
        let word = word.strip_prefix("./").unwrap_or(word);
        word == wrapper || word.strip_suffix(wrapper).is_some_and(|before| before.ends_with('/'))
    };
    let is_shell = matches!(call.name(), "sh" | "bash" | "dash");
    if names(&call.program) {
        return Some(&call.args);
    }
    let script = call.args.iter().position(|arg| !arg.starts_with('-')).filter(|_| is_shell)?;
    names(&call.args[script]).then(|| &call.args[script + 1..])
}

/// The calls of a recipe line.
pub fn calls_of(line: &RecipeLine) -> Vec<Call> {
    line.expanded.iter().flat_map(|text| shell_words::calls(text, line.line)).collect()
}

/// A command of a script as a call.
pub fn call_of(command: &ShellCommand) -> Call {
    let mut words = command.words.iter().cloned();
    let program = words.next().unwrap_or_default();
    Call { program, args: words.collect(), line: command.line, through: Vec::new() }
}

/// A call of a python, whichever it is; making a venv is allowed.
pub fn is_past_wrapper(call: &Call) -> bool {
    call.is_python() && !call.makes_a_venv()
}

/// The recipe that runs a job through the wrapper.
pub fn through_wrapper(view: &JobView, policy: &RepositoryPolicy) -> String {
    let job = view.job;
    let wrapper = policy.wrapper.as_ref().map_or("", |wrapper| wrapper.value.as_str());
    let program = match &job.runs {
        JobProgram::Script(script) => script.value.as_str(),
        JobProgram::BuiltIn(name) => {
            job.replaces.first().map_or(name.value.as_str(), |path| path.value.as_str())
        }
    };
    format!("{wrapper} {} {program}", job.service.value)
}

/// The service in whose environment jobs run, for a script that belongs to no job.
pub fn service_of_jobs<'a>(view: &View<'a>) -> Option<&'a Service> {
    let services = &view.contract.services;
    let of_job = view.contract.jobs.first().map(|job| job.service.value.as_str());
    let by_job = services.iter().find(|service| Some(service.name.as_ref()) == of_job);
    by_job.or_else(|| services.iter().find(|service| service.venv.is_some()))
}

/// The call of a script as the wrapper would make it; `None` for `-c`, `-m` and a program on standard input.
pub fn wrapped(view: &View, policy: &RepositoryPolicy, call: &Call) -> Option<String> {
    let script = call.args.first().filter(|arg| arg.ends_with(".py") && !arg.starts_with(['-', '$']))?;
    let wrapper = policy.wrapper.as_ref()?;
    let service = service_of_jobs(view)?;
    let top = format!("{}/", policy.path.value);
    let script = script.strip_prefix(&top).unwrap_or(script);
    let rest: String = call.args[1..].iter().flat_map(|arg| [" ".to_owned(), quoted(arg)]).collect();
    Some(format!("{} {} {script}{rest}", wrapper.value, service.name))
}

/// The command that replaces a recipe line of a Makefile, and the lines that continue it.
pub fn replace_recipe(path: &str, line: u32, recipe: &str) -> String {
    let text = recipe.replace('\\', r"\\").replace('|', r"\|").replace('&', r"\&");
    let script = format!(r"{line}{{:a;/\\$/{{N;ba}};s|.*|\t{text}|}}");
    format!("sed -i {} {}", quoted(&script), quoted(path))
}
