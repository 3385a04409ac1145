//! TCP ports at which services listen.

use std::fmt;
use std::net::IpAddr;

use crate::model::answers::Listener;

/// An address and a port, or a port of every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The address; `None` stands for all of the host's.
    pub address: Option<IpAddr>,
    /// The number, from 1.
    pub number: u16,
}

impl Port {
    /// Reads `127.0.0.1:8000`, `[::1]:8000` and `8000`. `0.0.0.0`, `[::]` and `*` stand for all addresses.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, number) = match text.rsplit_once(':') {
            None | Some(("*", _)) => (None, text.trim_start_matches("*:")),
            Some((address, number)) => {
                let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
                let address: IpAddr = match bare {
                    Some(address) => IpAddr::V6(address.parse().ok()?),
                    None => IpAddr::V4(address.parse().ok()?),
                };
                (Some(address), number)
            }
        };
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| is_plain && *number > 0)?;
        Some(Self::at(address, number))
    }

    /// Where sockets listen, each place once.
    pub fn places(listeners: &[Listener]) -> Vec<Self> {
        let mut places = Vec::new();
        for listener in listeners {
            let place = Self::at(listener.address.parse().ok(), listener.port);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// A socket for both families that is bound to an IPv4 address has it in the form `::ffff:127.0.0.1` (ipv6(7)).
    fn at(address: Option<IpAddr>, number: u16) -> Self {
        let address = address.map(|address| address.to_canonical());
        Self { address: address.filter(|address| !address.is_unspecified()), number }
    }

    /// Whether who listens here is reached at `other`, too.
    pub fn covers(&self, other: &Self) -> bool {
        self.number == other.number && (self.address.is_none() || self.address == other.address)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.number),
            Some(IpAddr::V4(address)) => write!(f, "{address}:{}", self.number),
            None => write!(f, "*:{}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports() {
        let read = |text: &str| Port::parse(text).map(|port| port.to_string());
        assert_eq!(read("127.0.0.1:8000").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(read("[::1]:8000").as_deref(), Some("[::1]:8000"));
        assert_eq!(read("[::ffff:127.0.0.1]:80").as_deref(), Some("127.0.0.1:80"), "as Java binds it");
        for all in ["443", "*:443", "0.0.0.0:443", "[::]:443"] {
            assert_eq!(read(all).as_deref(), Some("*:443"), "{all}");
        }
        for wrong in ["", "0", "70000", ":80", "localhost:80", "::1:80", "127.0.0.1", "+80", "127.0.0.1:http"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let listener = |address: &str| Listener { address: address.to_owned(), port: 80, inode: 1 };
        let places = Port::places(&["::ffff:10.0.0.1", "10.0.0.1", "::", "0.0.0.0"].map(listener));
        assert_eq!(places.iter().map(Port::to_string).collect::<Vec<_>>(), ["10.0.0.1:80", "*:80"]);
        let port = |text: &str| Port::parse(text).unwrap();
        assert!(port("80").covers(&port("127.0.0.1:80")) && !port("127.0.0.1:80").covers(&port("80")));
        assert!(!port("[::1]:80").covers(&port("127.0.0.1:80")) && !port("80").covers(&port("81")));
    }
}
