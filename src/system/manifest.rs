//! A test host as text. One manifest builds a host in memory and, written to a directory by root, a real
//! one; a block of it changes a host that is already there. The directives, one a line:
//!
//! ```text
//! dir PATH OWNER:GROUP MODE            file PATH OWNER:GROUP MODE      lines that start with "| " follow
//! link PATH -> TARGET                  data PATH OWNER:GROUP MODE      the same, with C escapes read
//! elf PATH OWNER:GROUP MODE            a program of this machine       database PATH OWNER:GROUP MODE
//!     needs=a,b soname=a rpath=DIR runpath=DIR machine=N   with a dynamic section, or of another machine
//! loader PATH OWNER:GROUP MODE         a static one, as loaders are
//! owner PATH OWNER:GROUP               mode PATH MODE                  modified PATH SECONDS
//! remove PATH                          unreadable PATH WHY             move PATH -> PATH
//! closed PATH WHY                      its owner and mode are seen, its content or its names are not
//! acl PATH                             it has an access control list
//! replace PATH                         "- old" and "+ new" lines follow; "+" alone appends
//! getent DATABASE [LINE]                what the name service knows beside the files
//! value UNIT KEY TEXT                  what the manager has in force of a setting
//! unit NAME Property=value …           process PID exe=PATH uid=N gid=N cwd=PATH sockets=1,2
//! environ PID [FILE]                   what it was started with: the variables of this file as it is now, or those that
//!                                      it has, changed by the lines that follow: `| NAME=value`, or `| NAME` (not set)
//! environ-silent PID WHY
//! listen ADDRESS PORT INODE            redis ADDRESS PING name=value … redis-silent ADDRESS WHY
//! server ADDRESS is|says|silent WORDS
//! python VENV version=3.11.2 prefix=PATH uid=N missing=a,b exit=N signal=N seconds=N refused=WHY says=nothing
//!                                      what becomes of it when it is run; "| " lines are its complaint
//! python-silent VENV WHY               it cannot be run
//! stream KEY COUNT age=SECONDS MODEL=ACTIONS@LOW..HIGH …   one event a second, the newest so old; ACTIONS are `BUY,SELL*2`
//! event KEY AGE                        one more event, so many seconds old; "| name value" lines follow
//! stream-silent KEY WHY                stream-gone KEY
//! no-bus WHY                           file-system PREFIX TYPE         sqlite PATH TEXT
//! now SECONDS                          caller UID                      offline
//! ```
//!
//! Missing parents are made as `root:root 0755`. Owners are names of the manifest's own `/etc/passwd` and
//! `/etc/group`, or numbers. Lines that start with `#` are comments.

mod elf;
mod servers;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::memory::{Answers, MemoryNode, MemorySystem, Owned};
use crate::model::Observed;
use crate::model::answers::{Listener, Process, PythonAnswer, PythonEnd, PythonSaid, UnitState};

/// Changes `host` as the manifest says; an error names the manifest's line.
pub fn apply(host: &mut MemorySystem, manifest: &str) -> Result<(), String> {
    let mut lines = manifest.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let line = line.trim_end();
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut body = Vec::new();
        while let Some((_, next)) = lines.next_if(|(_, next)| is_body(next)) {
            body.push(next.to_owned());
        }
        directive(host, line, &body).map_err(|why| format!("manifest line {}: {line}: {why}", at + 1))?;
    }
    Ok(())
}

fn is_body(line: &str) -> bool {
    ["| ", "- ", "+ "].iter().any(|mark| line.starts_with(mark)) || matches!(line, "|" | "-" | "+")
}

fn directive(host: &mut MemorySystem, line: &str, body: &[String]) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let path = words.first().copied().unwrap_or("");
    let second = words.get(1).copied().unwrap_or("");
    match word {
        "dir" => add(host, &words, MemoryNode::Directory),
        "file" => add(host, &words, MemoryNode::File(text_of(body).into_bytes().into())),
        "data" => add(host, &words, MemoryNode::File(unescape(text_of(body).trim_end_matches('\n')).into())),
        "elf" => {
            let (place, asked) = words.split_at(words.len().min(3));
            let bytes = if asked.is_empty() { elf(1) } else { elf::dynamic(&pairs(asked)?)? };
            add(host, place, MemoryNode::File(bytes.into()))
        }
        "loader" => add(host, &words, MemoryNode::File(elf(0).into())),
        "database" => add(host, &words, MemoryNode::File(database().into())),
        "link" => {
            let (path, target) = arrow(rest)?;
            insert(host, path, MemoryNode::Link(target.into()), (0, 0), 0o777);
            Ok(())
        }
        "unreadable" => {
            let why = rest.split_once(' ').map_or("permission denied", |(_, why)| why);
            insert(host, path, MemoryNode::Unreadable(why.into()), (0, 0), 0);
            Ok(())
        }
        "closed" => {
            let why = rest.split_once(' ').map_or("permission denied", |(_, why)| why);
            existing(host, path)?;
            host.closed.insert(path.into(), why.into());
            Ok(())
        }
        "acl" => existing(host, path).map(drop).map(|()| host.access_lists.extend([path.to_owned()])),
        "owner" => {
            let (uid, gid) = owner(host, second)?;
            let node = existing(host, path)?;
            (node.uid, node.gid) = (uid, gid);
            Ok(())
        }
        "mode" => octal(second).and_then(|mode| existing(host, path).map(|node| node.mode = mode)),
        "modified" => number(second).and_then(|at| existing(host, path).map(|node| node.modified = at)),
        "links" => {
            let links = number(second)?;
            existing(host, path)?.links = links;
            Ok(())
        }
        "remove" => take(host, path).map(|_| ()),
        "move" => {
            let (from, to) = arrow(rest)?;
            make_parents(host, to);
            for (name, node) in take(host, from)? {
                host.nodes.insert(format!("{to}{}", &name[from.len()..]), node);
            }
            Ok(())
        }
        "replace" => replace(host, path, body),
        "file-system" => {
            host.file_systems.insert(path.into(), second.into());
            Ok(())
        }
        "sqlite" => {
            host.sqlite.extend([(path.to_owned(), words[1..].join(" "))]);
            Ok(())
        }
        "environ" => environ(host, number(path)?, words.get(1).copied(), body),
        "environ-silent" => {
            let why = rest.split_once(' ').map_or("permission denied", |(_, why)| why);
            running(host, number(path)?)?.variables = Observed::Unreadable(why.into());
            Ok(())
        }
        "now" => number(path).map(|now| host.now = now),
        "caller" => number(path).map(|uid| host.caller = uid),
        "offline" => {
            host.answers = None;
            Ok(())
        }
        "python" => {
            let answer = python(path, &pairs(&words[1..])?, &text_of(body))?;
            let answers = host.answers.get_or_insert_with(Answers::default);
            answers.pythons.insert(format!("{path}/bin/python"), Observed::Found(answer));
            Ok(())
        }
        "stream" | "event" | "stream-silent" | "stream-gone" => {
            let (now, answers) = (host.now, host.answers.get_or_insert_with(Answers::default));
            streams::directive(&mut answers.streams, now, word, &words, body)
        }
        _ => answer(host.answers.get_or_insert_with(Answers::default), word, rest, &words),
    }
}

/// Directives about what a running host answers.
fn answer(answers: &mut Answers, word: &str, rest: &str, words: &[&str]) -> Result<(), String> {
    let name = *words.first().ok_or("a name is missing")?;
    match word {
        "no-bus" => answers.no_bus = Some(rest.into()),
        "unit" => {
            let state = answers.units.entry(name.into()).or_default();
            pairs(&words[1..])?.into_iter().try_for_each(|(key, value)| property(state, key, value))?;
        }
        "getent" => {
            let lines = answers.names.entry(name.into()).or_default();
            lines.push_str(rest[name.len()..].trim_start());
            lines.push('\n');
        }
        "value" => {
            let [_, key, value] = words else { return Err("write: value UNIT KEY TEXT".into()) };
            answers.values.insert((name.into(), (*key).into()), (*value).into());
        }
        "process" => {
            let (mut process, sockets) = process(number(name)?, &pairs(&words[1..])?)?;
            if let Some((before, _)) = answers.processes.get(&process.pid) {
                process.variables = before.variables.clone();
            }
            answers.processes.insert(process.pid, (process, sockets));
        }
        "listen" => {
            let [address, port, inode] = words else { return Err("write: listen ADDRESS PORT INODE".into()) };
            answers.listeners.push(Listener {
                address: (*address).into(),
                port: number(port)?,
                inode: number(inode)?,
            });
        }
        "deaf" => servers::deafen(answers, name),
        "server" => {
            answers.servers.insert(name.into(), servers::server(words)?);
        }
        "redis" => {
            let reply = *words.get(1).ok_or("a reply is missing")?;
            let answer = servers::redis(reply, &pairs(&words[2..])?)?;
            answers.redis.insert(name.into(), Observed::Found(answer));
        }
        "redis-silent" => {
            answers.redis.insert(name.into(), Observed::Unreadable(words[1..].join(" ")));
        }
        "python-silent" => {
            let why = Observed::Unreadable(words[1..].join(" "));
            answers.pythons.insert(format!("{name}/bin/python"), why);
        }
        _ => return Err("no such directive".into()),
    }
    Ok(())
}

fn property(state: &mut UnitState, key: &str, value: &str) -> Result<(), String> {
    match key {
        "LoadState" => state.load_state = value.into(),
        "ActiveState" => state.active_state = value.into(),
        "SubState" => state.sub_state = value.into(),
        "UnitFileState" => state.unit_file_state = value.into(),
        "NeedDaemonReload" => state.need_daemon_reload = value == "yes",
        "FragmentPath" => state.fragment_path = value.into(),
        "MainPID" => state.main_pid = number(value)?,
        "Started" => state.started = number(value)?,
        "Exited" => state.exited = number(value)?,
        "ExecMainStatus" => state.exit_status = number(value)?,
        "NRestarts" => state.restarts = number(value)?,
        "Result" => state.result = value.into(),
        _ => return Err(format!("no such property: {key}")),
    }
    Ok(())
}

fn process(pid: u32, pairs: &[(&str, &str)]) -> Result<(Process, Vec<u64>), String> {
    let get = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let observed = |key: &str| get(key).map_or(Observed::Absent, |value| Observed::Found(value.to_owned()));
    let sockets = get("sockets").unwrap_or("").split(',').filter(|part| !part.is_empty());
    let process = Process {
        pid,
        executable: observed("exe"),
        uid: number(get("uid").unwrap_or("0"))?,
        gid: number(get("gid").unwrap_or("0"))?,
        working_directory: observed("cwd"),
        variables: Observed::Found(BTreeMap::new()),
    };
    Ok((process, sockets.map(number).collect::<Result<_, _>>()?))
}

/// A process of the host.
fn running(host: &mut MemorySystem, pid: u32) -> Result<&mut Process, String> {
    let answers = host.answers.get_or_insert_with(Answers::default);
    let process = answers.processes.get_mut(&pid).ok_or("there is no such process")?;
    Ok(&mut process.0)
}

/// Gives a process the environment that an env file makes now, with the changes of these lines.
fn environ(host: &mut MemorySystem, pid: u32, file: Option<&str>, body: &[String]) -> Result<(), String> {
    let mut lines: Vec<String> = Vec::new();
    if let Some(file) = file {
        let bytes = host.content(file).ok_or("there is no such file")?;
        lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
    } else if let Observed::Found(before) = &running(host, pid)?.variables {
        lines.extend(before.iter().map(|(name, value)| format!("{name}={value}")));
    }
    lines.extend(body.iter().map(|line| line.trim_start_matches("| ").to_owned()));
    let mut variables = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.split_once('=') {
            Some((name, value)) => variables.insert(Arc::from(name), value.to_owned()),
            None => variables.remove(line.as_str()),
        };
    }
    running(host, pid)?.variables = Observed::Found(variables);
    Ok(())
}

/// A python that says all is well, unless the words say otherwise; what does not come to its end says nothing.
fn python(venv: &str, pairs: &[(&str, &str)], complaint: &str) -> Result<PythonAnswer, String> {
    let mut end = PythonEnd::Exited(0);
    let mut said = PythonSaid {
        version: "3.11.2".into(),
        prefix: venv.into(),
        executable: format!("{venv}/bin/python"),
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        missing: Vec::new(),
    };
    for (key, value) in pairs {
        match *key {
            "version" => said.version = (*value).into(),
            "prefix" => said.prefix = (*value).into(),
            "uid" => (said.uid, said.groups) = (number(value)?, vec![number(value)?]),
            "missing" => said.missing = value.split(',').map(str::to_owned).collect(),
            "exit" => end = PythonEnd::Exited(number(value)?),
            "signal" => end = PythonEnd::Signalled(number(value)?),
            "seconds" => end = PythonEnd::TimedOut(number(value)?),
            "refused" => end = PythonEnd::NotExecuted(value.replace('-', " ")),
            "says" => {}
            _ => return Err(format!("no such word about a python: {key}")),
        }
    }
    let said = (end == PythonEnd::Exited(0) && pairs != [("says", "nothing")]).then_some(said);
    Ok(PythonAnswer { end, said, complaint: complaint.to_owned() })
}

fn add(host: &mut MemorySystem, words: &[&str], node: MemoryNode) -> Result<(), String> {
    let [path, names, mode] = words else { return Err("write: PATH OWNER:GROUP MODE".into()) };
    let who = owner(host, names)?;
    insert(host, path, node, who, octal(mode)?);
    Ok(())
}

fn insert(host: &mut MemorySystem, path: &str, node: MemoryNode, (uid, gid): (u32, u32), mode: u32) {
    let modified = host.nodes.get(path).map_or(DEFAULT_TIME, |old| old.modified);
    make_parents(host, path);
    host.nodes.insert(path.to_owned(), Owned { node, uid, gid, mode, modified, links: 1 });
}

fn make_parents(host: &mut MemorySystem, path: &str) {
    let mut parent = path;
    while let Some((above, _)) = parent.rsplit_once('/') {
        parent = above;
        let name = if above.is_empty() { "/" } else { above };
        host.nodes.entry(name.to_owned()).or_insert_with(|| Owned {
            node: MemoryNode::Directory,
            uid: 0,
            gid: 0,
            mode: 0o755,
            modified: DEFAULT_TIME,
            links: 2,
        });
    }
}

/// Files of a manifest are older than the processes it starts.
const DEFAULT_TIME: i64 = 1_767_000_000;

fn take(host: &mut MemorySystem, path: &str) -> Result<Vec<(String, Owned)>, String> {
    existing(host, path)?;
    let inside = format!("{path}/");
    let names: Vec<String> =
        host.nodes.keys().filter(|name| *name == path || name.starts_with(&inside)).cloned().collect();
    Ok(names.into_iter().filter_map(|name| host.nodes.remove_entry(&name)).collect())
}

fn replace(host: &mut MemorySystem, path: &str, body: &[String]) -> Result<(), String> {
    let node = existing(host, path)?;
    let MemoryNode::File(bytes) = &node.node else { return Err("it is not a file".into()) };
    let mut lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    let mut at = lines.len();
    for change in body {
        let text = change.get(2..).unwrap_or("");
        if change.starts_with('-') {
            at = lines.iter().position(|line| line == text).ok_or(format!("there is no line {text:?}"))?;
            lines.remove(at);
        } else {
            lines.insert(at.min(lines.len()), text.to_owned());
            at += 1;
        }
    }
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    node.node = MemoryNode::File(text.into_bytes().into());
    Ok(())
}

fn existing<'a>(host: &'a mut MemorySystem, path: &str) -> Result<&'a mut Owned, String> {
    host.nodes.get_mut(path).ok_or_else(|| format!("{path} does not exist"))
}

fn arrow(rest: &str) -> Result<(&str, &str), String> {
    let (from, to) = rest.split_once("->").ok_or("write: PATH -> PATH")?;
    Ok((from.trim(), to.trim()))
}

fn text_of(body: &[String]) -> String {
    body.iter().flat_map(|line| [line.get(2..).unwrap_or(""), "\n"]).collect()
}

fn pairs<'a>(words: &[&'a str]) -> Result<Vec<(&'a str, &'a str)>, String> {
    words
        .iter()
        .map(|word| word.split_once('=').ok_or_else(|| format!("{word} is not a name=value")))
        .collect()
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|_| format!("{text:?} is not a mode"))
}

fn owner(host: &MemorySystem, names: &str) -> Result<(u32, u32), String> {
    let (user, group) = names.split_once(':').ok_or("write OWNER:GROUP")?;
    Ok((id(host, "/etc/passwd", user)?, id(host, "/etc/group", group)?))
}

/// The id of a name in `/etc/passwd` or `/etc/group`; both have it in the third field.
fn id(host: &MemorySystem, file: &str, name: &str) -> Result<u32, String> {
    if name == "root" {
        return Ok(0);
    }
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let Some(MemoryNode::File(bytes)) = host.nodes.get(file).map(|owned| &owned.node) else {
        return Err(format!("{name} is in no {file}"));
    };
    String::from_utf8_lossy(bytes)
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split(':').nth(1)?.parse().ok())
        .ok_or_else(|| format!("{name} is not in {file}"))
}

/// `\n \r \t \\ \0 \xHH`
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'0') => bytes.push(0),
            Some(b'x') => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.extend(u8::from_str_radix(&hex, 16).ok());
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    bytes
}

/// The smallest file that an ELF reader takes for a program of this machine: dynamically linked with one
/// program header, static without any.
fn elf(headers: u16) -> Vec<u8> {
    const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(3_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    // entry, program header offset, section header offset
    for word in [0_u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    // header size, program header size and count, section header size, count, names
    for half in [64_u16, 56, headers, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    // PT_INTERP, readable
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(4_u32.to_le_bytes());
    let size = INTERPRETER.len() as u64;
    for word in [120_u64, 120, 120, size, size, 1] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(INTERPRETER);
    bytes
}

/// A file with SQLite's header; what `quick_check` says of it is the host's `sqlite` answer.
fn database() -> Vec<u8> {
    let mut bytes = b"SQLite format 3\0".to_vec();
    bytes.resize(4096, 0);
    bytes
}

impl MemorySystem {
    /// A host from a manifest.
    pub fn from_manifest(manifest: &str) -> Result<Self, String> {
        let mut host = MemorySystem { now: DEFAULT_TIME + 86_400, ..MemorySystem::default() };
        apply(&mut host, manifest)?;
        Ok(host)
    }

    /// The bytes of a file, for those who write the host to a directory.
    pub fn content(&self, path: &str) -> Option<Arc<[u8]>> {
        match &self.nodes.get(path)?.node {
            MemoryNode::File(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}
