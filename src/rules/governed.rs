//! Words about the governed repository that several rules share: its files, its wrapper, its Makefile.

use std::collections::{HashMap, HashSet};

use crate::facts::repository::ShellCommand;
use crate::model::change::Change;
use crate::rules::prelude::*;
use crate::rules::remedy::{spot, spot_of_own};
use crate::syntax::makefile::{Makefile, RecipeLine, Rule};
use crate::syntax::shell_words::{self, Call};

/// A contract without a repository.
pub fn no_repository() -> Outcome {
    Outcome::not_applicable("the contract governs no repository")
}

/// A command as the owner of the repository, for a person to copy; empty where the contract names no owner, since
/// nothing in a repository is run as root.
pub fn as_owner(view: &View, policy: &RepositoryPolicy, words: &[&str]) -> String {
    let place = view.contract.layout.get(&policy.place);
    place.and_then(|place| place.owner.as_ref()).map_or_else(String::new, |owner| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("runuser -u {} -- {}", quoted(&owner.value), words.join(" "))
    })
}

/// The remedy that brings a file of the repository back which is gone: as its owner, from the last commit.
pub fn brought_back(view: &View, policy: &RepositoryPolicy, file: &str, lookup: &Lookup) -> Remedy {
    let is_there = crate::rules::remedy::gap(lookup).is_none_or(|gap| gap.link.is_some());
    let git = view.repository().ok().and_then(|facts| facts.git.known().ok().flatten());
    let is_committed = git.is_some_and(|git| matches!(git.head.known(), Ok(Some(_))));
    match spot(view, lookup) {
        Ok(at) if at.user.is_some() && !is_there && is_committed => {
            Change::Restore { at, tree: policy.path.value.clone() }.into()
        }
        _ => restore(view, policy, file),
    }
}

/// The remedy that brings a file of the repository back by a person, who knows what its owner put there.
pub fn restore(view: &View, policy: &RepositoryPolicy, file: &str) -> Remedy {
    let top = policy.path.value.as_str();
    let checkout = as_owner(view, policy, &["git", "-C", top, "checkout", "HEAD", "--", file]);
    let question = format!("restore {file}");
    match checkout.is_empty() {
        true => Remedy::decide(question).candidate("from the last commit", ""),
        false => Remedy::decide(question).candidate("from the last commit", checkout),
    }
}

/// The same where something else has taken its name, which is moved aside first.
pub fn restore_over(view: &View, policy: &RepositoryPolicy, file: &str, what: &str) -> Remedy {
    let path = format!("{}/{file}", policy.path.value);
    let aside = as_owner(view, policy, &["mv", "-nT", "--", &path, &format!("{path}.aside")]);
    let top = policy.path.value.as_str();
    let checkout = as_owner(view, policy, &["git", "-C", top, "checkout", "HEAD", "--", file]);
    let shell = if aside.is_empty() { String::new() } else { format!("{aside} && {checkout}") };
    Remedy::decide(format!("decide what happens to {path}, which is {what}"))
        .candidate("move it aside and restore the file from the last commit", shell)
}

/// Fails when a file of the repository is missing or no regular file.
pub fn missing_file(view: &View, policy: &RepositoryPolicy, file: &Stated<String>, what: &str) -> Ruling {
    let path = format!("{}/{}", policy.path.value, file.value);
    let lookup = view.path(Need::Repository, &path)?;
    let (message, observed, mend) = match lookup.node()? {
        Some(step) if step.meta.kind == NodeKind::File => return Ok(Outcome::Pass),
        Some(step) => {
            let kind = step.meta.kind.word();
            let mend = restore_over(view, policy, &file.value, kind);
            (format!("{what} is not a regular file"), kind, mend)
        }
        None => {
            (format!("{what} does not exist"), "nothing", brought_back(view, policy, &file.value, lookup))
        }
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

/// The calls of a recipe line; what calls more than is looked at is undecided, since the last of them counts as much.
pub fn calls_of(line: &RecipeLine) -> Result<Vec<Call>, Undecided> {
    let mut all = Vec::new();
    for text in &line.expanded {
        all.extend(calls_in(text, line.line)?);
    }
    Ok(all)
}

/// The calls of a piece of shell in a Makefile.
pub fn calls_in(text: &str, line: u32) -> Result<Vec<Call>, Undecided> {
    match shell_words::calls_within(text, line, shell_words::MOST_ROOM) {
        Some((calls, _)) => Ok(calls),
        None => {
            Err(Undecided::new(format!("line {line} of the Makefile calls more programs than are looked at")))
        }
    }
}

/// Which rules make which target, so that a walk over prerequisites looks at each rule once.
pub struct Targets<'m> {
    by_name: HashMap<&'m str, Vec<&'m Rule>>,
    by_pattern: Vec<&'m Rule>,
}

impl<'m> Targets<'m> {
    /// Of all rules of a Makefile.
    pub fn of(makefile: &'m Makefile) -> Self {
        let mut by_name: HashMap<&str, Vec<&Rule>> = HashMap::new();
        let mut by_pattern = Vec::new();
        for rule in &makefile.rules {
            if rule.targets.iter().any(|name| name.contains('%')) {
                by_pattern.push(rule);
            }
            for name in rule.targets.iter().filter(|name| !name.contains('%')) {
                by_name.entry(name.as_str()).or_default().push(rule);
            }
        }
        Self { by_name, by_pattern }
    }

    fn rules_for<'t>(&self, target: &'t str) -> impl Iterator<Item = &'m Rule> + use<'_, 't, 'm> {
        let of_pattern = |rule: &&'m Rule| rule.targets.iter().any(|name| is_made_by(target, name));
        let named = self.by_name.get(target).into_iter().flatten().copied();
        named.chain(self.by_pattern.iter().copied().filter(of_pattern))
    }

    /// The rules that making a target may carry out: its own, and those of its prerequisites.
    pub fn reached(&self, target: &'m str) -> Vec<&'m Rule> {
        let mut seen = HashSet::from([target]);
        let mut carried = HashSet::new();
        let mut waiting = vec![target];
        let mut rules = Vec::new();
        while let Some(target) = waiting.pop() {
            for rule in self.rules_for(target) {
                if carried.insert(std::ptr::from_ref(rule)) {
                    rules.push(rule);
                    let next = rule.prerequisites.iter().map(String::as_str);
                    waiting.extend(next.filter(|next| seen.insert(next)));
                }
            }
        }
        rules
    }
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

/// The job that a script of the repository belongs to, by the script or by one that the job replaces, and the script
/// relative to the repository.
pub fn job_of<'a, 's>(
    view: &View<'a>,
    policy: &RepositoryPolicy,
    script: &'s str,
) -> Option<(&'a Job, &'s str)> {
    let top = format!("{}/", policy.path.value);
    let script = script.strip_prefix(&top).or_else(|| script.strip_prefix("./")).unwrap_or(script);
    let is_own = |job: &&Job| {
        matches!(&job.runs, JobProgram::Script(own) if own.value == script)
            || job.replaces.iter().any(|own| own.value == script)
    };
    view.contract.jobs.iter().find(is_own).map(|job| (job, script))
}

/// A recipe line as it stands in the file, where it is one physical line behind a tab; `None` where its text alone does
/// not say how it is written: continued lines, a recipe behind a semicolon, another recipe prefix, a text that was not
/// UTF-8.
pub fn raw_recipe_line(makefile: &Makefile, rule: &Rule, line: &RecipeLine) -> Option<String> {
    let own_prefix = makefile.assignments.iter().any(|stated| stated.name == ".RECIPEPREFIX");
    let plain = !line.text.contains(['\n', '\r', '\u{fffd}']) && !line.text.ends_with('\\');
    (!own_prefix && plain && line.line != rule.line).then(|| format!("\t{}", line.text))
}

/// The words of a recipe line up to its second one, as they stand there: what comes before the first (blanks and make's
/// `@-+`), the first two words, and all that follows. Nothing in it is expanded.
pub fn first_words(text: &str) -> Option<(&str, &str, &str, &str)> {
    let start = text.find(|c: char| !c.is_whitespace() && !"@-+".contains(c))?;
    let (before, rest) = text.split_at(start);
    let end = rest.find(char::is_whitespace)?;
    let (first, rest) = rest.split_at(end);
    let second = rest.trim_start();
    let end = second.find(char::is_whitespace).unwrap_or(second.len());
    let (second, after) = second.split_at(end);
    (!second.is_empty()).then_some((before, first, second, after))
}

impl GovernedMakefile<'_> {
    /// The remedy that writes a recipe line anew, as the owner of the Makefile. The line comes from the repository and is
    /// handled as text from end to end; it is changed only where it still says what was judged.
    pub fn rewrite(&self, view: &View, line: u32, was: String, now: String) -> Remedy {
        let lookup = match view.path(Need::Repository, &self.path) {
            Ok(lookup) => lookup,
            Err(why) => return Remedy::decide(format!("write {now:?} at {}:{line}: {}", self.path, why.why)),
        };
        match spot_of_own(view, lookup) {
            Ok(at) => Change::Lines { at, line: Some(line), was, lines: vec![now] }.into(),
            Err(remedy) => remedy.candidate(format!("write {:?} at {}:{line}", now.trim(), self.path), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::makefile::parse;

    #[test]
    fn a_recipe_line_is_taken_apart_as_text() {
        assert_eq!(
            first_words("@- python3  ops/x.py --n $(N) | tee 'a b'"),
            Some(("@- ", "python3", "ops/x.py", " --n $(N) | tee 'a b'"))
        );
        assert_eq!(first_words("python3 x"), Some(("", "python3", "x", "")));
        assert_eq!(first_words("python3"), None);
        assert_eq!(first_words("@"), None);
    }

    #[test]
    fn only_a_line_whose_bytes_are_known_is_written_anew() {
        let raw = |text: &str| {
            let makefile = parse(text);
            let rule = makefile.rules.last().unwrap().clone();
            raw_recipe_line(&makefile, &rule, rule.recipe.first().unwrap())
        };
        assert_eq!(raw("a:\n\t@x $(Y) # z\n").as_deref(), Some("\t@x $(Y) # z"));
        assert_eq!(raw("a: ; x\n"), None);
        assert_eq!(raw("a:\n\tx \\\n\ty\n"), None);
        assert_eq!(raw(".RECIPEPREFIX = >\na:\n> x\n"), None);
    }
}
