//! How far one distribution is from another.

/// The population stability index of counts in the same bins: the sum of (p - q) ln(p / q). A bin counts as half an event
/// more than it has, so that an empty one is no infinity. 0 without bins.
pub fn population_stability(now: &[u64], before: &[u64]) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
    let (all_now, all_before) = (total(now), total(before));
    let bins = now.iter().zip(before);
    bins.map(|(now, before)| {
        let (p, q) = ((*now as f64 + 0.5) / all_now, (*before as f64 + 0.5) / all_before);
        (p - q) * (p / q).ln()
    })
    .sum()
}

/// The two-sample Kolmogorov-Smirnov statistic of sorted samples, `scipy.stats.ks_2samp(a, b).statistic`; 0 where one is
/// empty.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut most) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        while i < a.len() && a[i] <= value {
            i += 1;
        }
        while j < b.len() && b[j] <= value {
            j += 1;
        }
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    most
}

/// The same of counts in the same bins: the greatest distance at an edge, which is never more than that of the samples.
pub fn kolmogorov_smirnov_binned(a: &[u64], b: &[u64]) -> f64 {
    let (all_a, all_b) = (a.iter().sum::<u64>() as f64, b.iter().sum::<u64>() as f64);
    if all_a == 0.0 || all_b == 0.0 {
        return 0.0;
    }
    let (mut sum_a, mut sum_b, mut most) = (0, 0, 0.0_f64);
    for (x, y) in a.iter().zip(b) {
        (sum_a, sum_b) = (sum_a + x, sum_b + y);
        most = most.max((sum_a as f64 / all_a - sum_b as f64 / all_b).abs());
    }
    most
}
