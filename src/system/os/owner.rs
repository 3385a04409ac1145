//! Whose process answers on a port of this host. Anything can say PONG while the real server is down, so the other
//! end of a connection is looked for among the sockets of the unit that should have it.
//!
//! The server's end of the connection, found by sock_diag(7), must be a socket of a process in the unit's control group
//! before a password is sent or a PONG is believed. A caller who is not root may not see processes; then the user of
//! the socket is compared with the unit's, and if even that is hidden, golden asks as the service would.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

use super::listeners::{self, Socket};
use super::{bus, live};
use crate::model::Observed;
use crate::model::answers::Listener;

/// Whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A process of the unit.
    Unit,
    /// Another process of this host.
    Other,
    /// It cannot be seen, and why.
    Unknown(String),
    /// The server is on another host.
    Remote,
}

/// Whose process holds the server's end of a connection that it has answered on.
pub(super) fn of_connection((server, own): (SocketAddr, SocketAddr), unit: &str) -> Owner {
    if server.ip() != own.ip() {
        return Owner::Remote;
    }
    match listeners::connection(server, own) {
        Ok(Some(socket)) => of_sockets(&numbered(&[socket]), unit),
        Ok(None) => Owner::Unknown(format!("no process of this host holds {server}")),
        Err(why) => Owner::Unknown(why),
    }
}

/// Whose processes listen where a connection of this host was taken.
pub(super) fn of_listener((server, own): (SocketAddr, SocketAddr), unit: &str) -> Owner {
    if server.ip() != own.ip() {
        return Owner::Remote;
    }
    let all = match listeners::listening() {
        Ok(all) => all,
        Err(why) => return Owner::Unknown(why),
    };
    let of_port = || all.iter().filter(|socket| socket.local.port() == server.port());
    let exact: Vec<Socket> = of_port().filter(|socket| socket.local.ip() == server.ip()).copied().collect();
    let any: Vec<Socket> = of_port().filter(|socket| socket.local.ip().is_unspecified()).copied().collect();
    match (exact.as_slice(), any.as_slice()) {
        ([], []) => Owner::Unknown(format!("no process of this host listens on {server}")),
        ([], any) => of_sockets(&numbered(any), unit),
        (exact, _) => of_sockets(&numbered(exact), unit),
    }
}

/// Whose process listens on a Unix socket of this host: given are the one that began to (listen(2)), and the path that it
/// bound.
pub(super) fn of_unix_listener((pid, path): (u32, &str), unit: &str) -> Owner {
    match pid {
        // systemd itself holds the sockets that start a unit.
        1 => Owner::Unit,
        // One of another PID namespace has no number here.
        0 => Owner::Unknown("the process that listens there has no number here".to_owned()),
        _ => match processes(unit) {
            Ok(processes) if processes.contains(&pid) => Owner::Unit,
            Ok(_) if uid_of(pid).is_some() => Owner::Other,
            // A daemon that forks has left the socket to a child of its.
            Ok(_) => match listeners::unix(path) {
                Ok(inodes) if inodes.is_empty() => {
                    Owner::Unknown(format!("process {pid}, which listened on {path}, has ended"))
                }
                Ok(inodes) => {
                    of_sockets(&inodes.into_iter().map(|inode| (inode, None)).collect::<Vec<_>>(), unit)
                }
                Err(why) => Owner::Unknown(why),
            },
            Err(why) => Owner::Unknown(why),
        },
    }
}

/// The number of a socket, and who made it, where that is known.
type Numbered = (u64, Option<u32>);

fn numbered(sockets: &[Socket]) -> Vec<Numbered> {
    sockets.iter().map(|socket| (socket.inode, Some(socket.uid))).collect()
}

/// The listening TCP sockets of a unit's processes.
pub(super) fn listening(unit: &str) -> Observed<Vec<Listener>> {
    let (held, all) = match (Held::by(unit), listeners::all()) {
        (Ok(held), Ok(all)) => (held, all),
        (Err(why), _) | (_, Err(why)) => return Observed::Unreadable(why),
    };
    match held.hidden {
        Some(why) => Observed::Unreadable(why),
        None => Observed::Found(
            all.into_iter().filter(|listener| held.sockets.contains(&listener.inode)).collect(),
        ),
    }
}

/// The sockets that processes of a unit hold.
#[derive(Default)]
struct Held {
    sockets: BTreeSet<u64>,
    /// Why not all of them are seen.
    hidden: Option<String>,
    /// The users of the processes into which nobody may look.
    uids: Vec<u32>,
}

impl Held {
    fn by(unit: &str) -> Result<Self, String> {
        let mut held = Self::default();
        for pid in processes(unit)? {
            match live::sockets_of(pid) {
                Observed::Found(inodes) => held.sockets.extend(inodes),
                // It has ended, or `/proc` does not show the processes of others.
                Observed::Absent => held.hidden = Some(format!("process {pid} of {unit} cannot be seen")),
                Observed::Unreadable(why) => {
                    held.hidden = Some(format!("process {pid} of {unit}: {why}"));
                    held.uids.extend(uid_of(pid));
                }
            }
        }
        Ok(held)
    }
}

/// Every one of these sockets must be held by a process of the unit.
fn of_sockets(sockets: &[Numbered], unit: &str) -> Owner {
    let Held { sockets: held, hidden, uids } = match Held::by(unit) {
        Ok(held) => held,
        Err(why) => return Owner::Unknown(why),
    };
    let is_held = |(inode, _): &Numbered| held.contains(inode);
    let made_by_one = |(_, uid): &Numbered| uid.is_some_and(|uid| uids.contains(&uid));
    let is_made_known = sockets.iter().all(|(_, uid)| uid.is_some());
    match hidden {
        _ if sockets.iter().all(is_held) => Owner::Unit,
        None => Owner::Other,
        // Without the right to look into processes, their users are compared: the kernel knows who made a socket.
        Some(_) if !uids.is_empty() && is_made_known => match sockets.iter().all(made_by_one) {
            true => Owner::Unit,
            false => Owner::Other,
        },
        Some(why) => Owner::Unknown(why),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door to the world")]
fn uid_of(pid: u32) -> Option<u32> {
    std::fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

/// The processes of a unit: those of its control group, and its main one.
fn processes(unit: &str) -> Result<Vec<u32>, String> {
    let mut all = of_group(&format!("/system.slice/{unit}"));
    if all.is_empty() {
        let state = match bus::units(&[unit]) {
            Observed::Found(mut states) => states.remove(unit).unwrap_or_default(),
            Observed::Absent => return Err("systemd does not answer".to_owned()),
            Observed::Unreadable(why) => return Err(why),
        };
        all = of_group(&state.control_group);
        all.extend(Some(state.main_pid).filter(|pid| *pid > 0));
    }
    Ok(all)
}

/// Where control groups are mounted: alone, beside the older kind, or as one of the older kind.
const HIERARCHIES: &[&str] = &["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// The processes of a control group and of the groups below it, none where there is no such group.
#[expect(clippy::disallowed_methods, reason = "this is the door to the world")]
fn of_group(group: &str) -> Vec<u32> {
    const MOST_GROUPS: usize = 256;
    if !group.starts_with('/') || group.contains("/..") || group.len() < 2 {
        return Vec::new();
    }
    let mut all = Vec::new();
    for hierarchy in HIERARCHIES {
        let mut waiting = vec![format!("{hierarchy}{group}")];
        let mut seen = 0;
        while let Some(path) = waiting.pop().filter(|_| seen < MOST_GROUPS) {
            seen += 1;
            let Ok(text) = std::fs::read_to_string(format!("{path}/cgroup.procs")) else { continue };
            all.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
            let below = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            waiting.extend(below.filter_map(|entry| entry.path().to_str().map(str::to_owned)));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_stranger_on_a_port_is_not_the_unit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap();
        let ends = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        // This process is of no unit of that name, whether there is a systemd or not.
        let unit = "golden-no-such-unit.service";
        assert!(matches!(of_connection(ends, unit), Owner::Other | Owner::Unknown(_)));
        assert!(matches!(of_listener(ends, unit), Owner::Other | Owner::Unknown(_)));
        let socket = listeners::connection(ends.0, ends.1).unwrap().unwrap();
        let Observed::Found(own) = live::sockets_of(std::process::id()) else { panic!("own sockets") };
        assert!(own.contains(&socket.inode) && socket.uid == rustix::process::getuid().as_raw());
        drop(accepted);
    }

    #[test]
    fn a_group_is_no_way_out_of_the_groups() {
        assert!(of_group("").is_empty() && of_group("/").is_empty() && of_group("/../../proc").is_empty());
    }
}
