//! What was asked for, held against the contract: a service that it declares and a script of the repository, or
//! one of its jobs. Nothing here looks at the host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::Refusal;
use crate::contract::{Contract, DependencyKind, Job, JobProgram, Level, Service};
use crate::model::{Location, Severity, Stated};

/// A call that the contract knows.
#[derive(Clone, Debug)]
pub enum Call {
    /// A job that golden itself carries out.
    BuiltIn {
        /// Which.
        program: String,
        /// The job's name in the contract.
        job: Arc<str>,
    },
    /// A script, with what the contract says of its job.
    Script(Box<Job>),
    /// Only the checks, without a script.
    Nothing(Arc<str>),
}

/// A job by its name.
pub fn job(contract: &Contract, name: &OsStr) -> Result<Call, Refusal> {
    match contract.jobs.iter().find(|job| OsStr::new(job.name.as_ref()) == name) {
        Some(job) => Ok(of_job(job)),
        None => {
            let refusal = Refusal::new(format!("the contract has no job {}", shown(name)));
            Err(refusal.way_out(names(contract.jobs.iter().map(|job| &job.name), "job")))
        }
    }
}

/// A script of the repository, as this service. Where the contract declares a job with that script, its terms
/// hold: the same service, its needs, one at a time.
pub fn script(contract: &Contract, service: &OsStr, script: &OsStr) -> Result<Call, Refusal> {
    let service = known_service(contract, service)?;
    let path = script_path(script)?;
    let declared = contract.jobs.iter().find(|job| is_job_of(job, &path));
    match declared {
        Some(job) if job.service.value == *service.name => Ok(of_job(job)),
        Some(job) => Err(Refusal::new(format!(
            "{path} is the job {} of {}, not of {} ({})",
            job.name, job.service.value, service.name, job.service.at
        ))
        .way_out(format!("golden job {}", job.name))),
        None if contract.repository.is_none() => {
            Err(Refusal::new(format!("{path} lies in no repository: the contract has none"))
                .way_out("add [repository] to the contract"))
        }
        None => Ok(Call::Script(Box::new(undeclared(service, path)))),
    }
}

/// The checks of a service alone.
pub fn nothing(contract: &Contract, service: &OsStr) -> Result<Call, Refusal> {
    Ok(Call::Nothing(known_service(contract, service)?.name.clone()))
}

fn of_job(job: &Job) -> Call {
    match &job.runs {
        JobProgram::Script(_) => Call::Script(Box::new(job.clone())),
        JobProgram::BuiltIn(program) => {
            Call::BuiltIn { program: program.value.clone(), job: job.name.clone() }
        }
    }
}

fn is_job_of(job: &Job, path: &str) -> bool {
    let own = matches!(&job.runs, JobProgram::Script(script) if script.value == path);
    own || job.replaces.iter().any(|replaced| replaced.value == path)
}

fn known_service<'a>(contract: &'a Contract, name: &OsStr) -> Result<&'a Service, Refusal> {
    let found = contract.services.iter().find(|service| OsStr::new(service.name.as_ref()) == name);
    found.ok_or_else(|| {
        let refusal = Refusal::new(format!("the contract has no service {}", shown(name)));
        refusal.way_out(names(contract.services.iter().map(|service| &service.name), "service"))
    })
}

/// A path below the repository in its plain form. Links are resolved when the host is looked at.
fn script_path(script: &OsStr) -> Result<String, Refusal> {
    let refused = |why: &str| {
        let refusal = Refusal::new(format!("the script {} {why}", shown(script)));
        Err(refusal.way_out("name it relative to the repository: ops/task.py"))
    };
    let Some(text) = script.to_str() else { return refused("is not UTF-8") };
    let path = text.strip_prefix("./").unwrap_or(text);
    if path.chars().any(char::is_control) {
        return refused("has a control character in its name");
    }
    if path.starts_with('/') {
        return refused("is an absolute path");
    }
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refused("is not a plain path");
    }
    Ok(path.to_owned())
}

fn undeclared(service: &Service, path: String) -> Job {
    let asked = Location::file("the command line");
    Job {
        name: path.as_str().into(),
        service: Stated { value: service.name.to_string(), at: service.at.clone() },
        runs: JobProgram::Script(Stated { value: path, at: asked.clone() }),
        replaces: Vec::new(),
        needs: Vec::new(),
        single_flight: false,
        time_limit: None,
        make_target: None,
        at: asked,
    }
}

fn names<'a>(names: impl Iterator<Item = &'a Arc<str>>, what: &str) -> String {
    let names: Vec<&str> = names.map(AsRef::as_ref).collect();
    match names.is_empty() {
        true => format!("declare a {what} in the contract"),
        false => format!("one of {}", names.join(", ")),
    }
}

/// A word of the command line, with what a terminal would obey made visible.
pub fn shown(word: &OsStr) -> String {
    format!("{:?}", String::from_utf8_lossy(word.as_bytes()))
}

impl Call {
    /// The contract with nothing in it but what this call touches: an audit of it is the preflight. `None` for a
    /// built-in job, which looks at everything itself.
    pub fn narrowed(&self, mut contract: Contract) -> Option<Contract> {
        let (service, job) = match self {
            Call::BuiltIn { .. } => return None,
            Call::Script(job) => (job.service.value.clone(), Some(job)),
            Call::Nothing(service) => (service.to_string(), None),
        };
        contract.services.retain(|other| *other.name == *service);
        let service = contract.services.first()?;
        let needs = |name: &str| job.is_some_and(|job| job.needs.iter().any(|need| need.value == name));
        let repository = contract.repository.as_ref().map(|repository| repository.place.clone());
        let holds_written = |path: &str| {
            let is_below = |written: &str| {
                written.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            service.writes.iter().any(|written| is_below(&written.value))
        };
        contract
            .layout
            .retain(|name, place| Some(name) == repository.as_ref() || holds_written(&place.path.value));
        // The wrapper is what runs here; the Makefile, models and the rest of the host are the audit's business.
        if let Some(repository) = &mut contract.repository {
            (repository.wrapper, repository.makefile) = (None, None);
        }
        contract.identity.must_not_write.clear();
        contract.safety = None;
        contract.dependencies.retain(|name, _| {
            needs(name) || service.requires.iter().any(|required| *required.value == **name)
        });
        for dependency in contract.dependencies.values_mut() {
            if let DependencyKind::Sqlite { check_up_to, .. } = &mut dependency.kind {
                // Whether it is a database is seen at its first bytes; reading it through is the audit's business.
                *check_up_to = 0;
            }
        }
        contract.jobs = job.map(|job| job.as_ref().clone()).into_iter().collect();
        // A first run may be what makes the database, unless the job says that it needs one.
        let demanded = contract.dependencies.iter().any(|(name, dependency)| {
            matches!(dependency.kind, DependencyKind::Sqlite { .. }) && needs(name)
        });
        if !demanded {
            weigh(&mut contract, &["database-missing", "database-invalid"], Severity::Should);
        }
        weigh(&mut contract, &["env-variable-hijacks"], Severity::Must);
        Some(contract)
    }
}

/// Gives rules another severity than their own; what the contract says of them stays.
fn weigh(contract: &mut Contract, rules: &[&str], severity: Severity) {
    for rule in rules {
        let level = Stated { value: Level::At(severity), at: Location::file(contract.source.path.clone()) };
        contract.severities.entry((*rule).to_owned()).or_insert(level);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn refused(service: &str, path: &str) -> String {
        script(&Contract::built_in(), OsStr::new(service), OsStr::new(path)).unwrap_err().why
    }

    #[test]
    fn what_the_contract_does_not_know_is_refused() {
        assert!(refused("../../tmp/p", "ops/x.py").contains("no service"));
        assert!(refused("", "ops/x.py").contains("no service"));
        assert!(refused("backend\n", "ops/x.py").contains(r#""backend\n""#));
        for path in ["../../tmp/evil.py", "ops/../../evil.py", "ops//x.py", "ops/./x.py", "", "."] {
            assert!(refused("backend", path).contains("not a plain path"), "{path}");
        }
        assert!(refused("backend", "/tmp/evil.py").contains("absolute"));
        assert!(refused("backend", "ops/x\n.py").contains("control character"));
        assert!(refused("backend", "ops/training/train_patchtst.py").contains("not of backend"));
    }

    #[test]
    fn a_declared_script_is_its_job_and_a_replaced_one_is_built_in() {
        let contract = Contract::built_in();
        let call = |path| script(&contract, OsStr::new("ai-engine"), OsStr::new(path)).unwrap();
        assert!(matches!(call("./ops/training/train_patchtst.py"), Call::Script(job) if job.single_flight));
        assert!(matches!(call("ops/audit_contract.py"), Call::BuiltIn { program, .. } if program == "audit"));
        assert!(matches!(call("ops/other.py"), Call::Script(job) if job.needs.is_empty()));
        assert!(matches!(job(&contract, OsStr::new("train-patchtst")), Ok(Call::Script(_))));
        assert!(job(&contract, OsStr::new("train")).unwrap_err().way_out.unwrap().contains("train-patchtst"));
    }

    #[test]
    fn the_narrowed_contract_holds_what_the_call_touches() {
        let contract = Contract::built_in();
        let call = job(&contract, OsStr::new("train-patchtst")).unwrap();
        let narrow = call.narrowed(contract.clone()).unwrap();
        assert_eq!((narrow.services.len(), narrow.jobs.len(), narrow.dependencies.len()), (1, 1, 2));
        let places: Vec<&str> = narrow.layout.keys().map(AsRef::as_ref).collect();
        assert_eq!(places, ["data", "models", "repository", "shadow"]);
        assert_eq!(narrow.severities["database-missing"].value, Level::At(Severity::Should));
        let Call::Script(mut job) = call else { panic!() };
        job.needs.push(Stated { value: "database".into(), at: Location::file("x") });
        assert!(!Call::Script(job).narrowed(contract).unwrap().severities.contains_key("database-missing"));
    }
}
