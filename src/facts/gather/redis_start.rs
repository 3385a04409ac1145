//! The configuration that the unit of a Redis really starts with: the file it names, what that includes, and the options
//! behind it, which count for more.

use super::room::Room;
use super::{Pad, Worker};
use crate::contract::Dependency;
use crate::facts::environment::{self, EnvFileFacts, EnvFiles};
use crate::model::answers::RedisAnswer;
use crate::model::{Location, Observed};
use crate::syntax::redis_conf::{self, RedisConf, Refusal};
use crate::syntax::{env_file, glob};
use crate::systemd::command_line::{self, expand_arguments};
use crate::systemd::effective::{EffectiveUnit, LoadState};

/// Where Debian and most others keep it, when neither the server nor its unit says.
pub(super) const USUAL_CONFIG: &str = "/etc/redis/redis.conf";

/// Programs that read a configuration of Redis.
const SERVERS: &[&str] = &["redis-server", "valkey-server", "keydb-server"];

/// The file that a running server says it was started with.
pub(super) fn said(answer: &Observed<RedisAnswer>) -> Option<&str> {
    match answer {
        Observed::Found(RedisAnswer { config_file: Observed::Found(path), .. }) if !path.is_empty() => {
            Some(path)
        }
        _ => None,
    }
}

/// How a unit starts its server.
struct Start {
    /// The file that it names.
    file: Option<String>,
    /// The options behind it.
    options: RedisConf,
    /// The line of the unit.
    at: Location,
}

/// What a server starts with.
pub(super) struct Written {
    /// Its configuration file.
    pub(super) file: String,
    /// What counts of its configuration.
    pub(super) conf: Observed<RedisConf>,
    /// What it does not start with; only of a file that its unit names.
    pub(super) refusals: Vec<Refusal>,
}

/// Where nobody asks for its files.
pub(super) fn not_read(answer: &Observed<RedisAnswer>) -> Written {
    let file = said(answer).unwrap_or(USUAL_CONFIG).to_owned();
    Written { file, conf: Observed::Absent, refusals: Vec::new() }
}

/// The file of a dependency's server, and what counts of its configuration.
pub(super) fn written(
    worker: &Worker<'_>,
    dependency: &Dependency,
    answer: &Observed<RedisAnswer>,
    pad: &Pad,
) -> Written {
    let start = start(worker, dependency, pad);
    let (file, start) = match (said(answer), start) {
        (Some(said), Ok(Some(start))) if start.file.as_deref() == Some(said) => {
            (Some(said.to_owned()), Some(start))
        }
        (Some(said), _) => (Some(said.to_owned()), None),
        (None, Err(why)) => {
            let (file, conf) = (USUAL_CONFIG.to_owned(), Observed::Unreadable(why));
            return Written { file, conf, refusals: Vec::new() };
        }
        (None, Ok(None)) => (Some(USUAL_CONFIG.to_owned()), None),
        (None, Ok(Some(start))) => (start.file.clone(), Some(start)),
    };
    let mut reading = Reading { worker, room: Room::of_a_service(), refusals: Vec::new() };
    let mut conf = match &file {
        Some(file) => reading.config(file, 0),
        // It starts with what it has by itself.
        None => Observed::Found(RedisConf::default()),
    };
    let place = start.as_ref().map(|start| start.at.path().to_string());
    let mut refusals = reading.refusals;
    match start {
        None => refusals.clear(),
        Some(start) => {
            let line = start.at.line_number().unwrap_or(0);
            if let (Observed::Absent, Some(file)) = (&conf, &file) {
                let (why, file) = (format!("{file} does not exist"), start.at.path().into());
                refusals.push(Refusal { why, file, line });
            }
            if let Observed::Found(conf) = &mut conf {
                conf.directives.extend(start.options.directives.into_iter().map(|mut directive| {
                    directive.line = line;
                    directive.included_from = Some(start.at.path().into());
                    directive
                }));
            }
        }
    }
    let file = file.or(place).unwrap_or_else(|| USUAL_CONFIG.to_owned());
    Written { file, conf, refusals }
}

/// How the unit of a dependency starts; `None` where there is no unit that loads, which other rules report. An error
/// says why it is not known.
fn start(worker: &Worker<'_>, dependency: &Dependency, pad: &Pad) -> Result<Option<Start>, String> {
    let unit = dependency.unit.as_ref().and_then(|name| pad.units.get(name.value.as_str()));
    let unit = match unit.map(|unit| &unit.effective) {
        Some(Observed::Found(unit)) => unit,
        Some(Observed::Unreadable(why)) => return Err(why.clone()),
        Some(Observed::Absent) | None => return Ok(None),
    };
    let Some(setting) = unit.scalar("Service", "ExecStart").filter(|_| unit.load == LoadState::Loaded) else {
        return Ok(None);
    };
    let Some(command) = command_line::parse(setting.value()).commands.pop() else { return Ok(None) };
    let program = command.program.rsplit('/').next().unwrap_or_default();
    if !SERVERS.contains(&program) {
        let name = &unit.name;
        return Err(format!(
            "{name} starts {}, and which configuration that uses is not known",
            command.program
        ));
    }
    let env_files = env_files(worker, unit);
    let values = environment::all(&env_files, unit).map_err(|undecided| undecided.why)?;
    let value = |name: &str| Some(values.get(name)?.last()?.value.clone());
    let words = expand_arguments(&command, &value);
    let (file, options) = redis_conf::parse_arguments(&words)
        .ok_or_else(|| format!("{} reads its configuration from its input", unit.name))?;
    let directory = unit.scalar("Service", "WorkingDirectory").map_or("/", |setting| setting.value());
    let file = file.map(|file| match file.starts_with('/') {
        true => file.to_owned(),
        false => format!("{}/{file}", directory.trim_start_matches('-').trim_end_matches('/')),
    });
    Ok(Some(Start { file, options, at: setting.at.clone() }))
}

/// What stands in the env files of the unit. They are read for its command line alone and kept in no fact.
fn env_files(worker: &Worker<'_>, unit: &EffectiveUnit) -> EnvFiles {
    let mut room = Room::of_a_service();
    let mut look = |path: &str| {
        let bytes = worker.read_within(&worker.walker.lookup(path), &mut room);
        bytes.map(|bytes| EnvFileFacts {
            read: env_file::parse(&bytes, worker.ground.version.0),
            shell: Vec::new(),
        })
    };
    environment::files_of(unit)
        .into_iter()
        .map(|file| (file.path.as_str().into(), look(&file.path)))
        .collect()
}

/// The files that an `include` names. With a pattern in its last part it is all of them in their order (glob(3), since
/// Redis 7); none is no error then.
fn matching(worker: &Worker<'_>, include: &str) -> Result<Vec<String>, String> {
    let is_pattern = |text: &str| text.contains(['*', '?', '[']);
    if !include.starts_with('/') {
        return Err("it is not known what it is relative to".to_owned());
    }
    if !is_pattern(include) {
        return Ok(vec![include.to_owned()]);
    }
    let Some((directory, pattern)) = include.rsplit_once('/').filter(|(directory, _)| !is_pattern(directory))
    else {
        return Err("a pattern for directories is not looked at".to_owned());
    };
    match worker.list(&worker.walker.lookup(directory)) {
        Observed::Found(names) => {
            let names = names.iter().filter(|name| glob::matches_name(pattern, name));
            Ok(names.map(|name| format!("{directory}/{name}")).collect())
        }
        Observed::Absent => Ok(Vec::new()),
        Observed::Unreadable(why) => Err(format!("{directory}: {why}")),
    }
}

/// Redis itself stops at this many nested includes.
const DEEPEST: u32 = 16;

/// A configuration on its way in.
struct Reading<'w, 'a> {
    worker: &'w Worker<'a>,
    room: Room,
    refusals: Vec<Refusal>,
}

impl Reading<'_, '_> {
    /// Reads a configuration with what it includes. The server itself names the file, so a text that is no configuration
    /// of Redis is not taken over: it could be anybody's file.
    fn config(&mut self, path: &str, depth: u32) -> Observed<RedisConf> {
        let mut conf = match self.worker.read_within(&self.worker.walker.lookup(path), &mut self.room) {
            Observed::Found(bytes) => redis_conf::parse(&bytes),
            Observed::Absent => return Observed::Absent,
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        };
        let is_name =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if conf.directives.iter().any(|directive| !is_name(&directive.name)) {
            return Observed::Unreadable(format!("{path} is not a configuration of Redis"));
        }
        let unbalanced = |line: &u32| Refusal {
            why: "its quotes are not balanced".to_owned(),
            file: path.into(),
            line: *line,
        };
        self.refusals.extend(conf.unbalanced.iter().map(unbalanced));
        let includes: Vec<(usize, u32, String)> = conf
            .includes()
            .filter_map(|(at, directive)| Some((at, directive.line, directive.arguments.first()?.clone())))
            .collect();
        // From the last to the first, so that positions before it stay true.
        for (at, line, include) in includes.into_iter().rev() {
            match self.included((path, line), &include, depth) {
                Observed::Found(all) => conf.splice(at, &include, all),
                Observed::Absent => {}
                Observed::Unreadable(why) => return Observed::Unreadable(why),
            }
        }
        Observed::Found(conf)
    }

    /// What an `include` brings. A file that it names must be there: "Fatal error, can't open config file" (Redis).
    fn included(&mut self, (path, line): (&str, u32), include: &str, depth: u32) -> Observed<RedisConf> {
        if depth == DEEPEST {
            return Observed::Unreadable(format!("{path}: includes are nested too deeply"));
        }
        let mut all = RedisConf::default();
        let named = match self.room.file().and_then(|()| matching(self.worker, include)) {
            Ok(paths) => paths,
            Err(why) => return Observed::Unreadable(format!("{path}: include {include}: {why}")),
        };
        for named in named {
            match self.config(&named, depth + 1) {
                Observed::Found(mut included) => {
                    for directive in &mut included.directives {
                        directive.included_from.get_or_insert_with(|| named.as_str().into());
                    }
                    all.directives.extend(included.directives);
                }
                Observed::Absent => {
                    let why = format!("{named}, which is included, does not exist");
                    self.refusals.push(Refusal { why, file: path.into(), line });
                }
                Observed::Unreadable(why) => return Observed::Unreadable(why),
            }
        }
        Observed::Found(all)
    }
}
