//! The only place that prints, and only what was made [`Shown`]. A reader that went away (`golden audit | head`) is no
//! error.

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use super::{Color, Failure, Global};
use crate::report::Shown;
use crate::report::human::Style;

/// Columns when the output is no terminal.
const PLAIN_WIDTH: usize = 110;

/// Prints data to stdout.
pub(super) fn print(text: impl Into<Shown>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.into().as_str().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Talks to the person on stderr.
pub(super) fn complain(text: impl Into<Shown>) {
    let _ = writeln!(std::io::stderr(), "golden: {}", text.into());
}

/// Lines for the person on stderr, as they are.
pub(super) fn talk(text: impl Into<Shown>) {
    let _ = std::io::stderr().lock().write_all(text.into().as_str().as_bytes());
}

/// Prints data and ends with the code.
pub(super) fn print_and(text: impl Into<Shown>, code: impl Into<ExitCode>) -> Result<ExitCode, Failure> {
    print(text)?;
    Ok(code.into())
}

/// Writes a file that somebody named: the old one or the new one, whatever happens. A link to a file in its place is
/// replaced, never followed; what is no file stays as it is.
pub(super) fn file(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}", path.display()));
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        let what = "it is there, and is not a regular file";
        return Err(Failure::new(format!("{} is not replaced: {what}", path.display()))
            .hint("give the name of a file; what is printed on stdout can go anywhere"));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut out =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(cannot)?;
    let written = out.write_all(text.as_bytes()).and_then(|()| out.sync_all());
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        cannot(error)
    })
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
