//! The running host: processes and ports from `/proc`, the rest by the protocols of its servers.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::owner::{self, Owner};
use super::{bus, environ, getent, listeners, python, redis, servers, stream};
use crate::model::Observed;
use crate::model::answers::{
    Listener, Process, PythonAnswer, PythonQuestion, RedisAnswer, RedisQuestion, ServerAnswer,
    ServerQuestion, StreamEvent, StreamQuestion, UnitStates,
};
use crate::system::Ask;

/// Asks the host this process runs on.
#[derive(Default)]
pub struct LiveHost;

impl LiveHost {
    /// Connections are made when the first question is asked.
    pub fn new() -> Self {
        Self
    }
}

fn observe<T>(result: std::io::Result<T>) -> Observed<T> {
    match result {
        Ok(value) => Observed::Found(value),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Observed::Absent,
        Err(error) => Observed::Unreadable(error.to_string()),
    }
}

/// Between fork and exec a service's process is still systemd's own, as root.
const STARTERS: &[&str] = &["/lib/systemd/systemd", "/lib/systemd/systemd-executor"];

fn look_at_process(pid: u32, variables: &[&str]) -> Observed<Process> {
    let of = |name: &str| format!("/proc/{pid}/{name}");
    let link = |name: &str| match observe(std::fs::read_link(of(name))) {
        Observed::Unreadable(why) => Observed::Unreadable(format!("{}: {why}", of(name))),
        known => known.map(|path| path.to_string_lossy().into_owned()),
    };
    observe(std::fs::metadata(of(""))).map(|owner| Process {
        pid,
        executable: link("exe"),
        uid: owner.uid(),
        gid: owner.gid(),
        working_directory: link("cwd"),
        variables: environ::of(pid, variables),
    })
}

/// The inodes of the sockets a process holds.
pub(super) fn sockets_of(pid: u32) -> Observed<Vec<u64>> {
    let entries = match std::fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(entries) => entries,
        Err(error) => return observe(Err(error)),
    };
    let socket = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Observed::Found(entries.flatten().filter_map(socket).collect())
}

impl Ask for LiveHost {
    fn units(&self, names: &[&str]) -> Observed<UnitStates> {
        bus::units(names)
    }

    fn values(&self, asked: &[(&str, &str, &str)]) -> Observed<Vec<Option<String>>> {
        bus::values(asked)
    }

    fn getent(&self, database: &str, names: &[&str]) -> Observed<String> {
        getent::getent(database, names)
    }

    fn process(&self, pid: u32, variables: &[&str]) -> Observed<Process> {
        let is_started = |process: &Process| match &process.executable {
            Observed::Found(path) => !STARTERS.iter().any(|starter| path.ends_with(starter)),
            _ => true,
        };
        // While execve(2) lays the new memory out, the environment there is empty: one that stays so is.
        let is_laid_out = |process: &Process| match &process.variables {
            Observed::Found(found) => variables.is_empty() || !found.is_empty(),
            _ => true,
        };
        for tries in 0..50 {
            match look_at_process(pid, variables) {
                Observed::Found(process) if !is_started(&process) || tries < 5 && !is_laid_out(&process) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                known => return known,
            }
        }
        Observed::Unreadable(format!("process {pid} has been starting for a second"))
    }

    fn listeners(&self, port: u16) -> Observed<Vec<Listener>> {
        match listeners::all() {
            Ok(mut found) => {
                found.retain(|listener| listener.port == port);
                Observed::Found(found)
            }
            Err(why) => Observed::Unreadable(why),
        }
    }

    fn listening(&self, unit: &str) -> Observed<Vec<Listener>> {
        owner::listening(unit)
    }

    fn sockets(&self, pid: u32) -> Observed<Vec<u64>> {
        sockets_of(pid)
    }

    fn redis(&self, question: &RedisQuestion<'_>) -> Observed<RedisAnswer> {
        redis::ask(question)
    }

    fn stream(&self, question: &StreamQuestion<'_>, each: &mut dyn FnMut(&StreamEvent<'_>)) -> Observed<u64> {
        stream::read(question, each)
    }

    fn server(&self, question: &ServerQuestion<'_>) -> Observed<ServerAnswer> {
        servers::ask(question)
    }

    fn pythons(&self, questions: &[PythonQuestion]) -> Vec<Observed<PythonAnswer>> {
        python::ask_all(questions)
    }
}

/// Whether an answer counts: not where another process than one of the unit gives it. A caller who is not root may
/// not see whose it is, and asks as the service itself would.
pub(super) fn believed(owner: &Owner, address: &str, unit: &str) -> Observed<()> {
    match owner {
        Owner::Unit | Owner::Remote => Observed::Found(()),
        Owner::Unknown(_) if !rustix::process::geteuid().is_root() => Observed::Found(()),
        Owner::Unknown(why) => Observed::Unreadable(format!(
            "{address} answers, but it cannot be seen whether {unit} does: {why}"
        )),
        Owner::Other => {
            Observed::Unreadable(format!("{address} is answered by a process that is not of {unit}"))
        }
    }
}

#[cfg(test)]
mod listener_tests {
    use std::net::TcpListener;

    use super::{Ask, LiveHost, Observed};

    #[test]
    fn a_socket_that_listens_is_found_with_its_port_in_both_families() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A kernel without IPv6 has nothing to find.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let own = listener.local_addr().unwrap();
            let Observed::Found(found) = LiveHost.listeners(own.port()) else { panic!("{address}") };
            let same = found.iter().find(|found| found.address == own.ip().to_string()).unwrap();
            assert!(same.port == own.port() && same.inode > 0);
        }
    }
}
