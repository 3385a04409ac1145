//! TCP ports at which services listen.

use std::fmt;
use std::net::IpAddr;

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
        Some(Self { address: address.filter(|address| !address.is_unspecified()), number })
    }

    /// Where a socket listens that is bound to this address.
    pub fn of(address: &str, number: u16) -> Self {
        let address = address.parse().ok().filter(|address: &IpAddr| !address.is_unspecified());
        Self { address, number }
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
        for all in ["443", "*:443", "0.0.0.0:443", "[::]:443"] {
            assert_eq!(read(all).as_deref(), Some("*:443"), "{all}");
        }
        for wrong in ["", "0", "70000", ":80", "localhost:80", "::1:80", "127.0.0.1", "+80", "127.0.0.1:http"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let port = |text: &str| Port::parse(text).unwrap();
        assert!(port("80").covers(&port("127.0.0.1:80")) && !port("127.0.0.1:80").covers(&port("80")));
        assert!(!port("[::1]:80").covers(&port("127.0.0.1:80")) && !port("80").covers(&port("81")));
    }
}
