//! `golden model shadow`: an artefact is registered by its digest.

use std::process::ExitCode;

use clap::Args;

use super::{life, model, obeyed, refused, whole};
use crate::cli::change::{Host, Said, caller, take_host};
use crate::cli::{Failure, Global, find, output};
use crate::contract::{Contract, Model};
use crate::ledger::models::fact;
use crate::ledger::{self, By, Entry, Event, Mode};
use crate::model::visible;
use crate::plan::short;
use crate::syntax::model_format;
use crate::system::hand::Hand as _;

/// What is registered.
#[derive(Args, Debug)]
pub(super) struct ShadowArgs {
    /// The artefact. It lies in shadow/ in the place of the models, where its owner may write.
    file: std::path::PathBuf,
    /// Which model it is; optional if there is only one model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Its version: letters, digits, `.` and `-`, at least one digit. Otherwise its digest's beginning.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

/// The longest version.
const LONGEST: usize = 60;

/// Registers it.
pub(super) fn shadow(global: &Global, args: &ShadowArgs) -> Result<ExitCode, Failure> {
    let contract = obeyed(global)?;
    let model = model(&contract, args.model.as_deref())?;
    let (host, mut said) = (Host::live()?, Said::new(global));
    let _alone = match take_host("model shadow", &host, &mut said) {
        Ok(alone) => alone,
        Err(code) => return Ok(code),
    };
    let path = find::whole(&args.file)?;
    let directory = super::ground(&host, &contract, model).shadow_directory().map_err(Failure::new)?;
    if let Err(why) = in_shadow(&path, &directory) {
        return Ok(refused(&why));
    }
    let found = match host.hand.digest(&path, model_format::HEAD) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(refused(&format!("{path} does not exist"))),
        Err(why) => return Ok(refused(&why.to_string())),
    };
    if let Err(why) = allowed(&found.head, &path, model) {
        return Ok(refused(&why));
    }
    let version = match version(args.version.as_deref(), &found.digest) {
        Ok(version) => version,
        Err(why) => return Ok(refused(&why)),
    };
    let chain = super::chain()?;
    if let Err(why) = whole(&chain) {
        return Ok(refused(&why));
    }
    let known = life(&chain, model)
        .shadow()
        .is_some_and(|one| one.artefact.digest == found.digest && one.path == path);
    if known {
        output::print(&format!("{} is registered already\n", visible(&path)))?;
        return output::print_and(&next(&contract, model), ExitCode::SUCCESS);
    }
    let facts = [
        (fact::MODEL, model.name.to_string()),
        (fact::ARTEFACT, found.digest.clone()),
        (fact::VERSION, version.clone()),
        (fact::PATH, path.clone()),
    ];
    let entry = Entry {
        at: jiff::Timestamp::now().to_string(),
        by: By::Who(caller()),
        event: Event::Shadowed,
        verb: "model shadow".to_owned(),
        plan: String::new(),
        plan_number: 0,
        contract: contract.source.digest.clone(),
        steps: Vec::new(),
        result: "done".to_owned(),
        left: Vec::new(),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let written = ledger::append(&host.act, &entry, Mode::Strict)
        .map_err(|error| Failure::new(format!("it could not be written down: {error}")))?;
    output::print(&format!(
        "{} is in shadow: version {version}, sha256 {} (entry {})\n",
        model.name, found.digest, written.number
    ))?;
    output::print_and(&next(&contract, model), ExitCode::SUCCESS)
}

/// The way to a canary.
fn next(contract: &Contract, model: &Model) -> String {
    let service = contract.services.iter().find(|service| *service.name == *model.service.value);
    let unit = service.map_or("", |service| service.unit.value.as_str());
    format!(
        "next: systemctl restart {unit}   so that it loads this artefact\n      \
         golden gate --model {0}   when there are enough events\n      golden model canary {0}\n",
        model.name
    )
}

/// Only a file of its own in shadow/ can be registered: where it lies is what the service loads beside the others.
fn in_shadow(path: &str, directory: &str) -> Result<(), String> {
    let name = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    match name
        .is_some_and(|name| !name.is_empty() && !name.split('/').any(|part| matches!(part, "" | "." | "..")))
    {
        true => Ok(()),
        false => Err(format!(
            "{path} does not lie in {directory}\n  try: copy it there as the user who owns that directory"
        )),
    }
}

/// Formats that run code when they are loaded are refused, unless the contract allows them.
fn allowed(head: &[u8], path: &str, model: &Model) -> Result<(), String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(what) = model_format::runs_code(head, name) else { return Ok(()) };
    match &model.runs_code {
        Some(allowed) if allowed.value => Ok(()),
        _ => Err(format!(
            "{path} is {what}: loading it runs what is in it\n  \
             try: save the weights alone (safetensors, ONNX, JSON), or allow it: runs_code = true in [models.{}]",
            model.name
        )),
    }
}

/// The version that is written down, as names in the archive can hold it.
fn version(asked: Option<&str>, digest: &str) -> Result<String, String> {
    let Some(asked) = asked else { return Ok(format!("sha256-{}", short(digest))) };
    let plain = asked.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let has_digit = asked.bytes().any(|byte| byte.is_ascii_digit());
    let begins = asked.starts_with(|c: char| c.is_ascii_alphanumeric());
    match plain && has_digit && begins && asked.len() <= LONGEST {
        true => Ok(asked.to_owned()),
        false => Err(format!(
            "{asked:?} is not a version\n  try: letters, digits, `.` and `-`, at least one digit, such as v2026-11-29"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_shadow_is_registered() {
        let is_in = |path: &str| in_shadow(path, "/m/shadow").is_ok();
        assert!(is_in("/m/shadow/a.json") && is_in("/m/shadow/x/a.json"));
        for path in [
            "/m/shadow",
            "/m/shadow/",
            "/m/shadow/../active/x",
            "/m/shadowy/x",
            "/etc/shadow",
            "/m/shadow//x",
        ] {
            assert!(!is_in(path), "{path}");
        }
    }

    #[test]
    fn a_version_stands_in_a_name() {
        let digest = "ab".repeat(32);
        assert_eq!(version(None, &digest).unwrap(), "sha256-abababababab");
        assert!(version(Some("v1.2-rc1"), &digest).is_ok());
        for bad in ["", "final", "v 1", "v_1", "../1", "-1", "v1/2", &"1".repeat(61)] {
            assert!(version(Some(bad), &digest).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pickle_is_refused_unless_the_contract_allows_it() {
        let mut model = Contract::built_in().model("patchtst").unwrap().clone();
        assert!(allowed(b"\x80\x04.", "/m/shadow/a.json", &model).unwrap_err().contains("runs_code = true"));
        assert!(allowed(b"{}", "/m/shadow/a.json", &model).is_ok());
        model.runs_code = Some(crate::model::Stated::new(true, model.at.clone()));
        assert!(allowed(b"\x80\x04.", "/m/shadow/a.json", &model).is_ok());
    }
}
