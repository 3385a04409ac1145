//! Counts in equal bins of 0..=1.

/// `numpy.histogram(values, bins, range=(0, 1))[0]` of values in 0..=1; the last bin holds 1. `bins` is at least 1.
pub fn histogram(values: &[f64], bins: usize) -> Vec<u64> {
    let mut counts = vec![0; bins];
    let step = 1.0 / bins as f64;
    let edge = |at: usize| if at == bins { 1.0 } else { at as f64 * step };
    for value in values {
        let mut at = ((value * bins as f64) as usize).min(bins - 1);
        // The product may be rounded over an edge.
        if *value < edge(at) {
            at -= 1;
        } else if *value >= edge(at + 1) && at + 1 < bins {
            at += 1;
        }
        counts[at] += 1;
    }
    counts
}
