//! The statistics of the gate: pure functions of samples, the same numbers as numpy and scipy.
//!
//! A sample is a slice of finite numbers; where a function wants it sorted, it says so. Nothing here knows what a model,
//! a contract or a threshold is. `tests/quick/statistics.rs` holds every figure against numpy and scipy, the coverage of every
//! interval and the error of the sequential rule against simulations.
//!
//! They are about three hundred lines of our own, because the crates for it bring a linear algebra.

mod beta;
mod bootstrap;
mod distance;
mod histogram;
mod moments;
mod random;
mod sequential;

pub use beta::{binomial_tail, share_interval, share_upper};
pub use bootstrap::{deviation_interval, spread_interval};
pub use distance::{kolmogorov_smirnov, kolmogorov_smirnov_binned, population_stability};
pub use histogram::histogram;
pub use moments::{deviation, mean, quantile, spread};
pub use random::Random;
pub use sequential::{deviation_lower, error_of_look, spread_lower};

/// A two-sided interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies strictly inside, so that the sample does not say on which side of it the truth lies.
    pub fn has_inside(&self, value: f64) -> bool {
        self.low < value && value < self.high
    }
}
