//! What a duty permits, and whether one permits less than another.

use jiff::civil::Date;

use crate::contract::words::lies_under;
use crate::contract::{Form, VariableForm};

/// What a duty permits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// The existence of a service, a place …
    Whole,
    /// Nothing but this.
    Exactly(String),
    /// A setting; with systemd's default where it is not stated, or not.
    Setting(Form, bool),
    /// A variable.
    Variable(VariableForm),
    /// At most these permission bits.
    Bits(u32),
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
    /// Not later than this day.
    Until(Date),
    /// All of these.
    All(Vec<String>),
    /// Any of these.
    Any(Vec<String>),
    /// Demanded when true.
    Flag(bool),
}

impl Shape {
    /// Whether everything that this permits is permitted by `other`.
    pub(crate) fn within(&self, other: &Shape) -> bool {
        match (self, other) {
            (Shape::Whole, Shape::Whole) => true,
            (Shape::Exactly(a), Shape::Exactly(b)) => a == b,
            (Shape::Setting(a, by_default), Shape::Setting(b, default_too)) => {
                (!by_default || *default_too) && setting_within(a, b)
            }
            (Shape::Variable(a), Shape::Variable(b)) => variable_within(a, b),
            (Shape::Bits(a), Shape::Bits(b)) => a & !b == 0,
            (Shape::AtLeast(a), Shape::AtLeast(b)) => a >= b,
            (Shape::AtMost(a), Shape::AtMost(b)) => a <= b,
            (Shape::Until(a), Shape::Until(b)) => a <= b,
            (Shape::All(a), Shape::All(b)) => holds_all(a, b),
            (Shape::Any(a), Shape::Any(b)) => holds_all(b, a),
            (Shape::Flag(a), Shape::Flag(b)) => *a || !b,
            _ => false,
        }
    }
}

fn holds_all<T: AsRef<str>>(all: &[T], wanted: &[String]) -> bool {
    wanted.iter().all(|word| all.iter().any(|other| other.as_ref() == word))
}

fn words(value: &str) -> Vec<&str> {
    value.split_whitespace().collect()
}

/// Values are compared as they are written: what systemd makes of them is the audit's business.
fn setting_within(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Absent, Form::Absent) => true,
        (Form::Absent, _) | (_, Form::Absent) => false,
        (_, Form::Present) => true,
        (Form::Present, _) => false,
        (Form::Equals(a), Form::Equals(b)) => a == b,
        (Form::Equals(a), Form::OneOf(b)) => b.contains(a),
        (Form::Equals(a), Form::Contains(b)) => holds_all(&words(a), b),
        (Form::OneOf(a), Form::Equals(b)) => a.iter().all(|value| value == b),
        (Form::OneOf(a), Form::OneOf(b)) => holds_all(b, a),
        (Form::OneOf(a), Form::Contains(b)) => a.iter().all(|value| holds_all(&words(value), b)),
        (Form::Contains(a), Form::Contains(b)) => holds_all(a, b),
        (Form::Contains(_), Form::Equals(_) | Form::OneOf(_)) => false,
    }
}

fn variable_within(a: &VariableForm, b: &VariableForm) -> bool {
    match (a, b) {
        (VariableForm::Absent, VariableForm::Absent) => true,
        (VariableForm::Absent, _) | (_, VariableForm::Absent) => false,
        (_, VariableForm::Present) => true,
        (VariableForm::Equals(value), _) => b.accepts(value),
        (VariableForm::OneOf(values), _) => values.iter().all(|value| b.accepts(value)),
        (VariableForm::Path { .. }, VariableForm::Path { under: None }) => true,
        (VariableForm::Path { under: Some(a) }, VariableForm::Path { under: Some(b) }) => lies_under(a, b),
        (VariableForm::Integer { min, max }, VariableForm::Integer { min: least, max: most }) => {
            min >= least && max <= most
        }
        (VariableForm::Path { .. } | VariableForm::Integer { .. } | VariableForm::Present, _) => false,
    }
}
