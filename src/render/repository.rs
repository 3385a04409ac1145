//! What a governed repository holds because of the contract: the wrapper's old path and the Makefile.

use super::commands::script;
use super::{Artefact, What, header};
use crate::contract::{Contract, Job, RepositoryPolicy};

/// Both, where the contract has a repository.
pub(super) fn artefacts(contract: &Contract) -> Vec<Artefact> {
    let Some(policy) = &contract.repository else { return Vec::new() };
    let mut all = Vec::new();
    if let Some(wrapper) = &policy.wrapper {
        all.push(artefact(What::Wrapper, &wrapper.value, 0o755, wrapper_text(contract)));
    }
    if let Some(makefile) = &policy.makefile {
        all.push(artefact(What::Makefile, &makefile.value, 0o644, makefile_text(contract, policy)));
    }
    all
}

fn artefact(what: What, path: &str, mode: u32, content: String) -> Artefact {
    Artefact { what, in_repository: Some(path.to_owned()), on_host: None, mode, content }
}

fn wrapper_text(contract: &Contract) -> String {
    format!(
        "#!/usr/bin/env bash\n{}set -euo pipefail\nexec golden run \"$@\"\n",
        header(contract, "The one way to run an ops job under the contract; all checks are golden's")
    )
}

/// How a job is called through the wrapper: by its script, or by the path that it stands in for.
fn call(job: &Job, wrapper: Option<&str>) -> String {
    match (wrapper, script(job)) {
        (Some(wrapper), Some(script)) => format!("{wrapper} {} {script}", job.service.value),
        _ => format!("golden job {}", job.name),
    }
}

fn makefile_text(contract: &Contract, policy: &RepositoryPolicy) -> String {
    let jobs: Vec<(&str, &Job)> = contract
        .jobs
        .iter()
        .filter_map(|job| Some((job.make_target.as_ref()?.value.as_str(), job)))
        .collect();
    let targets: Vec<&str> = jobs.iter().map(|(target, _)| *target).collect();
    let mut text = header(contract, "Every target goes through the wrapper; nothing here calls a python");
    text.push_str(&format!("\n.PHONY: help {}\n\nhelp:\n", targets.join(" ")));
    text.push_str(&format!("\t@echo \"make {}\"\n", targets.join(" | ")));
    let wrapper = policy.wrapper.as_ref().map(|wrapper| wrapper.value.as_str());
    for (target, job) in jobs {
        text.push_str(&format!("\n{target}:\n\t{}\n", call(job, wrapper)));
    }
    text
}
