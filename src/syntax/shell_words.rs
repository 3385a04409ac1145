//! Which programs a piece of shell calls: a recipe line, an ops script, the string after `bash -c`.
//!
//! No shell is run and no tree is built. The text is cut into simple commands as POSIX.1-2017 (Shell Command
//! Language, 2.3 to 2.10) says, substitutions and subshells included, and programs that only run another program
//! (`sudo`, `timeout`, `xargs`, `env` …) are looked through. What `echo` prints, what stands in a comment, a
//! heredoc or the pattern of `pgrep` is not a call. Variables stay as written: `$PYTHON` is a program name here.

mod scanner;

/// One program called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program as written, quotes removed. `$(which python3)` as a whole word is `python3`.
    pub program: String,
    /// Its arguments, quotes removed, redirections left out.
    pub args: Vec<String>,
    /// Line of the text, counted from the first line given.
    pub line: u32,
    /// Programs that run it, outermost first: `sudo`, `timeout`, `bash`.
    pub through: Vec<String>,
}

impl Call {
    /// The program's name without its directory.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    /// A python interpreter, wherever it lives: `python`, `python3`, `/usr/bin/python3.11`, `venv/bin/python`.
    pub fn is_python(&self) -> bool {
        self.name().strip_prefix("python").is_some_and(|version| {
            version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !version.starts_with('.')
        })
    }

    /// `python -m venv …`: making a virtual environment is the one thing to do with the system's python.
    pub fn makes_a_venv(&self) -> bool {
        let mut args = self.args.iter().skip_while(|arg| arg.starts_with('-') && *arg != "-m");
        self.is_python()
            && args.next().is_some_and(|arg| arg == "-m")
            && args.next().is_some_and(|arg| arg == "venv")
    }
}

/// How deep substitutions and `-c` strings are followed.
const DEEPEST: usize = 24;

/// How much room the calls of one text may take, in bytes. A script of a person takes a few KiB.
pub const MOST_ROOM: usize = 4 << 20;

/// All calls in `text`, in the order they are written; `first_line` is the number of its first line. Of a text whose
/// calls take more room than [`MOST_ROOM`] only the first are given: whoever takes silence for an answer asks
/// [`calls_within`].
pub fn calls(text: &str, first_line: u32) -> Vec<Call> {
    all(text, first_line, MOST_ROOM).calls
}

/// The same with the room that they take; `None` where that would be more than `room`.
pub fn calls_within(text: &str, first_line: u32, room: usize) -> Option<(Vec<Call>, usize)> {
    let found = all(text, first_line, room);
    (!found.is_cut).then_some((found.calls, room - found.room))
}

fn all(text: &str, first_line: u32, room: usize) -> Found {
    let mut found = Found { calls: Vec::new(), room, is_cut: false };
    scan(text, first_line, 0, &[], &mut found);
    found
}

/// Calls, and how much room is left for more.
struct Found {
    calls: Vec<Call>,
    room: usize,
    is_cut: bool,
}

impl Found {
    /// Whether there is room for a call of these words. Once there is none, nothing more is read.
    fn takes<'w>(&mut self, words: impl Iterator<Item = &'w String>) -> bool {
        // A string of the heap is its bytes and about this much around them.
        const STRING: usize = 48;
        let size = words.map(|word| word.len() + STRING).sum::<usize>() + 2 * STRING;
        self.is_cut |= size > self.room;
        self.room = self.room.saturating_sub(size);
        !self.is_cut
    }
}

fn scan(text: &str, line: u32, depth: usize, through: &[String], found: &mut Found) {
    if depth < DEEPEST {
        scanner::commands(text, line, depth, through, found);
    }
}

#[cfg(test)]
mod tests;
