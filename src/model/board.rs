//! What the gate and the scoreboard say: every figure of every model with its limit, and what follows from all of them.
//! Plain data, made by `safety` from a report of the audit; the formats in `report` only write it down.

use serde::Serialize;

use super::ContractNote;

/// The schema of its JSON.
pub const SCHEMA: &str = "golden.gate/1";

/// Everything that one look at the models gave.
#[derive(Clone, Debug, Serialize)]
pub struct Board {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The version of golden that looked.
    pub golden: &'static str,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The host's name.
    pub host: String,
    /// Which contract judged.
    pub contract: ContractNote,
    /// Where the events come from.
    pub source: String,
    /// Whether they were recorded in a file; such a verdict approves nothing.
    pub recorded: bool,
    /// Whether the gate is passed: by the model that was asked about, otherwise by all.
    pub passed: bool,
    /// The model that was asked about.
    pub asked: Option<String>,
    /// Only events since this moment were judged, in milliseconds since the epoch.
    pub since: Option<u64>,
    /// The events that were read.
    pub events: EventsRead,
    /// What the scoreboard says of all models together.
    pub word: Word,
    /// How the models agree.
    pub ensemble: Ensemble,
    /// What is wrong with the stream itself, which blocks every model.
    pub reasons: Vec<Reason>,
    /// Each model, by its name.
    pub models: Vec<Card>,
    /// Sentences for a reader.
    pub notes: Vec<String>,
}

/// What was read of a stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventsRead {
    /// How many events.
    pub count: u64,
    /// How many are judged at most.
    pub window: u64,
    /// How many of them could not be taken.
    pub malformed: u64,
    /// The newest id, empty without events.
    pub newest: String,
    /// The oldest id.
    pub oldest: String,
}

/// What the scoreboard says of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Word {
    /// It passes the gate, and the ensemble agrees as it should.
    Go,
    /// It passes the gate; the agreement is missing or otherwise.
    Wait,
    /// The gate blocks it.
    #[serde(rename = "NO-GO")]
    NoGo,
}

impl Word {
    /// As people read it.
    pub fn text(self) -> &'static str {
        match self {
            Word::Go => "GO",
            Word::Wait => "WAIT",
            Word::NoGo => "NO-GO",
        }
    }
}

/// One model.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Whether the gate lets it pass.
    pub passed: bool,
    /// What the scoreboard says.
    pub word: Word,
    /// How many events it answered.
    pub events: u64,
    /// The id of its newest event, empty without one.
    pub newest: String,
    /// Its figures against their limits.
    pub figures: Vec<Figure>,
    /// How often it said each action.
    pub actions: Vec<ActionShare>,
    /// Its confidences in equal bins of 0 to 1.
    pub confidences: Vec<u64>,
    /// What blocks it.
    pub reasons: Vec<Reason>,
    /// What warns of it.
    pub warnings: Vec<Reason>,
    /// Earlier verdicts, oldest first.
    pub history: Vec<Verdicts>,
    /// Its distribution as one line, to be kept with a verdict.
    #[serde(skip)]
    pub distribution: String,
}

/// The share of an action.
#[derive(Clone, Debug, Serialize)]
pub struct ActionShare {
    /// The action.
    pub action: String,
    /// How often it was said.
    pub count: u64,
    /// The part of all events, 0 to 1.
    pub share: f64,
    /// Above this it is a bias or a dead zone.
    pub limit: f64,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What it is: `events`, `BUY`, `deviation` …
    pub name: String,
    /// Its value; none where there is no event.
    pub value: Option<f64>,
    /// How the value is written: a count, a share, a number.
    pub unit: Unit,
    /// Its interval and how it was made.
    pub interval: Option<FigureInterval>,
    /// The limit in words.
    pub limit: String,
    /// Whether it holds; none where it does not count.
    pub holds: Option<bool>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A whole number.
    Count,
    /// A part of one, as percent.
    Share,
    /// Seconds.
    Seconds,
    /// Any other number.
    Plain,
}

impl Unit {
    /// A value as people read it.
    pub fn written(self, value: f64) -> String {
        match self {
            Unit::Count => format!("{value:.0}"),
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Seconds => format!("{value:.0} s"),
            Unit::Plain => format!("{value:.4}"),
        }
    }
}

/// The interval of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FigureInterval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How sure it is, 0 to 1.
    pub level: f64,
    /// How it was made: `exact` or `bootstrap`.
    pub method: &'static str,
}

/// Why a model is blocked, or what warns of it.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The rule that says so.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What the contract demands.
    pub expected: String,
    /// What was found.
    pub observed: String,
    /// The line of the contract.
    pub demanded_by: String,
    /// Until when an exception covers it.
    pub waived_until: Option<String>,
}

/// An earlier verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Verdicts {
    /// When.
    pub at: String,
    /// Whether it passed.
    pub passed: bool,
    /// In words.
    pub words: String,
}

/// How the models agree.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ensemble {
    /// Events in which at least two models voted.
    pub votes: u64,
    /// The mean of largest vote / votes over them.
    pub agreement: Option<f64>,
    /// The least and the greatest agreement that may go.
    pub agreement_limits: (f64, f64),
    /// The share of them in which models said opposite things.
    pub opposed: Option<f64>,
    /// It must lie below this.
    pub opposed_below: f64,
    /// Agreement over time, oldest first: milliseconds since the epoch, and the mean of that stretch.
    pub over_time: Vec<(u64, f64)>,
}

impl Ensemble {
    /// Whether a model that passes the gate may go.
    pub fn lets_go(&self) -> bool {
        let (least, most) = self.agreement_limits;
        let agrees = self.agreement.is_some_and(|agreement| (least..=most).contains(&agreement));
        agrees && self.opposed.is_some_and(|opposed| opposed < self.opposed_below)
    }
}
