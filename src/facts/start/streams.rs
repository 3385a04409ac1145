//! What systemd opens for a service before it starts its program: the three standard streams (systemd.exec(5), "LOGGING AND
//! STANDARD INPUT/OUTPUT"), and the files of `OpenFile=` (systemd.service(5)).

use super::simplified;
use crate::systemd::effective::{EffectiveUnit, Setting};

/// The terminal of a service that names none.
const CONSOLE: &str = "/dev/console";

/// The settings of the streams, with the status with which a start ends that cannot open a file or a terminal for them, and
/// the name of the descriptor that `fd` without a name stands for.
const STREAMS: &[(&str, &str, &str)] = &[
    ("StandardInput", "208/STDIN", "stdin"),
    ("StandardOutput", "209/STDOUT", "stdout"),
    ("StandardError", "222/STDERR", "stderr"),
];

/// A descriptor of a service that needs something from outside.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    /// The setting's name.
    pub key: &'static str,
    /// The status with which the start ends where systemd cannot open it.
    pub status: &'static str,
    /// The setting.
    pub setting: &'a Setting,
    /// What it is connected to.
    pub end: StreamEnd,
}

/// What a descriptor leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The file at this path.
    File(String),
    /// The file, directory or socket at this path, which must be there.
    Opened {
        /// The path.
        path: String,
        /// It is opened to be read alone, which goes with a directory as well.
        is_read: bool,
    },
    /// The terminal at this path.
    Terminal(String),
    /// The one descriptor that a socket unit hands over.
    Socket,
    /// The descriptor of this name that a socket unit hands over.
    Descriptor(String),
}

impl StreamEnd {
    /// The path that systemd opens for it.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File(path) | Self::Terminal(path) | Self::Opened { path, .. } => Some(path),
            Self::Socket | Self::Descriptor(_) => None,
        }
    }
}

/// The streams of a unit that are connected to more than the journal, /dev/null or each other, and the files that it is given.
pub fn streams(unit: &EffectiveUnit) -> Vec<Stream<'_>> {
    let terminal = unit.scalar("Service", "TTYPath").map(Setting::value).filter(|path| path.starts_with('/'));
    let stream = |(key, status, descriptor): &(&'static str, &'static str, &str)| {
        let setting = unit.scalar("Service", key)?;
        let end = match setting.value() {
            "tty" | "tty-force" | "tty-fail" => StreamEnd::Terminal(simplified(terminal.unwrap_or(CONSOLE))),
            "socket" => StreamEnd::Socket,
            "fd" => StreamEnd::Descriptor((*descriptor).to_owned()),
            value => match value.strip_prefix("fd:") {
                Some(name) => StreamEnd::Descriptor(name.to_owned()),
                None => StreamEnd::File(file(value)?),
            },
        };
        Some(Stream { key, status, setting, end })
    };
    let files = unit.assignments("Service", "OpenFile").filter_map(opened);
    STREAMS.iter().filter_map(stream).chain(files).collect()
}

/// `OpenFile=path[:fd-name[:option,…]]`, unless the start goes on without it.
fn opened(setting: &Setting) -> Option<Stream<'_>> {
    let mut parts = setting.value().splitn(3, ':');
    let (path, options) = (parts.next()?, parts.nth(1).unwrap_or_default());
    let has = |option: &str| options.split(',').any(|word| word == option);
    let end = StreamEnd::Opened { path: simplified(path), is_read: has("read-only") };
    let stream = Stream { key: "OpenFile", status: "202/FDS", setting, end };
    (path.starts_with('/') && !has("graceful")).then_some(stream)
}

/// Whether the start of a unit needs a descriptor that a socket unit hands over.
pub fn takes_descriptors(unit: &EffectiveUnit) -> bool {
    streams(unit).iter().any(|stream| stream.end.path().is_none())
}

fn file(value: &str) -> Option<String> {
    let path = ["file:", "append:", "truncate:"].iter().find_map(|kind| value.strip_prefix(kind))?;
    path.starts_with('/').then(|| simplified(path))
}
