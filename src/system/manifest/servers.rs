//! Directives about the servers of a host in memory.

use std::collections::BTreeMap;

use super::number;
use crate::model::Observed;
use crate::model::answers::{RedisAnswer, ServerAnswer};
use crate::system::memory::Answers;

/// `deaf PORT`: nothing listens there any more.
pub(super) fn deafen(answers: &mut Answers, port: &str) {
    answers.listeners.retain(|listener| listener.port.to_string() != port);
    answers.servers.retain(|address, _| address.rsplit_once(':').is_none_or(|(_, other)| other != port));
}

/// `server ADDRESS is|says|silent WORDS`
pub(super) fn server(words: &[&str]) -> Result<Observed<ServerAnswer>, String> {
    let [_, how, said @ ..] = words else { return Err("write: server ADDRESS is|says|silent WORDS".into()) };
    let said = said.join(" ");
    match *how {
        "is" => Ok(Observed::Found(Ok(said))),
        "says" => Ok(Observed::Found(Err(said))),
        "silent" => Ok(Observed::Unreadable(said)),
        _ => Err(format!("no such word about a server: {how}")),
    }
}

/// The answer of a Redis that replies this to PING.
pub(super) fn redis(reply: &str, pairs: &[(&str, &str)]) -> Result<RedisAnswer, String> {
    if reply != "PONG" {
        let unread = || format!("the server refused: {reply}");
        return Ok(RedisAnswer {
            ping: Err(reply.into()),
            config: Observed::Unreadable(unread()),
            process_id: Observed::Unreadable(unread()),
            config_file: Observed::Unreadable(unread()),
        });
    }
    let mut config: BTreeMap<String, String> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.replace(',', " "))).collect();
    let process_id = match config.remove("process_id") {
        Some(text) => Observed::Found(number(&text)?),
        None => Observed::Unreadable("INFO server has no process_id".into()),
    };
    let config_file = Observed::Found(config.remove("config_file").unwrap_or_default());
    Ok(RedisAnswer { ping: Ok(reply.into()), config: Observed::Found(config), process_id, config_file })
}
