//! Who listens, asked of the kernel by sock_diag(7), which goes through the listening sockets alone.
//! `/proc/net/tcp` would walk the whole table of connections, which costs more than the rest of an audit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// `struct nlmsghdr`, and with it `struct inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;

/// The listening TCP sockets of both families; an error where the kernel has no sock_diag.
pub(super) fn all() -> Result<Vec<Listener>, Errno> {
    let mut found = Vec::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        of_family(family, &mut found)?;
    }
    Ok(found)
}

fn of_family(family: AddressFamily, found: &mut Vec<Listener>) -> Result<(), Errno> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&kernel, &request(family), SendFlags::empty())?;
    let mut part = vec![0; 32 << 10];
    loop {
        let (length, _) = retry_on_intr(|| recv(&kernel, part.as_mut_slice(), RecvFlags::empty()))?;
        let mut rest = &part[..length];
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(Errno::NOTSUP),
                _ => found.extend(listener(body)),
            }
            rest = after;
        }
        if length == 0 {
            return Err(Errno::PROTO);
        }
    }
}

fn request(family: AddressFamily) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes[HEADER] = family.as_raw() as u8;
    bytes[HEADER + 1] = TCP;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&(1_u32 << LISTEN).to_ne_bytes());
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
fn listener(body: &[u8]) -> Option<Listener> {
    let (family, state) = (*body.first()?, *body.get(1)?);
    let address: IpAddr = if u16::from(family) == AddressFamily::INET.as_raw() {
        Ipv4Addr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?).into()
    } else {
        Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?).into()
    };
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let inode = u32::from_ne_bytes(body.get(68..72)?.try_into().ok()?);
    (state == LISTEN).then(|| Listener { address: address.to_string(), port, inode: inode.into() })
}
