//! A connection with an end: a deadline for all of it and a bound on what comes back. Whoever answers on a port may
//! send a byte a second, or without end.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// One TCP connection.
pub(super) struct Line {
    stream: TcpStream,
    until: Instant,
    room: usize,
}

impl Line {
    /// Connects to `host:port` within a time that the whole conversation has; at most `room` bytes are read.
    pub(super) fn open(address: &str, limit: Duration, room: usize) -> Result<Self> {
        let until = Instant::now() + limit;
        let mut last = Error::new(ErrorKind::NotFound, format!("{address} resolves to no address"));
        for address in resolved(address, limit)? {
            match TcpStream::connect_timeout(&address, left(until)?) {
                Ok(stream) => return Ok(Self { stream, until, room }),
                // A refusal is the kernel's answer; silence of another address says more.
                Err(error)
                    if last.kind() == ErrorKind::NotFound || error.kind() != ErrorKind::ConnectionRefused =>
                {
                    last = error;
                }
                Err(_) => {}
            }
        }
        Err(last)
    }

    /// Both ends: the server's, and this one.
    pub(super) fn ends(&self) -> Result<(SocketAddr, SocketAddr)> {
        Ok((self.stream.peer_addr()?, self.stream.local_addr()?))
    }
}

fn left(until: Instant) -> Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The addresses of a name. A name server that is silent has no time limit of ours, so it is asked on a thread that
/// can be left.
fn resolved(address: &str, limit: Duration) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    let (say, hear) = mpsc::channel();
    let name = address.to_owned();
    std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        // Nobody hears an answer that comes too late.
        let _ = say.send(name.to_socket_addrs().map(|found| found.take(8).collect()));
    })?;
    hear.recv_timeout(limit).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.room == 0 {
            return Err(Error::other("the reply is too long"));
        }
        let most = buffer.len().min(self.room);
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        let got = self.stream.read(&mut buffer[..most]).map_err(timed_out)?;
        self.room -= got;
        Ok(got)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.stream.set_write_timeout(Some(left(self.until)?))?;
        self.stream.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

/// The kernel calls a time limit of a socket "would block".
fn timed_out(error: Error) -> Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}
