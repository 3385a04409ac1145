//! Redis by its protocol. An error reply is an answer; no connection or no reply in time is not.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Client, Connection, IntoConnectionInfo, RedisError, RedisResult};

use crate::model::Observed;
use crate::model::answers::{RedisAnswer, RedisQuestion};

const TIME_LIMIT: Duration = Duration::from_secs(2);

pub(super) fn ask(question: &RedisQuestion<'_>) -> Observed<RedisAnswer> {
    let mut connection = match connect(question) {
        Ok(connection) => connection,
        Err(error) if is_reply(&error) => return Observed::Found(refused(error.to_string())),
        // Nobody listens: that is an answer of the kernel.
        Err(error) if error.is_connection_refusal() => return Observed::Absent,
        Err(error) => {
            return Observed::Unreadable(format!(
                "{} could not be asked: {}",
                question.address,
                plain(&error)
            ));
        }
    };
    match redis::cmd("PING").query::<String>(&mut connection) {
        Ok(pong) => {
            let Some(parameters) = question.parameters else {
                let (config, process_id, config_file) =
                    (Observed::Absent, Observed::Absent, Observed::Absent);
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
        Err(error) if is_reply(&error) => Observed::Found(refused(error.to_string())),
        Err(error) => {
            Observed::Unreadable(format!("{} gave no answer to PING: {}", question.address, plain(&error)))
        }
    }
}

fn connect(question: &RedisQuestion<'_>) -> RedisResult<Connection> {
    let info = format!("redis://{}/", question.address).into_connection_info()?;
    // Without the name of a library it greets with nothing: one round trip less, and no error in a log of an old server.
    let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
    if let Some(password) = question.password {
        settings = settings.set_password(password);
    }
    let connection =
        Client::open(info.set_redis_settings(settings))?.get_connection_with_timeout(TIME_LIMIT)?;
    connection.set_read_timeout(Some(TIME_LIMIT))?;
    connection.set_write_timeout(Some(TIME_LIMIT))?;
    Ok(connection)
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
        match redis::cmd("CONFIG").arg("GET").arg(parameter).query::<BTreeMap<String, String>>(connection) {
            Ok(values) => found.extend(values),
            Err(error) => return Observed::Unreadable(format!("CONFIG GET {parameter}: {}", plain(&error))),
        }
    }
    Observed::Found(found)
}

fn info(connection: &mut Connection) -> Observed<String> {
    match redis::cmd("INFO").arg("server").query(connection) {
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
