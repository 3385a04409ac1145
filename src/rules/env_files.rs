//! What the rules about env files share: the files of a service with what the contract demands of each, and the remedies
//! that change a line of them.

use std::fmt;

use super::prelude::*;
use super::remedy::spot;
use crate::contract::secrets::is_hidden;
use crate::facts::EnvFileFacts;
use crate::facts::environment::files_of;
use crate::syntax::env_file::{DropReason, Dropped, Note, NoteKind, Variable};
use crate::syntax::hijack::hijacks;
use crate::syntax::stand_in::undeciding;

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

/// The content of each env file: those of the contract and those the unit reads beside them. An optional one below /run is
/// not part of a disk, and has no lines there.
pub fn contents<'a>(view: &ServiceView<'a>) -> Result<Vec<(String, &'a EnvFileFacts)>, Undecided> {
    let mut paths: Vec<String> = view.service.env_files.iter().map(|file| file.path.clone()).collect();
    if let Some(unit) = view.loaded()? {
        for file in view.env_files_of(unit)? {
            // What a disk cannot show is unread although nothing lies there.
            let is_unread = file.optional && view.env_file(&file.path).is_err();
            let is_there = || view.path(Need::EnvFiles, &file.path)?.node().map(|node| node.is_some());
            if !paths.contains(&file.path) && (!is_unread || is_there()?) {
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

/// Whether a file holds secrets, or may.
pub fn holds_secrets(view: &ServiceView, path: &str) -> bool {
    let holds = || match view.env_file(path) {
        Ok(Some(content)) => !secrets(view, content).is_empty(),
        Ok(None) => false,
        Err(_) => true,
    };
    may_hold_secrets(view, path) || holds()
}

/// A place in an env file: a line, or its end.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The file.
    pub path: &'a str,
    /// The line, from 1; `None` for the end.
    pub line: Option<u32>,
}

impl Place<'_> {
    /// The change that sets a variable here, or takes it out.
    pub fn change(&self, name: &str, value: Option<&str>) -> Change {
        let value = value.map(str::to_owned);
        Change::Variable { path: self.path.to_owned(), line: self.line, name: name.to_owned(), value }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of {}", self.path),
            None => f.write_str(self.path),
        }
    }
}

/// The remedy that sets a variable, or takes it out, in an env file of the contract. Where another service reads the
/// file and its demands do not agree, a person decides.
pub fn set(view: &ServiceView, place: Place, name: &str, value: Option<&str>) -> Remedy {
    let mut silent = None;
    for service in other_readers(view, place.path) {
        let question =
            || Remedy::decide(format!("decide about {name} in {place}: {} reads it too", service.name));
        match service.variables.iter().find(|demand| *demand.name == *name) {
            Some(demand) if agrees(demand, value) => {}
            Some(_) => return question(),
            None => silent = Some(question()),
        }
    }
    match silent {
        Some(question) => question.candidate("for all of them", place.change(name, value).shell()),
        None => keep(view, place, name, value),
    }
}

/// Whether a demand is met by a value, or by none.
fn agrees(demand: &VariableDemand, value: Option<&str>) -> bool {
    match value {
        Some(value) => undeciding(|| demand.form.accepts(value)),
        None => demand.form == VariableForm::Absent,
    }
}

/// The remedy that writes a line of an env file of the contract anew, with the meaning that it has for everybody.
pub fn keep(view: &ServiceView, place: Place, name: &str, value: Option<&str>) -> Remedy {
    let change = place.change(name, value);
    if let Some(why) = not_roots(view, place.path) {
        return Remedy::decide(format!("correct {name} in {place}: {why}")).candidate("", change.shell());
    }
    match broken(view, place.path) {
        Some(why) => Remedy::decide(format!("correct {name} in {place}, but first {why}")),
        None => view.taken_up([change]),
    }
}

/// Whether golden may change lines of an env file.
pub fn is_changeable(view: &ServiceView, path: &str) -> bool {
    not_roots(view, path).is_none() && broken(view, path).is_none()
}

/// Why golden changes no line of an env file because of where it lies.
fn not_roots(view: &ServiceView, path: &str) -> Option<String> {
    if !view.service.env_files.iter().any(|file| file.path == path) {
        return Some(format!("the contract does not name the file for {}", view.service.name));
    }
    let Ok(lookup) = view.path(Need::EnvFiles, path) else { return Some("it was not looked at".to_owned()) };
    match lookup.node() {
        Ok(Some(node)) if node.meta.kind == NodeKind::File && !is_link(lookup, path) => {}
        Ok(Some(_)) => return Some("it is not a regular file (reported by env-file-not-regular)".to_owned()),
        Ok(None) => return Some("the file does not exist (reported by env-file-missing)".to_owned()),
        Err(undecided) => return Some(undecided.why),
    }
    match spot(view, lookup) {
        Ok(Spot { user: None, .. }) => None,
        Ok(Spot { user: Some(user), .. }) => Some(format!("it lies in a directory of {user}")),
        Err(_) => Some("another user can replace it".to_owned()),
    }
}

/// What must be mended first, since a line of the file would not count.
fn broken(view: &ServiceView, path: &str) -> Option<String> {
    let Ok(Some(content)) = view.env_file(path) else { return Some(format!("let golden read {path}")) };
    if let Some(fatal) = &content.read.fatal {
        return Some(format!("mend line {}, for which systemd refuses the whole file", fatal.line));
    }
    let open = content.read.notes.iter().find(|note| note.kind == NoteKind::UnterminatedQuote);
    open.map(|note| format!("close the quote that line {} opens", note.line))
}

/// The value of a line without the comment behind it, where the service's demand accepts that and not what systemd reads
/// now: `WORKERS=5 # one a core`.
pub fn without_comment(view: &ServiceView, path: &str, line: u32) -> Option<(String, String)> {
    let content = view.env_file(path).ok()??;
    let is_comment = |note: &Note| note.line == line && note.kind == NoteKind::CommentInValue;
    content.read.notes.iter().find(|note| is_comment(note))?;
    let variable = content.read.variables.iter().find(|variable| variable.line == line)?;
    let (name, text) = (variable.name.as_str(), variable.value.as_str());
    let demand = view.service.variables.iter().find(|demand| *demand.name == *name)?;
    let value = text[..text.find(" #").or_else(|| text.find("\t#"))?].trim_end();
    let fits = undeciding(|| demand.form.accepts(value) && !demand.form.accepts(text));
    let evident = !value.is_empty() && fits;
    (evident && !is_hidden(view.contract, path, name, text)).then(|| (name.to_owned(), value.to_owned()))
}

/// Whether the last component of a path is a link.
pub fn is_link(lookup: &Lookup, path: &str) -> bool {
    lookup.links().any(|link| link.path.rsplit('/').next() == path.rsplit('/').next())
}

/// The other services of the contract that read an env file, by the contract or by their unit.
fn other_readers<'a>(view: &ServiceView<'a>, path: &str) -> impl Iterator<Item = &'a Service> {
    let others = view.contract.services.iter().filter(|service| service.name != view.service.name);
    others.filter(move |service| {
        let declared = service.env_files.iter().any(|file| file.path == path);
        let unit = || view.effective(&service.unit.value);
        declared || unit().is_ok_and(|unit| files_of(unit).iter().any(|file| file.path == path))
    })
}

/// The remedy for a line that systemd drops: what it evidently means is written as systemd reads it.
pub fn restore(view: &ServiceView, path: &str, dropped: &Dropped) -> Remedy {
    let line = dropped.line;
    let place = Place { path, line: Some(line) };
    if let Some(meant) = dropped.meant.as_ref().filter(|meant| is_evident(view, path, meant)) {
        if dropped.why != DropReason::CommentContinuation {
            return keep(view, place, &meant.name, Some(&meant.value));
        }
        // The comment would swallow whatever stands below it.
        if is_changeable(view, path) {
            let (at, was) = (Spot::of_root(path), format!("{}={}", meant.name, meant.value));
            let gone = Change::Lines { at, line: Some(line), was, lines: Vec::new() };
            let added = Place { path, line: None }.change(&meant.name, Some(&meant.value));
            return view.taken_up([gone, added]);
        }
    }
    if let Some(meant) = &dropped.meant
        && dropped.why == DropReason::Export
    {
        let script = format!(r"{line}s/export[[:blank:]]*//");
        return Remedy::decide(format!("decide whether line {line} of {path} is to set {}", meant.name))
            .candidate("it counts", format!("sed -i {} {}", quoted(&script), quoted(path)))
            .candidate("it goes", place.change("", None).shell());
    }
    let sed = |script: String| format!("sed -i {} {}", quoted(&script), quoted(path));
    match dropped.why {
        DropReason::Export => {
            Remedy::decide(format!("write line {line} of {path} as systemd reads it: NAME=value"))
                .candidate("without export", sed(format!(r"{line}s/export[[:blank:]]*//")))
        }
        DropReason::ByteOrderMark => Remedy::decide(format!("remove the byte order mark from {path}"))
            .candidate("", sed(r"1s/^\xef\xbb\xbf//".to_owned())),
        DropReason::CommentContinuation => {
            let before = line.saturating_sub(1);
            Remedy::decide(format!("end the comment before line {line} of {path} without a backslash"))
                .candidate("", sed(format!(r"{before}s/\\*$//")))
        }
        DropReason::BadKey | DropReason::NoEquals | DropReason::TooLong => {
            Remedy::decide(format!("decide what line {line} of {path} should say"))
                .candidate("remove the line", place.change("", None).shell())
        }
    }
}

/// Whether a dropped line may count: nothing else in the file sets its variable, no demand of a service that reads the
/// file speaks against its value, and it is no secret.
fn is_evident(view: &ServiceView, path: &str, meant: &Variable) -> bool {
    let name = meant.name.as_str();
    let Ok(Some(content)) = view.env_file(path) else { return false };
    let dropped = content.read.dropped.iter().filter_map(|dropped| dropped.meant.as_ref());
    let times = content.read.variables.iter().chain(dropped).filter(|variable| variable.name == name).count();
    let speaks_against = |service: &Service| {
        let mut demands = service.variables.iter().filter(|demand| *demand.name == *name);
        demands.any(|demand| !agrees(demand, Some(&meant.value)))
    };
    let mut readers = other_readers(view, path).chain([view.service]);
    times == 1
        && hijacks(name).is_none()
        && !is_hidden(view.contract, path, name, &meant.value)
        && !readers.any(speaks_against)
}

/// The remedy that makes an env file of the contract where golden writes it.
pub fn write_it(view: &ServiceView, path: &str) -> Remedy {
    let question = Remedy::decide(format!("write {path} with the variables that the contract demands"));
    match view.service.provision.kept_elsewhere {
        true => question,
        false => question.candidate("with the values that the contract states", "golden apply"),
    }
}

/// The variables of a file that hold real secrets; their values are for nobody's eyes.
pub fn secrets<'a>(view: &ServiceView, content: &'a EnvFileFacts) -> Vec<&'a Variable> {
    let secret = |variable: &&Variable| {
        crate::contract::secrets::is_secret(view.contract, &variable.name, &variable.value)
    };
    content.read.variables.iter().filter(secret).collect()
}
