//! Each protocol with answers that servers of it give, and with ones that are none. Real servers are asked on a machine
//! (`tests/machines/servers.rs`).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use super::*;

/// What golden makes of a server that hears something and says this, by TCP.
fn asked(protocol: &Protocol, reply: &[u8]) -> Observed<ServerAnswer> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let reply = reply.to_vec();
    let speaks_first = *protocol == Protocol::Mysql;
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if !speaks_first {
            let _ = stream.read(&mut [0; 1024]);
        }
        let _ = stream.write_all(&reply);
    });
    let answer = ask(&ServerQuestion { address: &address, protocol, unit: None, caller: None });
    server.join().unwrap();
    answer
}

fn http(statuses: (u16, u16)) -> Protocol {
    Protocol::Http { get: "/health".to_owned(), statuses }
}

fn postgres(role: Option<&str>) -> Protocol {
    Protocol::Postgres { role: role.map(str::to_owned), database: None }
}

fn database() -> Protocol {
    Protocol::Postgres { role: Some("app".to_owned()), database: Some("app".to_owned()) }
}

/// A message of PostgreSQL.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn error(code: &str, words: &str, routine: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{words}\0R{routine}\0\0").as_bytes())
}

#[test]
fn what_a_server_of_its_protocol_says_is_heard() {
    let greeting = b"\x1b\0\0\0\x0a10.11.6-MariaDB\0and so on.";
    let start = b"\x01\0\0\0\0\x01\xfd\0\x0a\0\x0a\0\x09and its properties";
    let trusted = [message(b'R', &[0; 4]), message(b'S', b"a\0b\0"), message(b'Z', b"I")].concat();
    let cases: &[(Protocol, &[u8], ServerAnswer)] = &[
        (http((200, 399)), b"HTTP/1.1 302 Found\r\n", Ok("HTTP/1.1 302 Found".into())),
        (http((200, 200)), b"HTTP/1.0 503 Busy\r\n", Err("answers GET /health with 503".into())),
        (http((200, 399)), b"SSH-2.0-OpenSSH_9.2\r\n", Err("does not speak HTTP".into())),
        (Protocol::Memcached, b"VERSION 1.6.18\r\n", Ok("VERSION 1.6.18".into())),
        (Protocol::Memcached, b"ERROR\r\n", Err("does not speak memcached's protocol".into())),
        (Protocol::Mysql, greeting, Ok("10.11.6-MariaDB".into())),
        (
            Protocol::Mysql,
            b"\x1a\0\0\0\xff\x10\x04Too many connections!!!",
            Err("says: Too many connections!!!".into()),
        ),
        (Protocol::Mysql, b"SSH-2.0-OpenSSH_9.2\r\n", Err("does not speak MySQL's protocol".into())),
        (Protocol::Amqp, start, Ok("AMQP 0-9".into())),
        (Protocol::Amqp, b"AMQP\0\x01\0\0", Err("speaks another version of AMQP than 0-9-1".into())),
        (Protocol::Amqp, b"HTTP/1.1 400 Bad Request\r\n", Err("does not speak AMQP".into())),
        (postgres(None), b"N", Ok(String::new())),
        (postgres(None), b"HTTP/1.1 400 Bad Request\r\n", Err("does not speak PostgreSQL's protocol".into())),
        (postgres(Some("app")), &trusted, Ok(String::new())),
        (
            database(),
            &error("3D000", "Datenbank \u{bb}app\u{ab} existiert nicht", "InitPostgres"),
            Err("says: Datenbank \u{bb}app\u{ab} existiert nicht (3D000)".into()),
        ),
        (
            postgres(Some("app")),
            &error("28000", "role \"app\" does not exist", "InitializeSessionUserId"),
            Err("says: role \"app\" does not exist (28000)".into()),
        ),
        // Nobody named a database.
        (
            postgres(Some("app")),
            &error("3D000", "database \"app\" does not exist", "InitPostgres"),
            Ok("it has the role".into()),
        ),
        (Protocol::Any, b"", Ok(String::new())),
    ];
    for (protocol, reply, answer) in cases {
        assert_eq!(asked(protocol, reply), Observed::Found(answer.clone()), "{protocol:?}");
    }
}

#[test]
fn who_may_come_in_is_not_what_is_there() {
    for reply in [
        message(b'R', &[0, 0, 0, 10, b'S']),
        error("28000", "Peer authentication failed for user \"app\"", "auth_failed"),
        error("28000", "no pg_hba.conf entry for host", "ClientAuthentication"),
    ] {
        let answer = asked(&postgres(Some("app")), &reply);
        assert!(
            matches!(&answer, Observed::Unreadable(why) if why.contains("not whether the role")),
            "{answer:?}"
        );
    }
}

#[test]
fn a_server_that_hangs_up_has_answered_and_a_silent_one_has_not() {
    for protocol in [http((200, 399)), postgres(Some("app")), Protocol::Mysql, Protocol::Amqp] {
        let hung_up = Err("closes the connection without an answer".to_owned());
        assert_eq!(asked(&protocol, b""), Observed::Found(hung_up), "{protocol:?}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let answer =
        ask(&ServerQuestion { address: &address, protocol: &Protocol::Mysql, unit: None, caller: None });
    assert!(matches!(answer, Observed::Unreadable(_)), "{answer:?}");
}

#[test]
fn what_golden_does_not_speak_is_not_wrong() {
    // What OpenSSL says to a client that does not begin a handshake: a fatal alert, unexpected_message.
    let alert = b"\x15\x03\x01\x00\x02\x02\x0a";
    for protocol in [http((200, 399)), Protocol::Amqp, Protocol::Memcached] {
        let answer = asked(&protocol, alert);
        assert!(
            matches!(&answer, Observed::Unreadable(why) if why.contains("TLS")),
            "{protocol:?} {answer:?}"
        );
    }
    let binary = asked(&Protocol::Memcached, b"");
    assert!(matches!(&binary, Observed::Unreadable(why) if why.contains("binary")), "{binary:?}");
}

#[test]
fn what_is_asked_behind_a_question_mark_is_not_told() {
    let protocol = Protocol::Http { get: "/health?token=s3cret".to_owned(), statuses: (200, 399) };
    let answer = asked(&protocol, b"HTTP/1.1 403 Forbidden\r\n");
    assert_eq!(answer, Observed::Found(Err("answers GET /health with 403".to_owned())));
}

#[test]
fn a_unix_socket_is_there_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let address = path.to_str().unwrap();
    let question = ServerQuestion { address, protocol: &Protocol::Any, unit: None, caller: None };
    assert_eq!(ask(&question), Observed::Absent);
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(ask(&question), Observed::Found(Ok(String::new())));
    drop(listener);
    // The file of a server that has gone stays.
    assert!(path.exists());
    assert_eq!(ask(&question), Observed::Absent);
}

#[test]
fn whatever_is_said_golden_comes_to_an_end() {
    let mut seed = 7_u32;
    let mut byte = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let kinds = [b'R', b'E', b'v', b'N', 1, 10, 0xff, 0];
    for round in 0..200 {
        let mut said: Vec<u8> = (0..round % 40).map(|_| byte()).collect();
        said.insert(0, kinds[round % kinds.len()]);
        let mut line = std::io::Cursor::new(said);
        for role in [None, Some("app")] {
            line.set_position(0);
            let _ = postgres::talk(&mut Half(&mut line), role, None);
        }
        line.set_position(0);
        let _ = mysql::talk(&mut line);
        line.set_position(0);
        let _ = amqp::talk(&mut Half(&mut line));
        line.set_position(0);
        let _ = http::talk(&mut Half(&mut line), "a:1", "/", (200, 399));
        line.set_position(0);
        let _ = memcached::talk(&mut Half(&mut line));
    }
}

/// A connection of which one half is written down and the other one takes everything.
struct Half<'a>(&'a mut std::io::Cursor<Vec<u8>>);

impl Read for Half<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.0.read(into)
    }
}

impl Write for Half<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
