//! An error of a contract: where, what, and the way out of it.

use std::fmt;

use crate::model::{Location, visible};
use crate::syntax::secret_shape;
use crate::syntax::secret_text::{self, Kind};

/// Something wrong with a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractError {
    /// Where it stands.
    pub at: Location,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write instead.
    pub way_out: String,
    /// How many characters of the line it concerns, at least one.
    pub width: u32,
}

/// The longest piece of a source line that is shown.
const SHOWN: usize = 120;

impl ContractError {
    /// The error as a person reads it: the message, the line of `source_text` (the text of the file that
    /// [`at`](Self::at) names) with a mark under the offence, and the way out. Plain text.
    pub fn render(&self, source_text: &str) -> String {
        let mut out = format!("error: {}\n", visible(&self.message));
        let number = self.at.line_number().unwrap_or(0);
        let gutter = number.to_string().len();
        out.push_str(&format!("{:gutter$}--> {}\n", "", visible(&self.at.to_string())));
        let line = (number > 0).then(|| source_text.lines().nth(number as usize - 1)).flatten();
        if let Some(line) = line {
            let (shown, mark) = self.cut(line);
            out.push_str(&format!("{:gutter$} |\n{number} | {shown}\n{:gutter$} | {mark}\n", "", ""));
        }
        if !self.way_out.is_empty() {
            out.push_str(&format!("{:gutter$} = help: {}\n", "", visible(&self.way_out)));
        }
        out
    }

    /// The piece of the line around the offence and the marks below it. Control characters are replaced:
    /// what a file holds must not steer a terminal.
    fn cut(&self, line: &str) -> (String, String) {
        let column = self.at.column_number().unwrap_or(1) as usize - 1;
        let skip = if column < SHOWN { 0 } else { column - SHOWN / 2 };
        let clean = |c: char| match c {
            '\t' => c,
            c if c.is_control() || visible(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() => '\u{fffd}',
            c => c,
        };
        let line = without_secrets(line);
        let shown: String = line.chars().skip(skip).take(SHOWN).map(clean).collect();
        let before = column - skip;
        let room = shown.chars().count().saturating_sub(before).max(1);
        let mut mark: String =
            shown.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        mark.extend(std::iter::repeat_n('^', (self.width.max(1) as usize).min(room)));
        (shown, mark)
    }
}

/// A line with a star for each character of a secret, so that the mark below it stays where it is.
fn without_secrets(line: &str) -> String {
    let spans = secret_text::spans(Kind::Other, line, &secret_shape::is_secret_by_name);
    secret_text::replaced(line, &spans, &|secret| "*".repeat(secret.chars().count()))
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", visible(&self.at.to_string()), visible(&self.message))
    }
}

impl std::error::Error for ContractError {}
