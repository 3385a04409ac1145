//! The bare looks: opens and reads each file of a list once, sends one PING to Redis, and gets properties of
//! units over the system bus, all questions in one write. No parsing, no judging, nothing but the standard
//! library: the floor that an audit is measured against.
//!
//!     bare FILES [--redis HOST:PORT] [--bus UNIT…]
//!     bare --peak PROGRAM [WORD…]      runs it with its output thrown away; prints its peak memory in KiB

use std::fs::File;
use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;

const PROPERTIES: &[(&str, &str)] = &[
    ("Unit", "LoadState"),
    ("Unit", "ActiveState"),
    ("Unit", "SubState"),
    ("Unit", "UnitFileState"),
    ("Unit", "NeedDaemonReload"),
    ("Unit", "FragmentPath"),
    ("Unit", "DropInPaths"),
    ("Service", "MainPID"),
    ("Service", "ExecMainStartTimestamp"),
    ("Service", "NRestarts"),
    ("Service", "Result"),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0] == "--peak" {
        println!("{}", peak(&arguments[1..])?);
        return Ok(());
    }
    let mut bytes = 0;
    let mut buffer = Vec::with_capacity(1 << 20);
    for path in std::fs::read_to_string(&arguments[0])?.lines() {
        bytes += look(path, &mut buffer).unwrap_or(0);
    }
    if let Some(at) = arguments.iter().position(|word| word == "--redis") {
        bytes += ping(&arguments[at + 1])?;
    }
    if let Some(at) = arguments.iter().position(|word| word == "--bus") {
        bytes += properties(&arguments[at + 1..])?;
    }
    println!("{bytes} bytes");
    Ok(())
}

/// The peak of a child counts what its parent held when it was made, so the parent must be small: a python is not.
fn peak(command: &[String]) -> Result<i64> {
    unsafe extern "C" {
        fn getrusage(who: i32, usage: *mut [i64; 18]) -> i32;
    }
    const CHILDREN: i32 = -1;
    let nothing = || std::process::Stdio::null();
    std::process::Command::new(&command[0])
        .args(&command[1..])
        .stdout(nothing())
        .stderr(nothing())
        .status()?;
    let mut usage = [0; 18];
    // SAFETY: struct rusage of Linux is 18 longs (getrusage(2)): two times of two, then ru_maxrss.
    match unsafe { getrusage(CHILDREN, &raw mut usage) } {
        0 => Ok(usage[4]),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn look(path: &str, buffer: &mut Vec<u8>) -> Result<usize> {
    const NONBLOCK: i32 = 0o4000;
    let mut file = File::options().read(true).custom_flags(NONBLOCK).open(path)?;
    if path.ends_with('/') {
        return Ok(std::fs::read_dir(path)?.count());
    }
    buffer.clear();
    file.read_to_end(buffer)
}

fn ping(address: &str) -> Result<usize> {
    let mut redis = TcpStream::connect(address)?;
    redis.write_all(b"PING\r\n")?;
    let mut answer = [0; 64];
    redis.read(&mut answer)
}

/// Every question is sent before the first answer is read.
fn properties(units: &[String]) -> Result<usize> {
    let mut bus = UnixStream::connect("/run/dbus/system_bus_socket")?;
    let user: String = std::fs::metadata("/proc/self")?.uid().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    let mut sent = format!("\0AUTH EXTERNAL {user}\r\nBEGIN\r\n").into_bytes();
    sent.extend(call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", &[]));
    let mut serial = 1;
    for unit in units {
        for (interface, property) in PROPERTIES {
            serial += 1;
            let interface = format!("org.freedesktop.systemd1.{interface}");
            let path = format!("/org/freedesktop/systemd1/unit/{}", escaped(unit));
            let words = [interface.as_str(), property];
            sent.extend(call(serial, "org.freedesktop.systemd1", &path, "org.freedesktop.DBus.Properties", "Get", &words));
        }
    }
    bus.write_all(&sent)?;
    let mut received = Vec::new();
    let mut part = [0; 65536];
    // One answer to each call, and the signal that names us.
    while answers(&received) < serial as usize + 1 {
        match bus.read(&mut part)? {
            0 => return Err(std::io::Error::other("the bus hung up")),
            length => received.extend_from_slice(&part[..length]),
        }
    }
    Ok(received.len())
}

/// Whole messages after the line that ends the greeting.
fn answers(received: &[u8]) -> usize {
    let Some(greeting) = received.windows(2).position(|pair| pair == b"\r\n") else { return 0 };
    let mut rest = &received[greeting + 2..];
    let mut count = 0;
    while rest.len() >= 16 {
        let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]) as usize;
        let length = (16 + word(12)).next_multiple_of(8) + word(4);
        if rest.len() < length {
            break;
        }
        rest = &rest[length..];
        count += 1;
    }
    count
}

fn escaped(unit: &str) -> String {
    unit.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("_{b:02x}") }).collect()
}

/// A method call with strings as its arguments, in the wire format of the D-Bus specification.
fn call(serial: u32, to: &str, path: &str, interface: &str, member: &str, words: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    words.iter().for_each(|word| string(&mut body, word));
    let mut fields = Vec::new();
    for (code, kind, value) in [(1, b'o', path), (2, b's', interface), (3, b's', member), (6, b's', to)] {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        string(&mut fields, value);
    }
    if !words.is_empty() {
        pad(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, words.len() as u8]);
        fields.extend(std::iter::repeat_n(b's', words.len()));
        fields.push(0);
    }
    let mut message = vec![b'l', 1, 0, 1];
    for number in [body.len() as u32, serial, fields.len() as u32] {
        message.extend(number.to_le_bytes());
    }
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}
