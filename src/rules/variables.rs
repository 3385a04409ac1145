//! What the two rules about demanded variables share.

use super::prelude::*;
use crate::facts::environment::Layer;

/// The demand as one would write it in an env file.
pub fn written_demand(demand: &VariableDemand) -> String {
    let name = &demand.name;
    match &demand.form {
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

/// A value that meets the demand, where the contract knows one.
pub fn meeting(demand: &VariableDemand) -> Option<String> {
    match &demand.form {
        VariableForm::Equals(value) => Some(value.clone()),
        VariableForm::OneOf(values) => values.first().cloned(),
        VariableForm::Path { under } => under.clone(),
        VariableForm::Integer { min, .. } => Some(min.to_string()),
        VariableForm::Present | VariableForm::Absent => None,
    }
}

/// What the values before the one that counts were, nearest first.
pub fn shadowed(name: &str, layers: &[Layer]) -> Vec<(Location, String)> {
    let before = layers.split_last().map_or(&[][..], |(_, before)| before);
    before.iter().rev().map(|layer| (layer.at.clone(), format!("{name}={}", layer.value))).collect()
}

/// The command that writes a variable where the service reads it last, and lets the service take it up.
pub fn mend_variable(view: &ServiceView, demand: &VariableDemand, found: Option<&Layer>) -> String {
    let Some(value) = meeting(demand) else {
        return format!("a person must decide on the value of {}", demand.name);
    };
    let line = format!("{}={value}", demand.name);
    let last = view.service.env_files.last().map(|file| file.path.as_str());
    let is_of_unit = |layer: &Layer| {
        view.loaded().ok().flatten().is_some_and(|unit| unit.files().any(|file| *file == layer.at.path))
    };
    let in_env_file = |layer: &&Layer| view.service.env_files.iter().any(|file| *file.path == *layer.at.path);
    match (found.filter(in_env_file), last) {
        (Some(Layer { at, .. }), _) if at.line.is_some() => {
            let number = at.line.map_or(0, std::num::NonZeroU32::get);
            view.and_take_up(super::mend::replace_line(&at.path, number, &line))
        }
        // What is set in another file is read after the contract's.
        (None, _) if found.is_some_and(|layer| !is_of_unit(layer)) => {
            let at = found.map_or_else(String::new, |layer| layer.at.to_string());
            format!("a person must decide: {at} sets {} after the contract's env files", demand.name)
        }
        (_, Some(path)) => view.and_take_up(super::mend::append(path, &[line])),
        (_, None) => format!("a person must give {} an env file in the contract", view.service.name),
    }
}
