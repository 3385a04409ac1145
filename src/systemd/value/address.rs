//! Addresses that a socket unit listens on (systemd.socket(5)).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Mangled, dropped};

/// Whether systemd takes an address of `ListenStream=` and its kin: "If the address starts with a slash ("/"), it is read
/// as file system socket … If the address starts with an at symbol ("@"), it is read as abstract namespace socket … If the
/// address string is a single number, it is read as port number … in the format "v.w.x.y:z" … "[x]:y" … "vsock:x:y"".
pub(super) fn listen(text: &str) -> Result<(), Mangled> {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    // An interface may stand behind the port of a newer systemd, or as the scope of an address.
    let bare = |text: &str| text.split('%').next().unwrap_or("").to_owned();
    let good = match text.chars().next() {
        Some('/' | '@') => true,
        Some('[') => text[1..]
            .split_once("]:")
            .is_some_and(|(address, port)| bare(address).parse::<Ipv6Addr>().is_ok() && is_port(&bare(port))),
        _ if text.starts_with("vsock:") || text.contains('%') => true,
        _ => match text.rsplit_once(':') {
            Some((address, port)) => address.parse::<Ipv4Addr>().is_ok() && is_port(port),
            None => is_port(text),
        },
    };
    match good {
        true => Ok(()),
        false => dropped(format!("{text:?} is not an address to listen on (systemd.socket(5))")),
    }
}

#[cfg(test)]
mod tests {
    use super::listen;

    #[test]
    fn addresses() {
        for good in [
            "/run/a.sock",
            "@abstract",
            "8000",
            "127.0.0.1:80",
            "[::1]:80",
            "[fe80::1%eth0]:80",
            "vsock:2:80",
        ] {
            assert!(listen(good).is_ok(), "{good}");
        }
        for bad in
            ["127.0.0.1", "localhost:80", "run/a.sock", "0", "70000", "::1:80", "[::1]", "*:80", "8000/tcp"]
        {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
