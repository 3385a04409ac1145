//! Exact intervals of shares by the binomial distribution (Clopper and Pearson, 1934).
//!
//! The tail of a binomial distribution is a regularised incomplete beta function. It is taken as Lentz's continued fraction
//! behind the saddle-point form of its factor (Loader, *Fast and Accurate Computation of Binomial Probabilities*, 2000),
//! which loses no digits where logarithms of large factorials would.

use std::f64::consts::PI;

use super::Interval;

/// The two-sided Clopper-Pearson interval of a share, `scipy.stats.binomtest(hits, of).proportion_ci(level, "exact")`.
/// `of` is at least 1, `hits` at most `of`, `level` in 0..1.
pub fn share_interval(hits: u64, of: u64, level: f64) -> Interval {
    let error = (1.0 - level) / 2.0;
    let low = if hits == 0 { 0.0 } else { 1.0 - share_upper(of - hits, of, error) };
    Interval { low, high: share_upper(hits, of, error) }
}

/// The one-sided upper bound of a share: with a truth above it, so few hits come with a probability of at most `error`.
pub fn share_upper(hits: u64, of: u64, error: f64) -> f64 {
    if hits >= of {
        return 1.0;
    }
    // The bound falls from 1 to 0 as the share grows: P(X <= hits | share) = error.
    let (mut low, mut high) = (hits as f64 / of as f64, 1.0);
    let mut share = low + 0.5 * (high - low).min(1.0 / (of as f64).sqrt());
    for _ in 0..200 {
        let tail = binomial_tail(hits, of, share);
        if tail > error {
            low = share
        } else {
            high = share
        }
        // Newton's step by the density of the beta distribution, inside of what is known.
        let slope = (hits + 1) as f64 * (term(hits + 1, of, share) / share);
        let step = share + (tail - error) / slope;
        let is_newtons = step > low && step < high;
        let next = if is_newtons { step } else { 0.5 * (low + high) };
        // What is wrong after a step of Newton's is about its square, so a small one was the last.
        let is_last = is_newtons && (next - share).abs() <= 1e-9 * share;
        if is_last || high - low <= f64::EPSILON * high {
            return next;
        }
        share = next;
    }
    share
}

/// P(X <= hits) of a binomial distribution, `scipy.stats.binom.cdf(hits, of, share)`.
pub fn binomial_tail(hits: u64, of: u64, share: f64) -> f64 {
    match hits >= of {
        true => 1.0,
        // So few hits are so many misses: a small tail is not taken as what is left of one.
        false => upper_tail(of - hits, of, 1.0 - share),
    }
}

/// P(X >= hits): I_share(hits, of - hits + 1), for hits in 1..=of.
fn upper_tail(hits: u64, of: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 {
        return 1.0;
    }
    let (a, b) = (hits as f64, (of - hits + 1) as f64);
    // The fraction converges quickly on the near side of the mean.
    match share < (a + 1.0) / (a + b + 2.0) {
        true => (1.0 - share) * term(hits, of, share) * fraction(a, b, share),
        false => 1.0 - share * term(hits - 1, of, share) * fraction(b, a, 1.0 - share),
    }
}

/// Lentz's method for the continued fraction of the incomplete beta function.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        product *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        product *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    product
}

/// P(X = hits) of a binomial distribution, in Loader's form.
fn term(hits: u64, of: u64, share: f64) -> f64 {
    let (x, n) = (hits as f64, of as f64);
    if hits == 0 {
        return (n * (-share).ln_1p()).exp();
    }
    if hits == of {
        return (n * share.ln()).exp();
    }
    let exponent = stirling(n)
        - stirling(x)
        - stirling(n - x)
        - deviance(x, n * share)
        - deviance(n - x, n * (1.0 - share));
    exponent.exp() * (n / (2.0 * PI * x * (n - x))).sqrt()
}

/// What Stirling's formula lacks of the logarithm of n!.
fn stirling(n: f64) -> f64 {
    // Exact values for small numbers: ln n! - (n + 1/2) ln n + n - ln(2 pi) / 2.
    const EXACT: [f64; 16] = [
        0.0,
        0.081_061_466_795_327_26,
        0.041_340_695_955_409_29,
        0.027_677_925_684_998_34,
        0.020_790_672_103_765_093,
        0.016_644_691_189_821_193,
        0.013_876_128_823_070_748,
        0.011_896_709_945_891_77,
        0.010_411_265_261_972_096,
        0.009_255_462_182_712_733,
        0.008_330_563_433_362_87,
        0.007_573_675_487_951_841,
        0.006_942_840_107_209_53,
        0.006_408_994_188_004_207,
        0.005_951_370_112_758_848,
        0.005_554_733_551_962_801,
    ];
    if n < 16.0 {
        return EXACT[n as usize];
    }
    let square = n * n;
    let tail = 1.0 / 1_680.0 - (1.0 / 1_188.0 - 691.0 / 360_360.0 / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1_260.0 - tail / square) / square) / square) / n
}

/// x ln(x / expected) + expected - x, without the loss of digits where both are close.
fn deviance(x: f64, expected: f64) -> f64 {
    if (x - expected).abs() >= 0.1 * (x + expected) {
        return x * (x / expected).ln() + expected - x;
    }
    let ratio = (x - expected) / (x + expected);
    let mut sum = (x - expected) * ratio;
    let mut power = 2.0 * x * ratio;
    for j in 1..1_000 {
        power *= ratio * ratio;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals() {
        // R: binom.test(7, 20)$conf.int
        let found = share_interval(7, 20, 0.95);
        assert!((found.low - 0.153_909_204_784_541_2).abs() < 1e-12, "{found:?}");
        assert!((found.high - 0.592_188_534_532_897_8).abs() < 1e-12, "{found:?}");
        let none = share_interval(0, 10, 0.95);
        assert!(none.low == 0.0 && (none.high - (1.0 - 0.025_f64.powf(0.1))).abs() < 1e-12);
        let all = share_interval(10, 10, 0.95);
        assert!(all.high == 1.0 && (all.low - 0.025_f64.powf(0.1)).abs() < 1e-12);
    }

    #[test]
    fn tails_add_up() {
        for (of, share) in [(5, 0.3), (40, 0.7), (2_000, 0.7), (100_000, 0.85)] {
            let mut sum = 0.0;
            for hits in 0..=of.min(2_000) {
                sum += term(hits, of, share);
                let tail = binomial_tail(hits, of, share);
                assert!((sum - tail).abs() < 1e-11, "{hits} of {of} at {share}: {sum} {tail}");
            }
        }
    }
}
