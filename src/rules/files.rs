//! Words about files that several rules share: owners, modes, and where a path really lies.

use crate::rules::prelude::*;
use crate::syntax::accounts::Accounts;

/// `owner:group` by name, by number where the host knows no name.
pub fn owners(accounts: &Accounts, uid: u32, gid: u32) -> String {
    let user = accounts.user_by_id(uid).map_or(uid.to_string(), |user| user.name.clone());
    let group = accounts.group_by_id(gid).map_or(gid.to_string(), |group| group.name.clone());
    format!("{user}:{group}")
}

/// A mode as one writes it: four octal digits.
pub fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// Whether a path is `directory` or lies below it.
pub fn is_under(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory a path lies in.
pub fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// The demanded owner and group of a place as chown(1) takes them; empty where the contract is silent.
pub fn demanded_owners(place: &Place) -> String {
    let name =
        |stated: &Option<Stated<String>>| stated.as_ref().map_or(String::new(), |name| name.value.clone());
    match (name(&place.owner), name(&place.group)) {
        (owner, group) if group.is_empty() => owner,
        (owner, group) => format!("{owner}:{group}"),
    }
}

/// The command that makes a directory as its place demands.
pub fn make_directory(place: &Place, path: &str) -> String {
    let mut command = "install -d".to_owned();
    for (option, stated) in [("-o", &place.owner), ("-g", &place.group)] {
        if let Some(name) = stated {
            command.push_str(&format!(" {option} {}", quoted(&name.value)));
        }
    }
    if let Some(mode) = &place.mode {
        command.push_str(&format!(" -m {}", octal(mode.value)));
    }
    format!("{command} {}", quoted(path))
}

/// A place and what it must hold, with the walk to each that exists: the key tells them apart.
pub fn parts_that_exist<'a>(view: &PlaceView<'a>) -> Result<Vec<(String, &'a Lookup, &'a Step)>, Undecided> {
    let place = view.place;
    let held = place.holds.iter().map(|held| {
        (format!("{}/{}", place.name, held.value), format!("{}/{}", place.path.value, held.value))
    });
    let mut parts = Vec::new();
    for (key, path) in std::iter::once((place.name.to_string(), place.path.value.clone())).chain(held) {
        let lookup = view.path(Need::Places, &path)?;
        if let Some(step) = lookup.node()? {
            parts.push((key, lookup, step));
        }
    }
    Ok(parts)
}

/// There is nothing to judge, and another rule says so.
pub fn does_not_exist() -> Outcome {
    Outcome::not_applicable("it does not exist")
}

/// A service without a venv.
pub fn no_venv() -> Outcome {
    Outcome::not_applicable("the contract gives it no venv")
}

/// Adds to a decision about a venv what makes it with its packages: golden itself where `[provision]` names its
/// requirements, and the interpreter by hand.
pub fn made_anew(view: &ServiceView, question: Remedy, path: &str) -> Remedy {
    let provision = &view.contract.provision;
    let mut named = view.contract.venvs.values().filter(|venv| venv.path.value == path);
    let question = match named.any(|venv| provision.requirements.contains_key(&venv.name)) {
        true => question.candidate("with its locked requirements", "golden apply"),
        false => question,
    };
    let make = format!("{} -m venv {}", quoted(&provision.interpreter.value), quoted(path));
    question.candidate("an empty one, whose packages you install", make)
}

/// The command that points the scripts of a venv at its own interpreter: the `#!` line, or the second line
/// where a shell passes on.
pub fn point_into_venv(path: &str) -> String {
    let script = format!(
        r#"1s|^#!.*/python[0-9.]*|#!{path}/bin/python|;1s|^#!.*env .*python[0-9.]*|#!{path}/bin/python|;2s|^'''exec' "*[^ "]*"*|'''exec' "{path}/bin/python"|"#
    );
    format!("find {}/bin -maxdepth 1 -type f -exec sed -i {} {{}} +", quoted(path), quoted(&script))
}
