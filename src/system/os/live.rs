//! The running host: processes and ports from `/proc`, the rest by the protocols of its servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::{bus, listeners, python, redis};
use crate::model::Observed;
use crate::model::answers::{
    Listener, Process, PythonAnswer, PythonQuestion, RedisAnswer, RedisQuestion, UnitStates,
};
use crate::system::Ask;

const TIME_LIMIT: Duration = Duration::from_secs(2);

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

fn look_at_process(pid: u32) -> Observed<Process> {
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
    })
}

impl Ask for LiveHost {
    fn units(&self, names: &[&str]) -> Observed<UnitStates> {
        bus::units(names)
    }

    fn process(&self, pid: u32) -> Observed<Process> {
        let is_started = |process: &Process| match &process.executable {
            Observed::Found(path) => !STARTERS.iter().any(|starter| path.ends_with(starter)),
            _ => true,
        };
        for _ in 0..50 {
            match look_at_process(pid) {
                Observed::Found(process) if !is_started(&process) => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                known => return known,
            }
        }
        Observed::Unreadable(format!("process {pid} has been starting for a second"))
    }

    fn listeners(&self, port: u16) -> Observed<Vec<Listener>> {
        if let Ok(mut found) = listeners::all() {
            found.retain(|listener| listener.port == port);
            return Observed::Found(found);
        }
        let mut found = Vec::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            match observe(std::fs::read_to_string(table)) {
                Observed::Found(text) => found.extend(text.lines().filter_map(listener)),
                // A kernel without IPv6 has no second table.
                Observed::Absent => {}
                Observed::Unreadable(why) => return Observed::Unreadable(format!("{table}: {why}")),
            }
        }
        found.retain(|listener| listener.port == port);
        Observed::Found(found)
    }

    fn sockets(&self, pid: u32) -> Observed<Vec<u64>> {
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

    fn redis(&self, question: &RedisQuestion<'_>) -> Observed<RedisAnswer> {
        redis::ask(question)
    }

    fn tcp(&self, address: &str) -> Observed<()> {
        let addresses = match address.to_socket_addrs() {
            Ok(addresses) => addresses,
            Err(error) => return Observed::Unreadable(format!("{address}: {error}")),
        };
        let (mut refused, mut silent) = (false, None);
        for address in addresses {
            match TcpStream::connect_timeout(&address, TIME_LIMIT) {
                Ok(_) => return Observed::Found(()),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => refused = true,
                Err(error) => silent = Some(format!("{address}: {error}")),
            }
        }
        // One address that says nothing leaves it open, whatever the others say.
        match (silent, refused) {
            (Some(why), _) => Observed::Unreadable(why),
            (None, true) => Observed::Absent,
            (None, false) => Observed::Unreadable(format!("{address} resolves to no address")),
        }
    }

    fn pythons(&self, questions: &[PythonQuestion]) -> Vec<Observed<PythonAnswer>> {
        python::ask_all(questions)
    }
}

/// A listening line of `/proc/net/tcp{,6}` (proc(5)).
fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    const LISTEN: &str = "0A";
    if state != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Listener {
        address: kernel_address(address)?.to_string(),
        port: u16::from_str_radix(port, 16).ok()?,
        inode,
    })
}

/// The kernel prints addresses as 32-bit words in the byte order of the machine.
fn kernel_address(hex: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..hex.len())
        .step_by(8)
        .map(|at| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [v4] => Some(Ipv4Addr::from(*v4).into()),
        [_, _, _, _] => Some(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_lines_of_both_families_are_read() {
        let v4 = "   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4711 1 0";
        let v6 = "   1: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4712 1 0";
        let established = v4.replace(" 0A ", " 01 ");
        assert_eq!(listener(v4), Some(Listener { address: "127.0.0.1".into(), port: 6379, inode: 4711 }));
        assert_eq!(listener(v6).map(|found| found.address), Some("::1".into()));
        assert_eq!(listener(&established), None);
        assert_eq!(listener("  sl  local_address rem_address   st tx_queue"), None);
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
