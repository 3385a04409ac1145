//! Who listens, asked of the kernel by sock_diag(7), which goes through the listening sockets alone.
//! `/proc/net/tcp` would walk the whole table of connections, which costs more than the rest of an audit.
//!
//! It is about a hundred lines on rustix, without `unsafe`; the crates for it bring a runtime.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::model::answers::Listener;

const TCP: u8 = 6;
const LISTEN: u8 = 10;

/// netlink(7): the kinds of messages and the flags of a request for all of them.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const REQUEST_ONE: u16 = 0x1;

/// `struct nlmsghdr`, and with it `struct inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;

/// A TCP socket: its own address, the user who made it, and its inode (0 before a process has taken it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    pub(super) uid: u32,
    pub(super) inode: u64,
    remote: SocketAddr,
    state: u8,
}

impl Socket {
    fn listener(&self) -> Listener {
        let (address, port) = (self.local.ip().to_string(), self.local.port());
        Listener { address, port, inode: self.inode }
    }
}

/// The listening TCP sockets of both families.
pub(super) fn all() -> Result<Vec<Listener>, String> {
    Ok(listening()?.iter().map(Socket::listener).collect())
}

/// The same as sockets, by `/proc` where a sandbox keeps netlink away.
pub(super) fn listening() -> Result<Vec<Socket>, String> {
    match dump() {
        Ok(all) => Ok(all),
        Err(_) => Ok(table()?.into_iter().filter(|socket| socket.state == LISTEN).collect()),
    }
}

/// The inodes of the Unix sockets that listen at a path, by `/proc/net/unix` (proc_pid_net(5)).
#[expect(clippy::disallowed_methods, reason = "this is the door to the world")]
pub(super) fn unix(path: &str) -> Result<Vec<u64>, String> {
    const TABLE: &str = "/proc/net/unix";
    /// `__SO_ACCEPTCON`
    const LISTENS: u64 = 1 << 16;
    let text = std::fs::read(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    let text = String::from_utf8_lossy(&text);
    let inode = |line: &str| {
        let (fields, bound) = line.split_at_checked(line.find('/')?)?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let flags = u64::from_str_radix(fields.get(3)?, 16).ok()?;
        let is_it = bound == path && flags & LISTENS != 0;
        fields.get(6)?.parse().ok().filter(|_| is_it)
    };
    Ok(text.lines().filter_map(inode).collect())
}

/// The server's end of a connection of this host, from the address that it was made to and the one it came from.
pub(super) fn connection(server: SocketAddr, client: SocketAddr) -> Result<Option<Socket>, String> {
    let found = match one(server, client) {
        Ok(found) => found,
        Err(Errno::NOENT) => None,
        Err(_) => table()?.into_iter().find(|socket| (socket.local, socket.remote) == (server, client)),
    };
    // The kernel names a listener where there is no such connection; one that no process has taken has no inode.
    Ok(found.filter(|socket| socket.state != LISTEN && socket.inode != 0))
}

/// `/proc/net/tcp{,6}`, every connection of the host.
#[expect(clippy::disallowed_methods, reason = "this is the door to the world")]
fn table() -> Result<Vec<Socket>, String> {
    let mut all = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match std::fs::read_to_string(table) {
            Ok(text) => all.extend(text.lines().filter_map(row)),
            // A kernel without IPv6 has no second table.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{table}: {error}")),
        }
    }
    Ok(all)
}

/// A line of it (proc(5)).
pub(super) fn row(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let address = |text: &str| {
        let (address, port) = text.split_once(':')?;
        Some(SocketAddr::new(kernel_address(address)?.to_canonical(), u16::from_str_radix(port, 16).ok()?))
    };
    Some(Socket {
        local: address(fields.get(1)?)?,
        remote: address(fields.get(2)?)?,
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
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

fn dump() -> Result<Vec<Socket>, Errno> {
    let mut found = Vec::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        ask(&request(family, REQUEST_DUMP), &mut found)?;
    }
    found.retain(|socket| socket.state == LISTEN);
    Ok(found)
}

/// The kernel's own search for the socket of these two addresses.
fn one(server: SocketAddr, client: SocketAddr) -> Result<Option<Socket>, Errno> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let mut bytes = request(family, REQUEST_ONE);
    let id = HEADER + 8;
    bytes[id..id + 2].copy_from_slice(&server.port().to_be_bytes());
    bytes[id + 2..id + 4].copy_from_slice(&client.port().to_be_bytes());
    for (at, address) in [(id + 4, server.ip()), (id + 20, client.ip())] {
        match address {
            IpAddr::V4(v4) => bytes[at..at + 4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => bytes[at..at + 16].copy_from_slice(&v6.octets()),
        }
    }
    // No cookie: any socket of these addresses.
    bytes[id + 40..id + 48].fill(0xff);
    let mut found = Vec::new();
    ask(&bytes, &mut found)?;
    Ok(found.pop())
}

fn ask(request: &[u8; REQUEST], found: &mut Vec<Socket>) -> Result<(), Errno> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&kernel, request, SendFlags::empty())?;
    let is_dump = request[6..8] == REQUEST_DUMP.to_ne_bytes();
    let mut part = vec![0; 32 << 10];
    loop {
        let (length, _) = retry_on_intr(|| recv(&kernel, part.as_mut_slice(), RecvFlags::empty()))?;
        let mut rest = &part[..length];
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(refusal(body)),
                _ => found.extend(socket(body)),
            }
            rest = after;
        }
        if !is_dump {
            return Ok(());
        }
        if length == 0 {
            return Err(Errno::PROTO);
        }
    }
}

/// `struct nlmsgerr` begins with the negative number of the error.
fn refusal(body: &[u8]) -> Errno {
    let number = body.get(0..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if number == 0 { Errno::NOTSUP } else { Errno::from_raw_os_error(-number) }
}

fn request(family: AddressFamily, flags: u16) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[HEADER] = family.as_raw() as u8;
    bytes[HEADER + 1] = TCP;
    let states = if flags == REQUEST_DUMP { 1_u32 << LISTEN } else { u32::MAX };
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&states.to_ne_bytes());
    bytes
}

/// The kind and the body of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

/// `struct inet_diag_msg`.
fn socket(body: &[u8]) -> Option<Socket> {
    let (family, state) = (*body.first()?, *body.get(1)?);
    let address = |at: usize| -> Option<IpAddr> {
        if u16::from(family) == AddressFamily::INET.as_raw() {
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(at..at + 4)?).ok()?).into())
        } else {
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(at..at + 16)?).ok()?).into())
        }
    };
    let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let number = |at: usize| Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?));
    Some(Socket {
        local: SocketAddr::new(address(8)?, port(4)?),
        remote: SocketAddr::new(address(24)?, port(6)?),
        uid: number(64)?,
        inode: number(68)?.into(),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_lines_of_both_families_are_read() {
        let v4 = "   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4711 1 0";
        let v6 = "   1: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4712 1 0";
        let found = row(v4).unwrap();
        assert_eq!((found.local.to_string().as_str(), found.uid, found.inode), ("127.0.0.1:6379", 106, 4711));
        assert_eq!(found.state, LISTEN);
        assert_eq!(row(v6).map(|found| found.local.to_string()), Some("[::1]:6379".into()));
        assert_eq!(row("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn a_connection_is_found_in_the_table_as_well() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap();
        let ends = (client.peer_addr().unwrap(), client.local_addr().unwrap());
        let by_kernel = connection(ends.0, ends.1).unwrap().unwrap();
        let by_table = table().unwrap().into_iter().find(|one| (one.local, one.remote) == ends).unwrap();
        assert_eq!((by_kernel.inode, by_kernel.uid), (by_table.inode, by_table.uid));
        drop(server);
    }
}
