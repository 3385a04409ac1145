//! Redis by its protocol. An error reply is an answer; no connection or no reply in time is not.
//!
//! The crate knows the protocol; the connection is ours, since whoever answers may never come to an end. A password
//! is sent, and an answer believed, only where the process that answers is one of the unit that should.
//!
//! So the `redis` crate gives the words of the few questions, and `system::os::line` the connection, with one deadline
//! and a bound on all replies.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use redis::{Cmd, Parser, RedisError, RedisResult, Value, from_redis_value};

use super::line::Line;
use super::live::believed;
use super::owner::{self, Owner};
use crate::model::Observed;
use crate::model::answers::{RedisAnswer, RedisQuestion};

/// For the whole conversation.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// All replies together: INFO has a few KiB, the rest some bytes.
const ROOM: usize = 128 << 10;

/// What became of a connection to a server.
pub(super) enum Greeted {
    /// The one that should answer has said so.
    Ready(Connection, String),
    /// It answers with this error.
    Refused(String),
    /// Nobody listens: that is an answer of the kernel.
    Closed,
    /// Nobody knows.
    Unknown(String),
}

/// Connects, finds out who answers, and tells the password where it may be told.
pub(super) fn greet(question: &RedisQuestion<'_>, limit: Duration, room: usize) -> Greeted {
    let address = question.address;
    let line = match Line::open(address, limit, room) {
        Ok(line) => line,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Greeted::Closed,
        Err(error) => return Greeted::Unknown(format!("{address} could not be asked: {error}")),
    };
    let mut connection = Connection { line, parser: Parser::new() };
    let mut pong = match connection.ping(address) {
        Ok(pong) => pong,
        Err(why) => return Greeted::Unknown(why),
    };
    // Only a process that has answered has taken the connection.
    let owner = match connection.line.ends() {
        Ok(ends) => question.unit.map(|unit| (owner::of_connection(ends, unit), unit)),
        Err(error) => return Greeted::Unknown(format!("{address}: {error}")),
    };
    if let Some((owner, unit)) = &owner
        && let Observed::Unreadable(why) = believed(owner, address, unit)
    {
        return Greeted::Unknown(why);
    }
    if let Some(password) = question.password {
        if may_be_told(owner.as_ref().map(|(owner, _)| owner), question, &connection) {
            match connection.query::<Value>(redis::cmd("AUTH").arg(password)) {
                Ok(_) => {}
                Err(error) if is_reply(&error) => return Greeted::Refused(error.to_string()),
                Err(error) => return Greeted::Unknown(format!("{address}: {}", plain(&error))),
            }
            pong = match connection.ping(address) {
                Ok(pong) => pong,
                Err(why) => return Greeted::Unknown(why),
            };
        } else if pong.is_err() {
            let why = "it is not known whose process answers, so it was not told the password";
            return Greeted::Unknown(format!("{address}: {why}"));
        }
    }
    match pong {
        Ok(pong) => Greeted::Ready(connection, pong),
        Err(reply) => Greeted::Refused(reply),
    }
}

pub(super) fn ask(question: &RedisQuestion<'_>) -> Observed<RedisAnswer> {
    let (mut connection, pong) = match greet(question, TIME_LIMIT, ROOM) {
        Greeted::Ready(connection, pong) => (connection, pong),
        Greeted::Refused(reply) => return Observed::Found(refused(reply)),
        Greeted::Closed => return Observed::Absent,
        Greeted::Unknown(why) => return Observed::Unreadable(why),
    };
    let Some(parameters) = question.parameters else {
        let (config, process_id, config_file) = (Observed::Absent, Observed::Absent, Observed::Absent);
        return Observed::Found(RedisAnswer { ping: Ok(pong), config, process_id, config_file });
    };
    let config = config(&mut connection, parameters);
    let info = info(&mut connection);
    Observed::Found(RedisAnswer {
        ping: Ok(pong),
        config,
        process_id: field(&info, "process_id").and_then(|text| match text.parse() {
            Ok(pid) => Observed::Found(pid),
            Err(_) => Observed::Unreadable(format!("INFO gives the process id {text:?}")),
        }),
        config_file: field(&info, "config_file"),
    })
}

/// What the server says to one command, which never stands on a command line; absent where it says that there is nothing.
pub fn redis_says(question: &RedisQuestion<'_>, words: &[&str]) -> Observed<String> {
    let mut connection = match greet(question, TIME_LIMIT, ROOM) {
        Greeted::Ready(connection, _) => connection,
        Greeted::Refused(reply) => return Observed::Unreadable(format!("the server refused: {reply}")),
        Greeted::Closed => {
            return Observed::Unreadable(format!("no process listens on {}", question.address));
        }
        Greeted::Unknown(why) => return Observed::Unreadable(why),
    };
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    match connection.query::<Option<String>>(&command) {
        Ok(said) => said.map_or(Observed::Absent, Observed::Found),
        Err(error) => Observed::Unreadable(plain(&error)),
    }
}

/// Whether the other end may be told the password: a process of the unit, or the other host that the contract names.
/// A service's own caller tells nothing that the service would not tell itself.
fn may_be_told(owner: Option<&Owner>, question: &RedisQuestion<'_>, connection: &Connection) -> bool {
    match owner {
        Some(Owner::Unit) => true,
        Some(Owner::Remote) => question.is_stated,
        Some(Owner::Unknown(_)) => !rustix::process::geteuid().is_root(),
        Some(Owner::Other) => false,
        None => {
            let is_remote = connection.line.ends().is_ok_and(|(server, own)| server.ip() != own.ip());
            question.is_stated && is_remote
        }
    }
}

/// A conversation.
pub(super) struct Connection {
    /// What it goes over; nothing is left in the parser between a reply and the next question.
    pub line: Line,
    parser: Parser,
}

impl Connection {
    fn query<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        self.line.write_all(&command.get_packed_command())?;
        let value = self.parser.parse_value(&mut self.line)?.extract_error()?;
        Ok(from_redis_value(value)?)
    }

    /// The reply to PING, which may be an error; otherwise why there is none.
    fn ping(&mut self, address: &str) -> Result<Result<String, String>, String> {
        match self.query(&redis::cmd("PING")) {
            Ok(pong) => Ok(Ok(pong)),
            Err(error) if is_reply(&error) => Ok(Err(error.to_string())),
            Err(error) => Err(format!("{address} gave no answer to PING: {}", plain(&error))),
        }
    }
}

/// True for what the server itself said, false for what happened to the connection.
fn is_reply(error: &RedisError) -> bool {
    error.code().is_some()
}

fn plain(error: &RedisError) -> String {
    if error.is_timeout() { "timed out".into() } else { error.to_string() }
}

fn refused(reply: String) -> RedisAnswer {
    let unread = || format!("the server refused: {reply}");
    RedisAnswer {
        ping: Err(reply.clone()),
        config: Observed::Unreadable(unread()),
        process_id: Observed::Unreadable(unread()),
        config_file: Observed::Unreadable(unread()),
    }
}

fn config(connection: &mut Connection, parameters: &[&str]) -> Observed<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for parameter in parameters {
        match connection.query::<BTreeMap<String, String>>(redis::cmd("CONFIG").arg("GET").arg(parameter)) {
            Ok(values) => found.extend(values),
            Err(error) => return Observed::Unreadable(format!("CONFIG GET {parameter}: {}", plain(&error))),
        }
    }
    Observed::Found(found)
}

fn info(connection: &mut Connection) -> Observed<String> {
    match connection.query(redis::cmd("INFO").arg("server")) {
        Ok(text) => Observed::Found(text),
        Err(error) => Observed::Unreadable(format!("INFO server: {}", plain(&error))),
    }
}

fn field(info: &Observed<String>, name: &str) -> Observed<String> {
    info.as_ref().and_then(|text| {
        match text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')) {
            Some(value) => Observed::Found(value.trim().to_owned()),
            None => Observed::Unreadable(format!("INFO server has no {name}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    /// Somebody who answers each request with the next of these, and tells what was said to them.
    fn server(answers: Vec<Vec<u8>>, pause: Duration) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (say, hear) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut request = [0; 1024];
                let got = stream.read(&mut request).unwrap_or(0);
                let _ = say.send(String::from_utf8_lossy(&request[..got]).into_owned());
                if pause.is_zero() {
                    let _ = stream.write_all(&answer);
                    continue;
                }
                for byte in answer {
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            }
        });
        (address, hear)
    }

    fn question<'a>(address: &'a str, unit: Option<&'a str>, password: Option<&'a str>) -> RedisQuestion<'a> {
        RedisQuestion { address, password, parameters: None, unit, is_stated: true }
    }

    #[test]
    fn a_byte_a_second_comes_to_an_end() {
        let start = Instant::now();
        let (address, _hear) = server(vec![b"+PONG and so on and on\r\n".to_vec()], Duration::from_secs(1));
        let answer = ask(&question(&address, None, None));
        assert!(matches!(&answer, Observed::Unreadable(why) if why.contains("timed out")), "{answer:?}");
        assert!(start.elapsed() < TIME_LIMIT + Duration::from_secs(2));
    }

    #[test]
    fn a_giant_reply_is_cut() {
        for start in ["$2147483647\r\n", "*2147483647\r\n"] {
            let mut reply = start.as_bytes().to_vec();
            reply.extend(":1\r\n".repeat(100_000).as_bytes());
            let (address, _hear) = server(vec![reply], Duration::ZERO);
            let answer = ask(&question(&address, None, None));
            assert!(matches!(&answer, Observed::Unreadable(_)), "{start}: {answer:?}");
        }
    }

    #[test]
    fn a_stranger_is_told_no_password_and_not_believed() {
        // Others cannot see whose the server is.
        if crate::skip::without_root() {
            return;
        }
        let said = |reply: &str| {
            let (address, hear) = server(vec![reply.as_bytes().to_vec(); 3], Duration::ZERO);
            let answer = ask(&question(&address, Some("golden-no-such-unit.service"), Some("s3cret")));
            let unstated = ask(&question(&address, None, None));
            drop(unstated);
            (answer, hear.try_iter().collect::<String>())
        };
        for reply in ["+PONG\r\n", "-NOAUTH Authentication required.\r\n"] {
            let (answer, heard) = said(reply);
            assert!(!heard.contains("s3cret"), "{heard}");
            assert!(matches!(answer, Observed::Unreadable(_)), "{answer:?}");
        }
    }

    #[test]
    fn a_plain_answer_is_an_answer() {
        let (address, _hear) = server(vec![b"+PONG\r\n".to_vec()], Duration::ZERO);
        let Observed::Found(answer) = ask(&question(&address, None, None)) else { panic!("no answer") };
        assert_eq!(answer.ping, Ok("PONG".to_owned()));
        let (address, _hear) = server(vec![b"-NOAUTH Authentication required.\r\n".to_vec()], Duration::ZERO);
        let Observed::Found(answer) = ask(&question(&address, None, None)) else { panic!("no answer") };
        assert!(answer.ping.unwrap_err().contains("NOAUTH"));
    }
    #[test]
    fn one_command_has_one_answer() {
        let said = |reply: &str| {
            let replies = vec![b"+PONG\r\n".to_vec(), reply.as_bytes().to_vec()];
            let (address, hear) = server(replies, Duration::ZERO);
            let said = redis_says(&question(&address, None, None), &["get", "a key"]);
            let heard: String = hear.iter().take(2).collect();
            assert!(heard.ends_with("*2\r\n$3\r\nget\r\n$5\r\na key\r\n"), "{heard:?}");
            said
        };
        assert_eq!(said("$4\r\n0.02\r\n"), Observed::Found("0.02".to_owned()));
        assert_eq!(said("+OK\r\n"), Observed::Found("OK".to_owned()));
        assert_eq!(said("$-1\r\n"), Observed::Absent);
        for reply in ["-WRONGTYPE no string\r\n", "*1\r\n$1\r\na\r\n", "$2\r\n\u{0}\r\n", ""] {
            assert!(matches!(said(reply), Observed::Unreadable(_)), "{reply:?}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        assert!(matches!(redis_says(&question(&closed, None, None), &["get", "k"]), Observed::Unreadable(_)));
    }

    #[test]
    fn a_stranger_gets_no_command() {
        let (address, hear) = server(vec![b"+PONG\r\n".to_vec(); 3], Duration::ZERO);
        let asked = question(&address, Some("golden-no-such-unit.service"), Some("s3cret"));
        let said = redis_says(&asked, &["config", "set", "appendonly", "yes"]);
        if !crate::skip::without_root() {
            assert!(matches!(said, Observed::Unreadable(_)), "{said:?}");
            let heard: String = hear.try_iter().collect();
            assert!(!heard.contains("appendonly") && !heard.contains("s3cret"), "{heard}");
        }
    }
}
