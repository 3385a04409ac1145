//! Looking again and again without being more and more often wrong.
//!
//! Somebody who asks until the answer is yes gets a yes by chance. So a model that was blocked passes at a later look only
//! where the sample proves that it is within the limits, and the errors of all looks together stay below one bound: look k
//! (counted from the first after the block) may err with 6 / (pi k)^2 of it, and the sum over all k is the bound (a union
//! bound, which holds for windows that overlap as for windows that do not). The bounds of one look are exact for independent
//! events: Clopper and Pearson for shares, order statistics for p90 - p10, and for the standard deviation of values in 0..1
//! theorem 10 of Maurer and Pontil, *Empirical Bernstein Bounds and Sample Variance Penalization* (2009).
//!
//! A time-uniform confidence sequence would need one growing sample, and the windows of the newest events overlap.
//! Earlier looks are entries of the ledger, which only root's golden writes; a look is recorded before its result is
//! shown.

use std::f64::consts::PI;

use super::beta::binomial_tail;

/// The error that look number `look`, counted from 1, may spend of `total`.
pub fn error_of_look(total: f64, look: u64) -> f64 {
    let look = look.max(1) as f64;
    total * 6.0 / (PI * PI * look * look)
}

/// A lower bound of the standard deviation behind `count` independent values in 0..1 whose population standard deviation is
/// `deviation`; a truth below it shows so much with a probability of at most `error`. 0 for fewer than two values.
pub fn deviation_lower(deviation: f64, count: u64, error: f64) -> f64 {
    if count < 2 {
        return 0.0;
    }
    let count = count as f64;
    let unbiased = deviation * (count / (count - 1.0)).sqrt();
    (unbiased - (2.0 * (1.0 / error).ln() / (count - 1.0)).sqrt()).max(0.0)
}

/// A lower bound of p90 - p10 behind a sorted sample of independent values: the two order statistics beyond which the
/// quantiles lie with a probability of at most `error` together. 0 where the sample is too small to say anything.
pub fn spread_lower(sorted: &[f64], error: f64) -> f64 {
    let count = sorted.len() as u64;
    // The greatest r with P(Bin(n, 0.9) <= r - 1) <= error / 2: the r-th smallest value is hardly above p90.
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = (low + high).div_ceil(2);
        match binomial_tail(middle - 1, count, 0.9) <= error / 2.0 {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    let rank = low;
    // By symmetry the same rank from above is hardly below p10.
    if rank == 0 {
        return 0.0;
    }
    let (upper, lower) = (sorted[rank as usize - 1], sorted[(count - rank) as usize]);
    (upper - lower).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_looks_together_spend_the_whole_error_and_no_more() {
        let sum: f64 = (1..=100_000).map(|look| error_of_look(0.05, look)).sum();
        assert!(sum < 0.05 && sum > 0.0499, "{sum}");
    }

    #[test]
    fn bounds_are_below_what_was_found() {
        let sorted: Vec<f64> = (0..2_000).map(|at| f64::from(at) / 2_000.0).collect();
        let bound = spread_lower(&sorted, 0.01);
        assert!(bound < 0.8 && bound > 0.75, "{bound}");
        assert_eq!(spread_lower(&sorted[..3], 0.01), 0.0);
        assert!(deviation_lower(0.2, 2_000, 0.01) < 0.2 && deviation_lower(0.2, 1, 0.01) == 0.0);
    }
}
