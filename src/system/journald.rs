//! Entries of the host's journal, by journald's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::os::unix::net::UnixDatagram;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Longer values are cut: an argument list may be a megabyte, a datagram may not.
const LONGEST: usize = 4096;

/// Writes an entry with these fields.
pub fn send(fields: &[(&str, &str)]) -> std::io::Result<()> {
    let mut entry = Vec::new();
    fields.iter().for_each(|(name, value)| field(&mut entry, name, value));
    UnixDatagram::unbound()?.send_to(&entry, SOCKET).map(|_| ())
}

/// One field in the form that may hold any byte: name, length, value.
fn field(entry: &mut Vec<u8>, name: &str, value: &str) {
    let cut = value.floor_char_boundary(LONGEST);
    let value = &value.as_bytes()[..cut];
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_value_with_newlines_is_one_field() {
        let mut entry = Vec::new();
        field(&mut entry, "A", "x\nB=y");
        assert_eq!(entry, b"A\n\x05\0\0\0\0\0\0\0x\nB=y\n");
    }
}
