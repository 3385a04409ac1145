//! A connection with an end: a deadline for all of it and a bound on what comes back. Whoever answers on a port may
//! send a byte a second, or without end.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::model::answers::Caller;

/// One connection.
pub(super) struct Line {
    stream: Stream,
    until: Instant,
    room: usize,
    first: Option<u8>,
}

impl Line {
    /// Connects to `host:port`, or to the Unix socket at a path, within a time that the whole conversation has; at most
    /// `room` bytes are read.
    pub(super) fn open(address: &str, limit: Duration, room: usize) -> Result<Self> {
        let until = Instant::now() + limit;
        if address.starts_with('/') {
            return Ok(Self { stream: Stream::Unix(unix(address)?), until, room, first: None });
        }
        let mut last = Error::new(ErrorKind::NotFound, format!("{address} resolves to no address"));
        for address in resolved(address, limit)? {
            match TcpStream::connect_timeout(&address, left(until)?) {
                Ok(stream) => return Ok(Self { stream: Stream::Tcp(stream), until, room, first: None }),
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

    /// The same as another account, where root asks: the other end of a Unix socket sees who connects.
    pub(super) fn open_as(caller: &Caller, address: &str, limit: Duration, room: usize) -> Result<Self> {
        // The kernel keeps the ids of each thread apart, and this one ends.
        let open = || become_caller(caller).and_then(|()| Self::open(address, limit, room));
        let thread = std::thread::scope(|scope| scope.spawn(open).join());
        thread.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Both ends: the server's, and this one.
    pub(super) fn ends(&self) -> Result<(SocketAddr, SocketAddr)> {
        match &self.stream {
            Stream::Tcp(stream) => Ok((stream.peer_addr()?, stream.local_addr()?)),
            Stream::Unix(_) => Err(Error::other("a Unix socket has no ports")),
        }
    }

    /// The process that began to listen on the Unix socket (unix(7), `SO_PEERCRED`), and the path that it bound; none for
    /// TCP.
    pub(super) fn listener(&self) -> Result<Option<(u32, String)>> {
        let Stream::Unix(stream) = &self.stream else { return Ok(None) };
        let pid = rustix::net::sockopt::socket_peercred(stream)?.pid.as_raw_nonzero().get().unsigned_abs();
        let bound = stream.peer_addr()?;
        let path = bound.as_pathname().map(|path| path.to_string_lossy().into_owned());
        Ok(Some((pid, path.unwrap_or_default())))
    }

    /// The first byte that came; none before one did.
    pub(super) fn first(&self) -> Option<u8> {
        self.first
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn limit(&self, left: Duration) -> Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)))
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)))
            }
        }
    }
}

/// Makes this thread alone act as an account. Its real ids stay root's, so that the account may not touch golden.
fn become_caller(caller: &Caller) -> Result<()> {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    let groups: Vec<Gid> = caller.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, Gid::from_raw(caller.gid), None)?;
    set_thread_res_uid(None, Uid::from_raw(caller.uid), None)?;
    Ok(())
}

/// Connects to a Unix socket. One whose listener takes no more connections would be waited for without end.
fn unix(path: &str) -> Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?).map_err(|error| timed_out(error.into()))?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
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
        self.stream.limit(left(self.until)?)?;
        let got = match &mut self.stream {
            Stream::Tcp(stream) => stream.read(&mut buffer[..most]),
            Stream::Unix(stream) => stream.read(&mut buffer[..most]),
        };
        let got = got.map_err(timed_out)?;
        self.room -= got;
        self.first = self.first.or_else(|| buffer[..got].first().copied());
        Ok(got)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.stream.limit(left(self.until)?)?;
        let put = match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        };
        put.map_err(timed_out)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The kernel calls a time limit of a socket "would block".
fn timed_out(error: Error) -> Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}
