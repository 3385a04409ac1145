//! What the rules about env files share: the files of a service with what the contract demands of each.

use super::prelude::*;
use crate::facts::EnvFileFacts;

/// An env file of the contract that exists, with the node it really is.
pub struct EnvFileView<'a> {
    /// What the contract says of it.
    pub demand: &'a EnvFileDemand,
    /// The walk to it.
    pub lookup: &'a Lookup,
    /// The node at its end.
    pub node: &'a Step,
}

/// The contract's env files of a service that exist. That one does not is another rule's word.
pub fn existing<'a>(view: &ServiceView<'a>) -> Result<Vec<EnvFileView<'a>>, Undecided> {
    let mut found = Vec::new();
    for demand in &view.service.env_files {
        let lookup = view.path(Need::EnvFiles, &demand.path)?;
        if let Some(node) = lookup.node()? {
            found.push(EnvFileView { demand, lookup, node });
        }
    }
    Ok(found)
}

/// Said where no env file of the service exists.
pub fn none() -> Outcome {
    Outcome::not_applicable("it has no env file")
}

/// The content of each env file: those of the contract and those the unit reads beside them.
pub fn contents<'a>(view: &ServiceView<'a>) -> Result<Vec<(String, &'a EnvFileFacts)>, Undecided> {
    let mut paths: Vec<String> = view.service.env_files.iter().map(|file| file.path.clone()).collect();
    if let Some(unit) = view.loaded()? {
        for file in crate::facts::environment::files_of(unit) {
            if !paths.contains(&file.path) {
                paths.push(file.path);
            }
        }
    }
    let mut found = Vec::new();
    for path in paths {
        if let Some(content) = view.env_file(&path)? {
            found.push((path, content));
        }
    }
    Ok(found)
}

/// The contract line that speaks for a file: its own, or where the service begins.
pub fn demanded_at(view: &ServiceView, path: &str) -> Location {
    let own = view.service.env_files.iter().find(|file| file.path == path);
    own.map_or_else(|| view.service.at.clone(), |file| file.at.clone())
}

/// Whether a file may hold secrets.
pub fn may_hold_secrets(view: &ServiceView, path: &str) -> bool {
    view.service.env_files.iter().any(|file| file.path == path && file.secret)
}

/// The variables of a file that hold real secrets; their values are for nobody's eyes.
pub fn secrets<'a>(
    view: &ServiceView,
    content: &'a EnvFileFacts,
) -> Vec<&'a crate::syntax::env_file::Variable> {
    let secret = |variable: &&crate::syntax::env_file::Variable| {
        crate::facts::secrets::is_secret(view.contract, &variable.name, &variable.value)
    };
    content.read.variables.iter().filter(secret).collect()
}
