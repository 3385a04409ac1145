//! The only place that prints. A reader that went away (`golden audit | head`) is no error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use super::{Color, Failure, Global};
use crate::report::human::Style;

/// Columns when the output is no terminal.
const PLAIN_WIDTH: usize = 110;

/// Prints data to stdout.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Talks to the person on stderr.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "golden: {text}");
}

/// Lines for the person on stderr, as they are.
pub(super) fn talk(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints data and ends with the code.
pub(super) fn print_and(text: &str, code: impl Into<ExitCode>) -> Result<ExitCode, Failure> {
    print(text)?;
    Ok(code.into())
}

/// How the human report is to be written on stdout.
pub(super) fn style(global: &Global) -> Style {
    style_on(global, std::io::stdout().is_terminal())
}

/// How to write to the person on stderr.
pub(super) fn style_of_talk(global: &Global) -> Style {
    style_on(global, std::io::stderr().is_terminal())
}

fn style_on(global: &Global, terminal: bool) -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style {
        color: match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        },
        verbose: global.verbose,
        quiet: global.quiet,
        width: if terminal { columns().unwrap_or(PLAIN_WIDTH) } else { PLAIN_WIDTH },
    }
}

fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col >= 40).then_some(usize::from(size.ws_col))
}
