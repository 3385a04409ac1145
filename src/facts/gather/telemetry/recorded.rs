//! Events that were recorded in a file: one JSON object a line, `{"id": "1767000000000-0", "model_breakdown": …}`, its fields
//! beside the id or in an object `fields`. Oldest first or newest first; the newest of the window are judged.

use std::collections::VecDeque;
use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::{Asked, Count};
use crate::contract::Safety;
use crate::facts::telemetry::Events;
use crate::model::Observed;
use crate::model::answers::{MOST_STREAM_EVENT, MOST_STREAM_VALUE, StreamEvent, StreamId};
use crate::syntax::json;

/// Reads the lines to the end.
pub(super) fn read(file: &mut dyn BufRead, safety: &Safety, asked: &Asked, now: i64) -> Observed<Events> {
    let count = Count::new(safety, asked, now);
    let fields: Vec<&str> = count.fields();
    let mut kept = Kept { events: VecDeque::new(), order: None, window: safety.telemetry.window.value };
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        match next(file, &mut line) {
            Ok(Some(size)) if line.iter().all(u8::is_ascii_whitespace) && size <= MOST_STREAM_EVENT => {}
            Ok(Some(size)) => {
                let event = Recorded::of(&line, size, &fields);
                let kept = event.and_then(|event| kept.keep(event, asked.since.unwrap_or(0)));
                if let Err(why) = kept {
                    return Observed::Unreadable(format!("line {number}: {why}"));
                }
            }
            Ok(None) => break,
            Err(error) => return Observed::Unreadable(format!("line {number}: {error}")),
        }
    }
    Observed::Found(kept.counted(count))
}

/// The next line without its end, and how long it is; what is longer than any event is ignored.
fn next(file: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<u64>> {
    let here: &mut dyn BufRead = file;
    let mut size = here.take(MOST_STREAM_EVENT + 1).read_until(b'\n', line)? as u64;
    if size == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(size - 1));
    }
    while size > MOST_STREAM_EVENT {
        let here = file.fill_buf()?;
        let end = here.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(here.len(), |end| end + 1);
        let is_over = end.is_some() || here.is_empty();
        file.consume(taken);
        size += taken as u64;
        if is_over {
            break;
        }
    }
    Ok(Some(size))
}

/// One line.
struct Recorded {
    id: StreamId,
    values: Vec<Option<Vec<u8>>>,
    defect: Option<String>,
}

impl Recorded {
    /// A line without an id cannot be placed; any other defect is the event's own.
    fn of(line: &[u8], size: u64, fields: &[&str]) -> Result<Self, String> {
        if size > MOST_STREAM_EVENT {
            return Err(format!("it holds {size} bytes, more than any event"));
        }
        let mut object: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| format!("it is not a JSON object: {error}"))?;
        let id = object.remove("id");
        let id = id.as_ref().and_then(Value::as_str).ok_or("it has no id")?.parse()?;
        if let Some(Value::Object(inside)) = object.remove("fields") {
            object = inside;
        }
        let mut defect = json::twin(line).map(|key| format!("{key:?} occurs twice"));
        let mut value = |field: &&str| {
            let bytes = match object.remove(*field)? {
                Value::String(text) => text.into_bytes(),
                other => other.to_string().into_bytes(),
            };
            if bytes.len() as u64 > MOST_STREAM_VALUE {
                defect = Some(format!("{field} holds {} bytes, more than {MOST_STREAM_VALUE}", bytes.len()));
            }
            Some(bytes)
        };
        let values = fields.iter().map(&mut value).collect();
        Ok(Self { id, values, defect })
    }
}

/// The newest events so far. They are in the order of the file.
struct Kept {
    events: VecDeque<Recorded>,
    /// Whether ids grow.
    order: Option<(bool, StreamId)>,
    window: u64,
}

impl Kept {
    fn keep(&mut self, event: Recorded, since: u64) -> Result<(), String> {
        let grows = match self.order {
            None => None,
            Some((_, last)) if last == event.id => return Err(format!("{} occurs twice", event.id)),
            Some((grows, last)) if self.events.len() > 1 && (event.id > last) != grows => {
                return Err(format!("{} is out of order", event.id));
            }
            Some((_, last)) => Some(event.id > last),
        };
        self.order = Some((grows.unwrap_or(true), event.id));
        if event.id.ms < since {
            return Ok(());
        }
        let is_full = self.events.len() as u64 >= self.window;
        match grows {
            Some(false) if is_full => {}
            _ => {
                if is_full {
                    self.events.pop_front();
                }
                self.events.push_back(event);
            }
        }
        Ok(())
    }

    fn counted(self, mut count: Count<'_>) -> Events {
        let grows = self.order.is_some_and(|(grows, _)| grows);
        let mut take = |event: &Recorded| {
            let values: Vec<Option<&[u8]>> = event.values.iter().map(Option::as_deref).collect();
            count.event(&StreamEvent { id: event.id, values: &values, defect: event.defect.clone() });
        };
        match grows {
            true => self.events.iter().rev().for_each(&mut take),
            false => self.events.iter().for_each(&mut take),
        }
        count.events()
    }
}
