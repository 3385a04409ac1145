//! Events of a producer.

use std::time::{SystemTime, UNIX_EPOCH};

/// One event: its id and its fields.
#[derive(Clone)]
pub struct Event {
    id: String,
    fields: Vec<(String, Vec<u8>)>,
}

/// Milliseconds since the epoch.
pub fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

impl Event {
    /// An event of this moment, without fields.
    pub fn at(ms: u64) -> Self {
        Self { id: format!("{ms}-*"), fields: Vec::new() }
    }

    /// With one more field.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// What one model says.
    pub fn saying(self, action: &str, confidence: f64) -> Self {
        self.with(
            "model_breakdown",
            format!("{{\"momentum\":{{\"action\":\"{action}\",\"confidence\":{confidence:.4}}}}}"),
        )
    }

    /// What one more model says.
    pub fn and_model(mut self, name: &str, action: &str, confidence: &str) -> Self {
        for (field, value) in &mut self.fields {
            if field == "model_breakdown" {
                value.pop();
                value.extend(
                    format!(",\"{name}\":{{\"action\":\"{action}\",\"confidence\":{confidence}}}}}").bytes(),
                );
            }
        }
        self
    }

    /// The same as producers send it: the answers inside of the JSON of `payload`.
    pub fn in_payload(self) -> Self {
        let answers = String::from_utf8(self.fields[0].1.clone()).unwrap();
        let payload = format!("{{\"symbol\":\"X\",\"model_breakdown\":{answers},\"at\":1.5}}");
        let event = Self { id: self.id, fields: Vec::new() };
        event
            .with("event_type", "trade.intent")
            .with("payload", payload)
            .with("trace_id", "0f1e")
            .with("timestamp", "2026-01-01T00:00:00Z")
            .with("source", "ai-engine")
    }

    /// As Redis wants it (RESP).
    pub fn command(&self, stream: &str) -> Vec<u8> {
        let mut words: Vec<&[u8]> = vec![b"XADD", stream.as_bytes(), self.id.as_bytes()];
        words.extend(self.fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]));
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend(format!("${}\r\n", word.len()).bytes());
            out.extend(word);
            out.extend(b"\r\n");
        }
        out
    }
}

/// Events of two models with well spread answers, the last of them `age` seconds old.
pub fn healthy(count: u64, age: u64) -> Vec<Event> {
    let start = now() - age * 1_000 - count;
    let event = |at: u64| {
        let action = |shift: u64| ["BUY", "SELL", "HOLD"][((at + shift) % 3) as usize];
        let sure = |step: f64| 0.3 + 0.65 * (at as f64 * step).fract();
        Event::at(start + at).saying(action(0), sure(0.618_034)).and_model(
            "reversion",
            action(1),
            &format!("{:.4}", sure(0.754_878)),
        )
    };
    (0..count).map(event).collect()
}
