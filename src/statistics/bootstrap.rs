//! Bootstrap intervals, seeded: the same sample gives the same interval.
//!
//! At most 64 values are drawn (m out of n) for the deviation, and four order statistics for p90 - p10, so that the
//! time does not grow with the window.

use super::Interval;
use super::moments::{deviation, quantile, spread};
use super::random::Random;

/// How often a sample is drawn anew.
const REPLICATES: usize = 499;

/// How many values are drawn at most. More values make each draw narrower by a known factor.
const DRAWN: usize = 64;

const SEED: u64 = 0x676f_6c64_656e;

/// The interval between two quantiles of the replicates.
fn between(mut replicates: Vec<f64>, level: f64) -> Interval {
    replicates.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Interval { low: quantile(&replicates, tail), high: quantile(&replicates, 1.0 - tail) }
}

/// An interval of the population standard deviation of a sample of at least one value.
///
/// Of more than 64 values, 64 are drawn with replacement, and the distance of a draw from the sample is shrunk by the
/// root of 64 / n: the m out of n bootstrap (Bickel, Götze and van Zwet, 1997).
pub fn deviation_interval(values: &[f64], level: f64) -> Interval {
    let drawn = values.len().min(DRAWN);
    let shrink = (drawn as f64 / values.len() as f64).sqrt();
    let found = deviation(values);
    let mut random = Random::new(SEED);
    let replicates = (0..REPLICATES).map(|_| {
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut take = |at: usize| {
            // Around the middle of 0..1, so that squares lose no digits.
            let value = values[at] - 0.5;
            sum += value;
            squares += value * value;
        };
        for _ in 0..drawn / 2 {
            let (one, other) = random.two_indices(values.len());
            take(one);
            take(other);
        }
        if drawn % 2 == 1 {
            take(random.index(values.len()));
        }
        let mean = sum / drawn as f64;
        // A draw of m values deviates less than the sample by a factor of (m - 1) / m.
        let unbiased = drawn as f64 / (drawn as f64 - 1.0).max(1.0);
        let variance = (squares / drawn as f64 - mean * mean).max(0.0) * unbiased;
        (found + (variance.sqrt() - found) * shrink).max(0.0)
    });
    between(replicates.collect(), level)
}

/// An interval of p90 - p10 of a sorted sample of at least one value.
///
/// Only four order statistics of a draw count, and their places are known without drawing all values: the order
/// statistics of n uniform numbers are sums of gamma distributed steps. It is the plain bootstrap at the cost of a few
/// numbers a replicate.
pub fn spread_interval(sorted: &[f64], level: f64) -> Interval {
    let count = sorted.len();
    if count < 4 {
        let found = spread(sorted);
        return Interval { low: 0.0, high: found.max(sorted[count - 1] - sorted[0]) };
    }
    let mut random = Random::new(SEED);
    let (low, high) = (Place::of(0.1, count), Place::of(0.9, count));
    let replicates = (0..REPLICATES).map(|_| {
        // Steps between the uniform order statistics below, low, low + 1, high, high + 1, and above.
        let first = random.gamma((low.below + 1) as f64);
        let second = first + random.gamma(1.0);
        let third = second + random.gamma((high.below - low.below - 1) as f64);
        let fourth = third + random.gamma(1.0);
        let all = fourth + random.gamma((count - high.below - 1) as f64);
        let value = |step: f64| sorted[((step / all * count as f64) as usize).min(count - 1)];
        let p10 = low.between(value(first), value(second));
        let p90 = high.between(value(third), value(fourth));
        (p90 - p10).max(0.0)
    });
    between(replicates.collect(), level)
}

/// Where a quantile lies between two order statistics, counted from 0.
struct Place {
    below: usize,
    part: f64,
}

impl Place {
    fn of(share: f64, count: usize) -> Self {
        let at = share * (count - 1) as f64;
        let below = (at.floor() as usize).min(count - 2);
        Self { below, part: at - below as f64 }
    }

    fn between(&self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_sample_gives_the_same_interval() {
        let mut random = Random::new(1);
        let mut values: Vec<f64> = (0..1_000).map(|_| random.uniform()).collect();
        values.sort_by(f64::total_cmp);
        let once = (deviation_interval(&values, 0.95), spread_interval(&values, 0.95));
        assert_eq!(once, (deviation_interval(&values, 0.95), spread_interval(&values, 0.95)));
        assert!(once.0.has_inside(deviation(&values)) && once.1.has_inside(spread(&values)));
    }

    #[test]
    fn a_constant_has_no_width() {
        assert_eq!(deviation_interval(&[0.5; 300], 0.95), Interval { low: 0.0, high: 0.0 });
        assert_eq!(spread_interval(&[0.5; 300], 0.95), Interval { low: 0.0, high: 0.0 });
        assert_eq!(spread_interval(&[0.5], 0.95), Interval { low: 0.0, high: 0.0 });
    }
}
