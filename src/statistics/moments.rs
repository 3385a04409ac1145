//! Mean, population standard deviation and quantiles.

/// The sum, halved again and again so that rounding grows with the logarithm of the length alone.
fn sum(values: &[f64], of: &impl Fn(f64) -> f64) -> f64 {
    const SMALL: usize = 128;
    if values.len() <= SMALL {
        return values.iter().map(|value| of(*value)).sum();
    }
    let (left, right) = values.split_at(values.len() / 2);
    sum(left, of) + sum(right, of)
}

/// The arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    sum(values, &|value| value) / values.len() as f64
}

/// The population standard deviation, `numpy.std(values)`; NaN of nothing.
pub fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (sum(values, &|value| (value - mean) * (value - mean)) / values.len() as f64).sqrt()
}

/// A quantile with linear interpolation, `numpy.quantile(values, share)`, of a sorted sample; NaN of nothing. `share`
/// lies in 0..=1.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = (at.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = at - below as f64;
    // From the nearer end, as numpy does: equal neighbours give that very value.
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

/// p90 - p10 of a sorted sample; NaN of nothing.
pub fn spread(sorted: &[f64]) -> f64 {
    quantile(sorted, 0.9) - quantile(sorted, 0.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_by_hand() {
        assert_eq!(deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(spread(&[0.3; 7]), 0.0);
        assert!(deviation(&[]).is_nan() && quantile(&[], 0.5).is_nan());
    }
}
