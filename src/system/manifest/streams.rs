//! Directives about the streams of a host in memory.

use std::collections::BTreeMap;

use super::{number, pairs};
use crate::model::Observed;
use crate::model::answers::StreamId;
use crate::system::memory::MemoryStream;

/// The field with the answers, as the built-in contract names it.
const FIELD: &str = "model_breakdown";

/// Changes the streams as one line says.
pub(super) fn directive(
    streams: &mut BTreeMap<String, Observed<MemoryStream>>,
    now: i64,
    word: &str,
    words: &[&str],
    body: &[String],
) -> Result<(), String> {
    let (key, rest) = words.split_first().ok_or("a key is missing")?;
    match word {
        "stream" => {
            let (count, rest) = rest.split_first().ok_or("a count is missing")?;
            streams.insert((*key).to_owned(), Observed::Found(made(now, number(count)?, &pairs(rest)?)?));
        }
        "stream-silent" => {
            streams.insert((*key).to_owned(), Observed::Unreadable(rest.join(" ")));
        }
        "stream-gone" => {
            streams.remove(*key);
        }
        _ => {
            let age: i64 = number(rest.first().ok_or("an age is missing")?)?;
            let stream = streams.entry((*key).to_owned()).or_insert(Observed::Found(MemoryStream::new()));
            let Observed::Found(stream) = stream else { return Err("the stream is silent".to_owned()) };
            let fields = body.iter().map(|line| {
                let (name, value) = line.get(2..).unwrap_or("").split_once(' ').unwrap_or_default();
                (name.to_owned(), value.as_bytes().to_vec())
            });
            let mut id = id(now, age);
            while stream.contains_key(&id) {
                id.sequence += 1;
            }
            stream.insert(id, fields.collect());
        }
    }
    Ok(())
}

fn id(now: i64, age: i64) -> StreamId {
    StreamId { ms: u64::try_from((now - age) * 1_000).unwrap_or(0), sequence: 0 }
}

/// Events whose answers go round the actions, with confidences spread evenly from low to high.
fn made(now: i64, count: i64, pairs: &[(&str, &str)]) -> Result<MemoryStream, String> {
    let age = pairs.iter().find(|(name, _)| *name == "age").map_or(Ok(1), |(_, age)| number(age))?;
    let mut models = Vec::new();
    for (name, text) in pairs.iter().filter(|(name, _)| *name != "age") {
        let (actions, range) = text.split_once('@').ok_or("write MODEL=ACTIONS@LOW..HIGH")?;
        let (low, high) = range.split_once("..").ok_or("write LOW..HIGH")?;
        models.push((*name, cycle(actions)?, number::<f64>(low)?, number::<f64>(high)?));
    }
    let event = |at: i64| {
        let answers = models.iter().map(|(name, actions, low, high)| {
            let action = actions[at as usize % actions.len()];
            // Steps of the golden ratio fall evenly into any interval.
            let part = (at as f64 * 0.618_033_988_749_895).fract();
            format!("\"{name}\":{{\"action\":\"{action}\",\"confidence\":{:.4}}}", low + (high - low) * part)
        });
        let answers: Vec<String> = answers.collect();
        let field = (FIELD.to_owned(), format!("{{{}}}", answers.join(",")).into_bytes());
        (id(now, age + count - 1 - at), vec![field])
    };
    Ok((0..count).map(event).collect())
}

/// `BUY,SELL*2` is BUY, SELL, SELL.
fn cycle(text: &str) -> Result<Vec<&str>, String> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (action, times) = part.split_once('*').unwrap_or((part, "1"));
        all.extend(std::iter::repeat_n(action, number(times)?));
    }
    Ok(all)
}
