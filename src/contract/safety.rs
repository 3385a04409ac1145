//! Section F as data: what the gate, the scoreboard and a rollback go by.

use crate::model::{Location, Stated};

/// Section F. Shares are fractions of one.
#[derive(Clone, Debug)]
pub struct Safety {
    /// Where the events come from.
    pub telemetry: Telemetry,
    /// When a model is blocked.
    pub gate: Gate,
    /// When a model that passes the gate may go.
    pub scoreboard: Scoreboard,
    /// When a change must be taken back.
    pub rollback: Rollback,
    /// Directory of the reports, relative to the repository.
    pub reports: Stated<String>,
    /// The place of the layout that holds the models.
    pub models: Stated<String>,
    /// Where it begins in the contract.
    pub at: Location,
}

/// The stream of events that proves how a model behaves.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The dependency (a Redis) that holds the stream.
    pub dependency: Stated<String>,
    /// Key of the stream.
    pub stream: Stated<String>,
    /// Field with the answers of each model, as JSON.
    pub field: Stated<String>,
    /// Fields whose JSON may hold that field instead.
    pub inside: Vec<Stated<String>>,
    /// How many of the newest events are judged.
    pub window: Stated<u64>,
    /// Seconds after which the newest event is too old to prove anything.
    pub stale_after: Stated<u64>,
    /// The answers a model may give.
    pub actions: Stated<Vec<String>>,
    /// The one of them that means doing nothing.
    pub hold: Stated<String>,
}

/// Thresholds of the gate.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Fewer events of the judged model prove too little.
    pub min_events: Stated<u64>,
    /// A larger share of one action is a bias.
    pub max_action_share: Stated<f64>,
    /// A larger share of holding is a dead zone.
    pub max_hold_share: Stated<f64>,
    /// A population standard deviation of the confidence below this is collapsed.
    pub collapsed_below: Stated<f64>,
    /// A population standard deviation below this, or p10 = p90, is constant.
    pub constant_below: Stated<f64>,
    /// p90 - p10 below this is narrow.
    pub narrow_below: Stated<f64>,
    /// How sure the interval beside each figure is.
    pub interval: Stated<f64>,
    /// How often, at most, a model that was blocked may pass by chance, however often it is asked about.
    pub repeated_error: Stated<f64>,
    /// A population stability index against the approved baseline above this is a drift.
    pub drift_psi_above: Stated<f64>,
    /// A Kolmogorov-Smirnov distance from the approved baseline above this is a drift.
    pub drift_ks_above: Stated<f64>,
}

/// Thresholds of the scoreboard.
#[derive(Clone, Debug)]
pub struct Scoreboard {
    /// Least mean agreement of the ensemble.
    pub agreement_min: Stated<f64>,
    /// Greatest mean agreement of the ensemble.
    pub agreement_max: Stated<f64>,
    /// The share of events with opposite answers must lie below this.
    pub hard_disagreement_below: Stated<f64>,
}

/// What makes a rollback necessary.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// A larger loss within an hour.
    pub max_loss_per_hour: Stated<f64>,
    /// A larger share of errors.
    pub max_error_share: Stated<f64>,
}
