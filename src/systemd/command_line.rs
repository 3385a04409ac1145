//! `ExecStart=` and its kin as systemd reads them (systemd.service(5), "COMMAND LINES").
//!
//! A value may hold several commands; each has prefixes, a program and words. Specifiers are expanded word by
//! word after splitting, so a caller passes a closure for them. Variables are expanded at start, by
//! [`expand_arguments`]. There is no shell.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::syntax::words::{Strictness, WordError, Words};

/// Expands the specifiers of one word; an error is the text systemd would complain with.
pub type Specifiers<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// All commands of one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// Commands in the order they run. Those before an error are loaded all the same.
    pub commands: Vec<Command>,
    /// Why reading stopped before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CommandError>,
    /// The value is empty: it clears the commands of earlier lines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resets: bool,
}

/// One command to execute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The special characters before the program.
    #[serde(default)]
    pub prefixes: Prefixes,
    /// The program: an absolute path, simplified (`/a//b/.` is `/a/b`), or a bare name that systemd looks up
    /// in its fixed search path. Variables are not expanded in it.
    pub program: String,
    /// The first argument the program sees, which is the program as written unless `@` names another.
    pub argv0: String,
    /// The arguments after it, specifiers expanded, variables not.
    pub words: Vec<String>,
    /// Words with an escape that systemd does not know and left as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_escapes: Vec<String>,
}

/// The special characters before a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes {
    /// `-`: a failing exit counts as success.
    #[serde(default)]
    pub ignore_failure: bool,
    /// `@`: the word after the program is `argv[0]`.
    #[serde(default)]
    pub argv0_override: bool,
    /// `:`: variables are not expanded.
    #[serde(default)]
    pub no_expand: bool,
    /// `|`: a shell runs the command, of a systemd that knows the prefix.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shell: bool,
    /// `+`, `!`, `!!`
    #[serde(default)]
    pub privileges: Privileges,
}

/// Which of the unit's restrictions a command escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Privileges {
    /// None: `User=`, sandbox and capabilities apply.
    #[default]
    None,
    /// `+`: full privileges; neither user nor sandbox apply.
    Full,
    /// `!`: the sandbox applies, systemd does not change the user.
    NoSetuid,
    /// `!!`: as `!` only where the kernel lacks ambient capabilities; on current kernels no exemption.
    AmbientMagic,
}

/// Why a command cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandError {
    /// What is wrong.
    pub why: CommandFault,
    /// The unit does not load ("bad-setting"). Otherwise systemd warns and leaves the command out, because of
    /// its `-` prefix or because not even its first word could be read.
    pub refuses_unit: bool,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandFault {
    /// A quote is not closed.
    #[error("unbalanced quotes")]
    UnbalancedQuotes,
    /// Prefixes without a program.
    #[error("no program after the prefixes")]
    EmptyProgram,
    /// Control characters, quotes or backslashes in the program's path.
    #[error("the program {0:?} contains special characters")]
    UnsafeProgram(String),
    /// The program's path ends in a slash.
    #[error("the program {0:?} is a directory")]
    Directory(String),
    /// `./x`, `a/b`, or a path or name longer than a file system takes.
    #[error("the program {0:?} is neither an absolute path nor a bare name")]
    NotAbsolute(String),
    /// `@` without a word for `argv[0]`.
    #[error("no argv[0] after a program with the @ prefix")]
    NoArgv0,
    /// A specifier that systemd does not know.
    #[error("{word:?}: {message}")]
    Specifier {
        /// The word it stands in.
        word: String,
        /// What the expansion said.
        message: String,
    },
}

/// Reads a value, leaving specifiers as they stand.
pub fn parse(value: &str) -> CommandLine {
    parse_with(value, &|word| Ok(word.to_owned()))
}

/// Reads a value and expands specifiers word by word.
pub fn parse_with(value: &str, specifiers: Specifiers<'_>) -> CommandLine {
    let mut words = Words::new(value, Strictness::EXEC);
    let mut line = CommandLine { resets: words.rest().is_empty(), ..CommandLine::default() };
    loop {
        match parse_command(&mut words, specifiers) {
            Ok(Step::Command(command)) => line.commands.push(command),
            Ok(Step::Separator) => {}
            Ok(Step::End) => return line,
            Err(error) => {
                line.error = Some(error);
                return line;
            }
        }
    }
}

enum Step {
    Command(Command),
    Separator,
    End,
}

fn parse_command(words: &mut Words<'_>, specifiers: Specifiers<'_>) -> Result<Step, CommandError> {
    let first = match words.next_word() {
        Ok(None) => return Ok(Step::End),
        Ok(Some(word)) if word.text == ";" => return Ok(Step::Separator),
        Ok(Some(word)) => word,
        Err(error) => return Err(CommandError { why: error.into(), refuses_unit: false }),
    };
    let (prefixes, program) = split_prefixes(&first.text);
    let refuse = |why| CommandError { why, refuses_unit: !prefixes.ignore_failure };
    let as_written = expand(specifiers, program).map_err(refuse)?;
    check_program(&as_written).map_err(refuse)?;
    let mut command = Command {
        prefixes,
        program: simplify(&as_written),
        argv0: as_written,
        words: Vec::new(),
        unknown_escapes: Vec::new(),
    };
    if first.unknown_escape {
        command.unknown_escapes.push(first.text);
    }
    read_arguments(words, specifiers, &mut command).map_err(refuse)?;
    if prefixes.argv0_override {
        if command.words.is_empty() {
            return Err(refuse(CommandFault::NoArgv0));
        }
        command.argv0 = command.words.remove(0);
    }
    Ok(Step::Command(command))
}

fn read_arguments(
    words: &mut Words<'_>,
    specifiers: Specifiers<'_>,
    command: &mut Command,
) -> Result<(), CommandFault> {
    loop {
        if words.skip_token(";") {
            return Ok(());
        }
        if words.skip_token("\\;") {
            command.words.push(";".to_owned());
            continue;
        }
        let Some(word) = words.next_word()? else { return Ok(()) };
        command.words.push(expand(specifiers, &word.text)?);
        if word.unknown_escape {
            command.unknown_escapes.push(word.text);
        }
    }
}

fn expand(specifiers: Specifiers<'_>, word: &str) -> Result<String, CommandFault> {
    specifiers(word).map_err(|message| CommandFault::Specifier { word: word.to_owned(), message })
}

/// Takes the prefixes off a first word. A prefix that may not come (again) begins the program.
fn split_prefixes(word: &str) -> (Prefixes, &str) {
    let mut prefixes = Prefixes::default();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        match (first, prefixes.privileges) {
            ('-', _) if !prefixes.ignore_failure => prefixes.ignore_failure = true,
            ('@', _) if !prefixes.argv0_override => prefixes.argv0_override = true,
            (':', _) if !prefixes.no_expand => prefixes.no_expand = true,
            ('|', _) if !prefixes.shell => prefixes.shell = true,
            ('+', Privileges::None) => prefixes.privileges = Privileges::Full,
            ('!', Privileges::None) => prefixes.privileges = Privileges::NoSetuid,
            ('!', Privileges::NoSetuid) => prefixes.privileges = Privileges::AmbientMagic,
            _ => break,
        }
        rest = &rest[1..];
    }
    (prefixes, rest)
}

fn check_program(program: &str) -> Result<(), CommandFault> {
    let unsafe_character = |c: char| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\');
    if program.is_empty() {
        Err(CommandFault::EmptyProgram)
    } else if program.contains(unsafe_character) {
        Err(CommandFault::UnsafeProgram(program.to_owned()))
    } else if program.ends_with('/') {
        Err(CommandFault::Directory(program.to_owned()))
    } else if is_absolute_program(program) || is_bare_name(program) {
        Ok(())
    } else {
        Err(CommandFault::NotAbsolute(program.to_owned()))
    }
}

/// `path_is_valid`: components of at most 255 bytes, a whole of less than 4096.
fn is_absolute_program(program: &str) -> bool {
    program.starts_with('/') && program.len() < 4096 && program.split('/').all(|part| part.len() <= 255)
}

/// `filename_is_valid`
fn is_bare_name(program: &str) -> bool {
    !program.contains('/') && program.len() <= 255 && program != "." && program != ".."
}

/// `path_simplify`: repeated slashes and `.` components vanish, `..` stays.
fn simplify(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let simple = parts.fold(String::with_capacity(path.len()), |all, part| all + "/" + part);
    if simple.is_empty() { "/".to_owned() } else { simple }
}

/// The arguments a program receives after `argv[0]`, with variables looked up in `environment`.
///
/// `$VAR` as a word of its own is split at blanks, `${VAR}` is one argument or a part of one, `$$` is a
/// dollar sign; everything else stays as it is.
pub fn expand_arguments(command: &Command, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    if command.prefixes.no_expand {
        return command.words.clone();
    }
    let mut arguments = Vec::with_capacity(command.words.len());
    for word in &command.words {
        match word.strip_prefix('$') {
            Some(name) if !name.starts_with(['{', '$']) => {
                arguments.extend(split_value(&environment(name).unwrap_or_default()));
            }
            _ => arguments.push(expand_braces(word, environment)),
        }
    }
    arguments
}

fn split_value(value: &str) -> Vec<String> {
    let mut words = Words::new(value, Strictness::VARIABLE);
    let mut all = Vec::new();
    while let Ok(Some(word)) = words.next_word() {
        all.push(word.text);
    }
    all
}

/// `replace_env`: `${NAME}` and `$$`. A `:` inside the braces makes it plain text, since only environment
/// generators know `${NAME:-default}`.
fn expand_braces(word: &str, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after_second) = after.strip_prefix('$') {
            result.push('$');
            rest = after_second;
            continue;
        }
        let name = after.strip_prefix('{').and_then(|text| Some(&text[..text.find(['}', ':'])?]));
        match name {
            Some(name) if after[1 + name.len()..].starts_with('}') => {
                result.push_str(&environment(name).unwrap_or_default());
                rest = &after[name.len() + 2..];
            }
            // An unfinished `${` swallows nothing: all of it stays, `$` included.
            None if after.starts_with('{') => {
                result.push('$');
                result.push_str(after);
                return result;
            }
            Some(name) => {
                let kept = 1 + name.len() + 1;
                result.push('$');
                result.push_str(&after[..kept]);
                rest = &after[kept..];
            }
            None => {
                // systemd has looked at the character after `$`, so that it cannot begin anything.
                let kept = after.chars().next().map_or(0, char::len_utf8);
                result.push('$');
                result.push_str(&after[..kept]);
                rest = &after[kept..];
            }
        }
    }
    result.push_str(rest);
    result
}

impl From<WordError> for CommandFault {
    fn from(_: WordError) -> Self {
        // With unknown escapes kept, an open quote is the only error left.
        Self::UnbalancedQuotes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(value: &str) -> Vec<Vec<String>> {
        let line = parse(value);
        assert_eq!(line.error, None, "{value}");
        line.commands.into_iter().map(|c| [vec![c.program], c.words].concat()).collect()
    }

    fn fault(value: &str) -> CommandError {
        parse(value).error.unwrap_or_else(|| panic!("{value} should be refused"))
    }

    #[test]
    fn semicolons_separate_only_as_words_of_their_own() {
        assert_eq!(commands("/bin/a x ; /bin/b"), [vec!["/bin/a", "x"], vec!["/bin/b"]]);
        assert_eq!(commands("/bin/a x;y \\; ;c z; \";\" ;"), [vec!["/bin/a", "x;y", ";", ";c", "z;", ";"]]);
        assert_eq!(commands("; /bin/a ; ; /bin/b ;"), [["/bin/a"], ["/bin/b"]]);
    }

    #[test]
    fn prefixes_combine() {
        let first = |value| parse(value).commands.remove(0);
        let command = first("-+:/bin/a");
        assert!(command.prefixes.ignore_failure && command.prefixes.no_expand);
        assert_eq!(command.prefixes.privileges, Privileges::Full);
        assert_eq!(first("!!/bin/a").prefixes.privileges, Privileges::AmbientMagic);
        assert_eq!(first("!/bin/a").prefixes.privileges, Privileges::NoSetuid);
        let command = first("@/bin/a zero one");
        assert_eq!((command.argv0.as_str(), command.words.as_slice()), ("zero", &["one".to_owned()][..]));
        assert_eq!(fault("--/bin/a").why, CommandFault::NotAbsolute("-/bin/a".into()));
    }

    #[test]
    fn errors_refuse_the_unit_unless_failure_is_ignored() {
        assert_eq!(
            fault("/bin/a 'x"),
            CommandError { why: CommandFault::UnbalancedQuotes, refuses_unit: true }
        );
        assert!(!fault("-/bin/a 'x").refuses_unit);
        assert!(!fault("'/bin/a").refuses_unit);
        assert_eq!(fault("-").why, CommandFault::EmptyProgram);
        assert_eq!(fault("./a").why, CommandFault::NotAbsolute("./a".into()));
        assert_eq!(fault("/bin/").why, CommandFault::Directory("/bin/".into()));
        assert_eq!(fault("@/bin/a").why, CommandFault::NoArgv0);
        let line = parse("/bin/a ; /bin/b 'x");
        assert_eq!(line.commands.len(), 1, "what stood before the error is loaded");
    }

    #[test]
    fn the_program_is_simplified_and_may_be_a_bare_name() {
        assert_eq!(commands("/usr//bin/./a"), [["/usr/bin/a"]]);
        assert_eq!(commands("\"sleep\" 1"), [["sleep", "1"]]);
        assert!(parse("  ").resets && !parse("/a").resets);
    }

    #[test]
    fn specifiers_are_expanded_after_splitting() {
        let line = parse_with("/opt/%p/x a%p", &|word| Ok(word.replace("%p", "b c")));
        assert_eq!(
            (line.commands[0].program.as_str(), line.commands[0].words[0].as_str()),
            ("/opt/b c/x", "ab c")
        );
        let line = parse_with("/bin/a %Z", &|_| Err("unknown specifier".into()));
        assert!(line.error.is_some_and(|error| error.refuses_unit));
    }

    #[test]
    fn variables() {
        let expand = |value: &str| {
            let environment = |name: &str| match name {
                "A" => Some("one two".to_owned()),
                "Q" => Some("'x y' z\\ w".to_owned()),
                _ => None,
            };
            expand_arguments(&parse(value).commands[0], &environment)
        };
        assert_eq!(expand("/x $A ${A} pre$A a${A}b"), ["one", "two", "one two", "pre$A", "aone twob"]);
        assert_eq!(expand("/x $Q $NONE ${NONE} $"), ["x y", "z w", ""]);
        assert_eq!(expand("/x $$A $$ a$$b ${A:-x}y${A} ${A"), ["$A", "$", "a$b", "${A:-x}yone two", "${A"]);
        assert_eq!(expand(":/x $A ${A}"), ["$A", "${A}"]);
    }
}
