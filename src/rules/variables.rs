//! What the rules about demanded variables share: which value the contract or the host's own files state, and the
//! remedy that writes it. A value that is stated nowhere is a person's to choose.

use super::env_files::{self, Place};
use super::prelude::*;
use crate::contract::secrets::{is_hidden, is_secret_name, states_secret};
use crate::facts::environment::{Layer, files_of};
use crate::syntax::env_file::Variable;
use crate::syntax::stand_in::undeciding;

/// The demand as one would write it in an env file.
pub fn written_demand(contract: &Contract, demand: &VariableDemand) -> String {
    let name = &demand.name;
    match &demand.form {
        form if states_secret(contract, name, form) => {
            let one_of =
                if matches!(form, VariableForm::OneOf(_)) { "one of the values" } else { "the value" };
            format!("{name}= {one_of} of the contract")
        }
        VariableForm::Equals(value) => format!("{name}={value}"),
        VariableForm::OneOf(values) => format!("{name}= one of {}", values.join(" ")),
        VariableForm::Path { under: Some(directory) } => {
            format!("{name}= an absolute path below {directory}")
        }
        VariableForm::Path { under: None } => format!("{name}= an absolute path"),
        VariableForm::Integer { min, max } => format!("{name}= a number from {min} to {max}"),
        VariableForm::Present => format!("{name}= some value"),
        VariableForm::Absent => format!("no {name}"),
    }
}

/// A value as a finding may show it.
pub fn shown<'v>(view: &View, path: &str, name: &str, value: &'v str) -> &'v str {
    if is_hidden(view.contract, path, name, value) { "(a secret)" } else { value }
}

/// What the values before the one that counts were, nearest first.
pub fn shadowed(view: &View, name: &str, layers: &[Layer]) -> Vec<(Location, String)> {
    let before = layers.split_last().map_or(&[][..], |(_, before)| before);
    let written = |layer: &Layer| format!("{name}={}", shown(view, layer.at.path(), name, &layer.value));
    before.iter().rev().map(|layer| (layer.at.clone(), written(layer))).collect()
}

/// The one value that a demand leaves.
fn demanded(demand: &VariableDemand) -> Option<String> {
    match &demand.form {
        VariableForm::Equals(value) => Some(value.clone()),
        VariableForm::OneOf(values) if values.len() == 1 => values.first().cloned(),
        VariableForm::Integer { min, max } if min == max => Some(min.to_string()),
        _ => None,
    }
}

/// The value that the contract states for a variable: the one that it demands, or the one that `[provision]` has for a
/// demand that leaves a choice.
pub fn stated(view: &ServiceView, demand: &VariableDemand) -> Option<String> {
    let provided = || {
        let written = view.contract.provision.variable(view.service, &demand.name);
        written.filter(|value| demand.form.accepts(value))
    };
    demanded(demand).or_else(provided)
}

/// The remedy for a variable that is missing, empty or wrong: the demanded value, else what an earlier env file or line
/// of the service sets, else what `[provision]` has; written at the line that counts or into the last env file.
pub fn give(view: &ServiceView, unit: &EffectiveUnit, demand: &VariableDemand, layers: &[Layer]) -> Remedy {
    if demand.form == VariableForm::Absent {
        return take_out(view, unit, &demand.name, layers);
    }
    let name = demand.name.as_ref();
    let place = match where_it_goes(view, unit, name, layers.last()) {
        Ok(place) => place,
        Err(person) => return person,
    };
    if let Some(Place { path, line: Some(line) }) = place
        && let Some((name, value)) = env_files::without_comment(view, path, line)
    {
        return env_files::keep(view, Place { path, line: Some(line) }, &name, Some(&value));
    }
    let earlier = layers.iter().rev().map(|layer| &layer.value);
    let mut earlier = earlier.filter(|value| !value.is_empty());
    let earlier = undeciding(|| earlier.find(|value| demand.form.accepts(value)));
    let value = demanded(demand).or_else(|| earlier.cloned()).or_else(|| stated(view, demand));
    let is_secret = is_secret_name(view.contract, name);
    match (place, value) {
        (place, _) if is_secret => {
            let file = place.map_or("an env file that may hold secrets", |place| place.path);
            Remedy::decide(format!("write the value of {name} into {file}"))
        }
        (Some(place), Some(value)) if is_hidden(view.contract, place.path, name, &value) => {
            Remedy::decide(format!("write the value of {name} into {}", place.path))
        }
        (Some(place), Some(value)) => env_files::set(view, place, name, Some(&value)),
        (None, Some(value)) => in_drop_in(view, unit, name, &value),
        (place, None) => choose(view.contract, demand, place),
    }
}

/// Where a variable is written: its line in an env file of the contract, or the end of the last one; `None` where the
/// contract gives the service no env file.
fn where_it_goes<'a>(
    view: &'a ServiceView,
    unit: &EffectiveUnit,
    name: &str,
    found: Option<&'a Layer>,
) -> Result<Option<Place<'a>>, Remedy> {
    let declared = |path: &str| view.service.env_files.iter().any(|file| file.path == path);
    let of_unit = |path: &str| unit.files().any(|file| **file == *path);
    match found {
        Some(Layer { at, .. }) if declared(at.path()) => {
            Ok(Some(Place { path: at.path(), line: at.line_number() }))
        }
        // What is set in another file is read after the contract's.
        Some(Layer { at, .. }) if !of_unit(at.path()) => Err(Remedy::decide(format!(
            "decide what {at} should say: the contract does not name this file, and it sets {name}"
        ))),
        _ => {
            let last = view.service.env_files.last();
            Ok(last.map(|file| Place { path: file.path.as_str(), line: None }))
        }
    }
}

/// Without an env file the variable is a setting of the unit.
fn in_drop_in(view: &ServiceView, unit: &EffectiveUnit, name: &str, value: &str) -> Remedy {
    if value.contains(|c: char| c.is_control()) {
        return Remedy::decide(format!("give {} an env file in the contract for {name}", view.service.name));
    }
    view.add(unit, "Service", "Environment", &[environment_word(name, value)])
}

/// A variable as a word of `Environment=` (systemd.exec(5)).
fn environment_word(name: &str, value: &str) -> String {
    let text = value.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    match value.contains(|c: char| c.is_whitespace() || "'\"\\".contains(c)) {
        true => format!("\"{name}={text}\""),
        false => format!("{name}={text}"),
    }
}

/// The question which value it should be.
fn choose(contract: &Contract, demand: &VariableDemand, place: Option<Place>) -> Remedy {
    let name = demand.name.as_ref();
    let at = place.map_or_else(|| "the unit".to_owned(), |place| place.to_string());
    let what = match &demand.form {
        VariableForm::Integer { min, max } => format!("a number from {min} to {max}"),
        VariableForm::Path { under: Some(directory) } => format!("a path below {directory}"),
        VariableForm::Path { under: None } => "an absolute path".to_owned(),
        _ => "a value".to_owned(),
    };
    let question = Remedy::decide(format!("choose {what} for {name} and write it into {at}"));
    match (&demand.form, place) {
        (form @ VariableForm::OneOf(values), Some(place)) if !states_secret(contract, name, form) => {
            let shell = |value: &String| place.change(name, Some(value)).shell();
            values.iter().fold(question, |question, value| question.candidate("", shell(value)))
        }
        _ => question,
    }
}

/// The remedy that takes a variable out of the environment. What stands in an env file of the contract goes there; what
/// the unit or another file sets is unset in golden's drop-in.
fn take_out(view: &ServiceView, unit: &EffectiveUnit, name: &str, layers: &[Layer]) -> Remedy {
    let declared = |layer: &Layer| view.service.env_files.iter().any(|file| *file.path == *layer.at.path());
    if !layers.iter().all(declared) {
        return view.add(unit, "Service", "UnsetEnvironment", &[name.to_owned()]);
    }
    let mut changes: Vec<Change> = Vec::new();
    // The last line first, so that the lines before it keep their numbers.
    for layer in layers.iter().rev() {
        let line = layer.at.line_number();
        match env_files::set(view, Place { path: layer.at.path(), line }, name, None) {
            Remedy::Do { changes: all } => {
                changes.extend(all.into_iter().filter(|change| matches!(change, Change::Variable { .. })));
            }
            person => return person,
        }
    }
    view.taken_up(changes)
}

/// A line of the service's env files that means a variable and has no effect, and its remedy; or an env file of the
/// contract that sets it and that the unit does not read.
pub fn meant_elsewhere(view: &ServiceView, unit: &EffectiveUnit, demand: &VariableDemand) -> Option<Remedy> {
    let name = demand.name.as_ref();
    let read = files_of(unit);
    for file in view.service.env_files.iter().rev() {
        let Ok(Some(content)) = view.env_file(&file.path) else { continue };
        let is_name = |text: &str| text == name || text.split_whitespace().next_back() == Some(name);
        if let Some(dropped) = content.read.dropped.iter().rfind(|dropped| is_name(&dropped.text)) {
            let accepts = |meant: &Variable| undeciding(|| demand.form.accepts(&meant.value));
            let means = dropped.meant.as_ref().is_some_and(accepts);
            return Some(match means {
                true => env_files::restore(view, &file.path, dropped),
                false => Remedy::decide(format!(
                    "mend line {} of {}, which systemd ignores (reported by env-line-ignored)",
                    dropped.line, file.path
                )),
            });
        }
        let set = content.read.get(name).filter(|variable| !variable.value.is_empty());
        let counts = set.is_some_and(|variable| undeciding(|| demand.form.accepts(&variable.value)));
        if counts && !read.iter().any(|read| read.path == file.path) {
            return Some(Remedy::decide(format!(
                "let the unit read {}, which sets {name} (reported by unit-env-file-wrong)",
                file.path
            )));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_environment() {
        assert_eq!(environment_word("A", "b"), "A=b");
        assert_eq!(environment_word("A", "50%"), "A=50%%");
        assert_eq!(environment_word("A", r#"b "c\"#), r#""A=b \"c\\""#);
    }
}
