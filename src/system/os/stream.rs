//! A Redis stream, read from its newest event back. Events come in batches and are handed on one by one; what a batch may
//! hold is bounded by the largest event so far, so that neither golden nor the server has to hold much.
//!
//! The `redis` crate holds a whole reply; this reader holds 64 KiB. Batches are only as large as the largest event so
//! far allows, so a forger's values do not fill the server's buffer either. The next batch is bounded by arithmetic on
//! ids, not by `(`, which older servers do not know.

use std::io::{Result, Write};
use std::ops::Range;
use std::time::Duration;

use super::line::Line;
use super::redis::{Greeted, greet};
use super::resp::{Head, Replies, wrong};
use crate::model::Observed;
use crate::model::answers::{MOST_STREAM_EVENT, MOST_STREAM_VALUE, StreamEvent, StreamId, StreamQuestion};

/// For all of it.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// All replies together.
const ROOM: usize = 1 << 30;

/// What is read at once.
const BUFFER: usize = 64 << 10;

/// A batch is to hold about so many bytes.
const BATCH: u64 = 256 << 10;

/// Events of the first batch, when it is not known how large they are, and of the largest.
const FIRST_BATCH: u64 = 16;
const MOST_BATCH: u64 = 2_000;

/// What a field takes on the way beside the bytes of its name and its value: a million empty ones are no small event.
const FIELD: u64 = "$1\r\n\r\n$1\r\n\r\n".len() as u64;

/// No name of a wanted field is longer, and no id.
const LONGEST_NAME: u64 = 256;

pub(super) fn read(question: &StreamQuestion<'_>, each: &mut dyn FnMut(&StreamEvent<'_>)) -> Observed<u64> {
    let address = question.server.address;
    let connection = match greet(&question.server, TIME_LIMIT, ROOM) {
        Greeted::Ready(connection, _) => connection,
        Greeted::Refused(reply) => {
            return Observed::Unreadable(format!("{address}: the server refused: {reply}"));
        }
        Greeted::Closed => return Observed::Unreadable(format!("{address}: connection refused")),
        Greeted::Unknown(why) => return Observed::Unreadable(why),
    };
    let reader = Reader {
        replies: Replies::new(connection.line, BUFFER),
        question,
        largest: 0,
        name: Vec::new(),
        wanted: vec![Value::default(); question.fields.len()],
        held: Held::default(),
    };
    match reader.read(each) {
        Ok(answer) => answer,
        Err(error) => Observed::Unreadable(format!("{address}: {}: {error}", question.key)),
    }
}

struct Reader<'a, 'q> {
    replies: Replies<Line>,
    question: &'a StreamQuestion<'q>,
    /// Bytes of the largest event so far.
    largest: u64,
    /// The name of a field.
    name: Vec<u8>,
    /// The values of the wanted fields in one event, in the order of the question.
    wanted: Vec<Value>,
    /// Events that were read and not handed on.
    held: Held,
}

/// The value of a wanted field in one event: where it lies among what is held.
#[derive(Clone, Default)]
struct Value {
    at: Range<usize>,
    is_there: bool,
}

/// Events of a batch. They are handed on when the next batch is asked for, so that the server makes it ready meanwhile.
#[derive(Default)]
struct Held {
    /// The wanted values, one after the other.
    bytes: Vec<u8>,
    /// For each event, the place of each wanted value.
    values: Vec<Option<Range<usize>>>,
    events: Vec<(StreamId, Option<String>)>,
}

impl Held {
    /// Hands all of them on; the room is kept for the next.
    fn hand_on(&mut self, fields: usize, each: &mut dyn FnMut(&StreamEvent<'_>)) {
        let mut values = Vec::with_capacity(fields);
        for ((id, defect), places) in self.events.drain(..).zip(self.values.chunks(fields.max(1))) {
            values.clear();
            values.extend(places.iter().map(|place| place.clone().map(|place| &self.bytes[place])));
            each(&StreamEvent { id, values: &values, defect });
        }
        self.values.clear();
        self.bytes.clear();
    }
}

impl Reader<'_, '_> {
    fn read(mut self, each: &mut dyn FnMut(&StreamEvent<'_>)) -> Result<Observed<u64>> {
        if let Some(other) = self.other_than_stream()? {
            return Ok(other);
        }
        let (mut given, mut until) = (0, None);
        let mut wanted = FIRST_BATCH.min(self.question.most);
        let mut is_asked = wanted > 0 && self.ask_batch(wanted, until)?;
        while is_asked {
            let got = match self.batch(wanted, &mut until, each)? {
                Observed::Found(got) => got,
                other => return Ok(other),
            };
            given += got;
            is_asked = false;
            if got == wanted && given < self.question.most {
                let batch = (BATCH / self.largest.max(1)).clamp(1, MOST_BATCH);
                wanted = batch.min(self.question.most - given);
                is_asked = self.ask_batch(wanted, until)?;
            }
            self.held.hand_on(self.question.fields.len(), each);
        }
        Ok(Observed::Found(given))
    }

    /// What the key holds, where that is no stream.
    fn other_than_stream(&mut self) -> Result<Option<Observed<u64>>> {
        self.ask(&["TYPE", self.question.key])?;
        let refused = |what: String| Some(Observed::Unreadable(what));
        Ok(match self.replies.head()? {
            Head::Simple(kind) if kind == "stream" => None,
            Head::Simple(kind) if kind == "none" => Some(Observed::Absent),
            Head::Simple(kind) => {
                refused(format!("{} holds a {kind}, where a stream belongs", self.question.key))
            }
            Head::Error(reply) => refused(format!("the server refused TYPE: {reply}")),
            _ => return Err(wrong("no type of a key")),
        })
    }

    fn ask(&mut self, words: &[&str]) -> Result<()> {
        let mut command = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| command.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        self.replies.line().write_all(command.as_bytes())
    }

    /// Asks for the next events before `until`, at most so many; false where there can be none.
    fn ask_batch(&mut self, wanted: u64, until: Option<StreamId>) -> Result<bool> {
        let newest = match until.map(StreamId::before) {
            None => "+".to_owned(),
            Some(Some(before)) => before.to_string(),
            Some(None) => return Ok(false),
        };
        let oldest = self.question.since.to_string();
        self.ask(&["XREVRANGE", self.question.key, &newest, &oldest, "COUNT", &wanted.to_string()])?;
        Ok(true)
    }

    /// Reads the events that were asked for; how many there were.
    fn batch(
        &mut self,
        wanted: u64,
        until: &mut Option<StreamId>,
        each: &mut dyn FnMut(&StreamEvent<'_>),
    ) -> Result<Observed<u64>> {
        let count = match self.replies.head()? {
            Head::Array(count) if count <= wanted => count,
            Head::Error(reply) => {
                return Ok(Observed::Unreadable(format!("the server refused XREVRANGE: {reply}")));
            }
            _ => return Err(wrong("no list of events")),
        };
        for _ in 0..count {
            let id = self.id()?;
            if until.is_some_and(|last| id >= last) {
                return Err(wrong("events out of order"));
            }
            *until = Some(id);
            self.event(id)?;
            // Of events that are suddenly larger no more is held than of others.
            if self.held.bytes.len() as u64 > BATCH {
                self.held.hand_on(self.question.fields.len(), each);
            }
        }
        Ok(Observed::Found(count))
    }

    fn id(&mut self) -> Result<StreamId> {
        if self.replies.head()? != Head::Array(2) {
            return Err(wrong("no event"));
        }
        let mut text = Vec::new();
        match self.replies.head()? {
            Head::Bulk(length) if length <= LONGEST_NAME => self.replies.take(length, &mut text)?,
            _ => return Err(wrong("no id of an event")),
        }
        let id = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        id.ok_or_else(|| wrong("no id of an event"))
    }

    /// Reads the fields of an event and holds what is wanted of them.
    fn event(&mut self, id: StreamId) -> Result<()> {
        let parts = match self.replies.head()? {
            Head::Array(parts) if parts % 2 == 0 => parts,
            _ => return Err(wrong("no fields of an event")),
        };
        self.wanted.iter_mut().for_each(|value| value.is_there = false);
        let (mut bytes, mut defect) = (0_u64, None);
        for _ in 0..parts / 2 {
            let (field, name) = self.name()?;
            let size = self.length()?;
            bytes = bytes.saturating_add(name).saturating_add(size).saturating_add(FIELD);
            let why = self.value(field, size)?;
            defect = defect.or(why);
        }
        if bytes > MOST_STREAM_EVENT && defect.is_none() {
            defect = Some(format!("it holds {bytes} bytes, more than {MOST_STREAM_EVENT}"));
        }
        self.largest = self.largest.max(bytes);
        self.held.values.extend(self.wanted.iter().map(|value| value.is_there.then(|| value.at.clone())));
        self.held.events.push((id, defect));
        Ok(())
    }

    /// Which of the wanted fields comes next, and how long its name is.
    fn name(&mut self) -> Result<(Option<usize>, u64)> {
        let length = self.length()?;
        if length > LONGEST_NAME {
            self.replies.skip(length)?;
            return Ok((None, length));
        }
        self.name.clear();
        self.replies.take(length, &mut self.name)?;
        let fields = self.question.fields;
        Ok((fields.iter().position(|field| field.as_bytes() == self.name), length))
    }

    /// Takes the value of a wanted field, and passes over any other; why the event cannot be taken as it is.
    fn value(&mut self, field: Option<usize>, size: u64) -> Result<Option<String>> {
        let Some(at) = field else {
            self.replies.skip(size)?;
            return Ok(None);
        };
        let (name, value) = (self.question.fields[at], &mut self.wanted[at]);
        let defect = match (value.is_there, size > MOST_STREAM_VALUE) {
            (true, _) => Some(format!("{name} occurs twice")),
            (_, true) => Some(format!("{name} holds {size} bytes, more than {MOST_STREAM_VALUE}")),
            _ => None,
        };
        let start = self.held.bytes.len();
        match defect {
            Some(_) => self.replies.skip(size)?,
            None => self.replies.take(size, &mut self.held.bytes)?,
        }
        if !value.is_there {
            *value = Value { at: start..self.held.bytes.len(), is_there: true };
        }
        Ok(defect)
    }

    fn length(&mut self) -> Result<u64> {
        match self.replies.head()? {
            Head::Bulk(length) => Ok(length),
            _ => Err(wrong("no field of an event")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::model::answers::RedisQuestion;

    /// A server that says these replies, one to each request, whatever is asked.
    fn said(replies: &[String]) -> (Observed<u64>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut answers = vec!["+PONG\r\n".to_owned(), "+stream\r\n".to_owned()];
        answers.extend_from_slice(replies);
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut request = [0; 1024];
                if stream.read(&mut request).unwrap_or(0) == 0 || stream.write_all(answer.as_bytes()).is_err()
                {
                    return;
                }
            }
        });
        let server_asked = RedisQuestion {
            address: &address,
            password: None,
            parameters: None,
            unit: None,
            is_stated: true,
        };
        let question =
            StreamQuestion { server: server_asked, key: "s", fields: &["f", "g"], most: 40, since: 0 };
        let mut events = Vec::new();
        let answer = read(&question, &mut |event| {
            let values: Vec<String> = event
                .values
                .iter()
                .map(|value| {
                    value.map_or("-".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
                })
                .collect();
            events.push(format!(
                "{} {} {}",
                event.id,
                values.join(","),
                event.defect.clone().unwrap_or_default()
            ));
        });
        server.join().unwrap();
        (answer, events)
    }

    fn event(id: &str, fields: &[(&str, &str)]) -> String {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let fields_said: String = fields.iter().map(|(name, value)| bulk(name) + &bulk(value)).collect();
        format!("*2\r\n{}*{}\r\n{fields_said}", bulk(id), 2 * fields.len())
    }

    #[test]
    fn events_come_in_batches_until_there_are_no_more() {
        let first: String = (0..16).map(|at| event(&format!("{}-0", 90 - at), &[("f", "1")])).collect();
        let last = event("70-3", &[("x", "y"), ("g", "a\r\nb"), ("f", "2")]);
        let (answer, events) = said(&[format!("*16\r\n{first}"), format!("*1\r\n{last}")]);
        assert_eq!(answer, Observed::Found(17));
        assert_eq!(events[0], "90-0 1,- ");
        assert_eq!(events[16], "70-3 2,a\r\nb ");
    }

    #[test]
    fn what_no_event_should_be_is_named_and_passed_over() {
        let giant = "x".repeat(70 << 10);
        let list = [
            event("9-0", &[("f", "1"), ("f", "2")]),
            event("8-0", &[("f", &giant), ("g", "2")]),
            event("7-0", &[("other", &giant.repeat(4)), ("f", "3")]),
            event("6-0", &[]),
        ];
        let (answer, events) = said(&[format!("*4\r\n{}", list.concat())]);
        assert_eq!(answer, Observed::Found(4));
        assert!(events[0].ends_with("f occurs twice") && events[1].contains("f holds 71680 bytes"));
        assert!(events[2].starts_with("7-0 3,- it holds 286") && events[3] == "6-0 -,- ", "{events:?}");
    }

    #[test]
    fn who_does_not_keep_to_the_protocol_is_not_believed() {
        let one = event("5-0", &[("f", "1")]);
        for reply in [
            format!("*2\r\n{one}{one}"),
            format!("*2\r\n{}{one}", event("4-0", &[("f", "1")])),
            format!("*17\r\n{}", one.repeat(17)),
            "*1\r\n*2\r\n$1\r\nx\r\n*0\r\n".to_owned(),
            "*1\r\n*2\r\n$3\r\n5-0\r\n*1\r\n$1\r\nf\r\n".to_owned(),
            "*1\r\n*3\r\n".to_owned(),
            "$-1\r\n".to_owned(),
            "-NOPERM this user has no permissions\r\n".to_owned(),
            "-WRONGTYPE Operation against a key\r\n".to_owned(),
            "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
            String::new(),
        ] {
            let (answer, _) = said(std::slice::from_ref(&reply));
            assert!(matches!(answer, Observed::Unreadable(_)), "{reply:?}: {answer:?}");
        }
    }
}
