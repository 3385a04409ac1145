//! The statistics of the gate against numpy and scipy, number by number, and their promises against simulations.
//!
//! numpy and scipy come by pip in pinned versions into a venv below the target directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::skip;

use golden::statistics::{
    Interval, Random, binomial_tail, deviation, deviation_interval, deviation_lower, error_of_look,
    histogram, kolmogorov_smirnov, mean, population_stability, quantile, share_interval, share_upper, spread,
    spread_interval, spread_lower,
};
use serde_json::{Value, json};

const PINNED: [&str; 2] = ["numpy==2.2.6", "scipy==1.15.3"];

/// How far two figures may be apart.
const CLOSE: f64 = 1e-12;

/// The python of a venv with numpy and scipy.
fn python() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let venv = target.join(format!("oracle-{}", PINNED.join("-").replace("==", "-")));
    let python = venv.join("bin/python");
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    };
    if !venv.join(".complete").exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
            .args(PINNED))?;
        std::fs::write(venv.join(".complete"), "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// One sample with another to compare it with, and a share with its error.
struct Case {
    sample: Vec<f64>,
    other: Vec<f64>,
    hits: u64,
    of: u64,
    error: f64,
    share: f64,
}

/// Random samples of many lengths and shapes.
fn random_case(random: &mut Random) -> Case {
    let longest = [5, 40, 300, 2_500][random.index(4)];
    let length = 1 + random.index(longest);
    let shape = random.index(6);
    let value = |random: &mut Random| match shape {
        0 => random.uniform(),
        1 => (0.6 + 0.15 * random.normal()).clamp(0.0, 1.0),
        2 => (random.uniform() * 20.0).round() / 20.0,
        3 => f64::from(u8::from(random.uniform() < 0.3)),
        4 => 0.5 + 1e-9 * random.normal(),
        _ => random.uniform().powi(9),
    };
    let sample = (0..length).map(|_| value(random)).collect();
    let other = (0..1 + random.index(400)).map(|_| random.uniform()).collect();
    let most = [10, 300, 3_000, 120_000][random.index(4)];
    let of = 1 + random.index(most) as u64;
    let hits = match random.index(4) {
        0 => random.index(of as usize + 1) as u64,
        1 => 0,
        2 => of,
        _ => (of as f64 * 0.7) as u64,
    };
    let error = [0.025, 0.05, 1e-3, 1e-6][random.index(4)];
    Case { sample, other, hits, of, error, share: random.uniform() }
}

/// Samples that arithmetic likes least.
fn adversarial() -> Vec<Case> {
    let samples: Vec<Vec<f64>> = vec![
        vec![0.0],
        vec![1.0; 1_000],
        vec![0.1; 2_001],
        vec![0.0, 1.0],
        (0..=20).map(|at| f64::from(at) / 20.0).collect(),
        (0..=20).map(|at| f64::from(at) * 0.05).collect(),
        (0..100).map(|at| f64::from(at) * f64::EPSILON).collect(),
        (0..100).map(|at| 1.0 - f64::from(at) * f64::EPSILON).collect(),
        vec![f64::MIN_POSITIVE; 10],
        [vec![0.3; 1_000], vec![0.300_000_000_000_000_04; 1_000]].concat(),
        vec![0.15, 0.3, 0.35, 0.45, 0.6, 0.7, 0.85, 0.9, 0.95],
    ];
    let mut cases = Vec::new();
    for (at, sample) in samples.into_iter().enumerate() {
        let (of, hits) = [(1, 0), (1, 1), (2_000, 1_400), (100_000, 85_000), (100_000, 1)][at % 5];
        cases.push(Case { other: sample.clone(), sample, hits, of, error: 0.025, share: 0.7 });
    }
    cases
}

/// What numpy and scipy say of each.
fn oracle(python: &Path, cases: &[Case]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quick/statistics/oracle.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the venv has a python");
    let mut to = child.stdin.take().unwrap();
    let lines: Vec<String> = cases
        .iter()
        .map(|case| {
            json!({"sample": case.sample, "other": case.other, "hits": case.hits, "of": case.of,
                   "error": case.error, "share": case.share})
            .to_string()
        })
        .collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(to, "{line}").unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ours(case: &Case) -> Value {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (sample, other) = (sorted(&case.sample), sorted(&case.other));
    let quantiles = [0.0, 0.1, 0.25, 0.5, 0.9, 0.999, 1.0].map(|share| quantile(&sample, share));
    let exact = share_interval(case.hits, case.of, 0.95);
    json!({
        "deviation": deviation(&case.sample),
        "mean": mean(&case.sample),
        "quantiles": quantiles,
        "histogram": histogram(&case.sample, 20),
        "ks": kolmogorov_smirnov(&sample, &other),
        "psi": population_stability(&histogram(&case.sample, 10), &histogram(&case.other, 10)),
        "exact": [exact.low, exact.high],
        "upper": share_upper(case.hits, case.of, case.error),
        "tail": binomial_tail(case.hits, case.of, case.share),
    })
}

/// The greatest distance of two values of the same shape.
fn distance(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| distance(a, b)).fold(0.0, f64::max)
        }
        _ => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs(),
    }
}

#[test]
fn every_figure_is_that_of_numpy_and_scipy() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            assert!(skip::skips("numpy", &format!("numpy and scipy cannot be had here: {why}")));
            return;
        }
    };
    let mut random = Random::new(20_260_101);
    let mut cases = adversarial();
    cases.extend((0..1_500).map(|_| random_case(&mut random)));
    let theirs = oracle(&python, &cases);
    assert_eq!(theirs.len(), cases.len());
    let mut worst: std::collections::BTreeMap<String, f64> = std::collections::BTreeMap::new();
    for (at, (case, theirs)) in cases.iter().zip(&theirs).enumerate() {
        let ours = ours(case);
        for (name, value) in theirs.as_object().unwrap() {
            let far = distance(value, &ours[name]);
            let most = worst.entry(name.clone()).or_default();
            *most = most.max(far);
            assert!(
                far <= CLOSE,
                "case {at}, {name}: {value} and {} ({} of {}, error {}, share {})",
                ours[name],
                case.hits,
                case.of,
                case.error,
                case.share
            );
        }
    }
    println!("{} samples; the greatest distances: {worst:?}", cases.len());
}

/// How often intervals hold the truth, over many samples.
fn coverage(runs: u64, truth: f64, interval: impl Fn(&mut Random) -> Interval) -> f64 {
    let mut random = Random::new(77);
    let holds = (0..runs).filter(|_| {
        let found = interval(&mut random);
        found.low <= truth && truth <= found.high
    });
    holds.count() as f64 / runs as f64
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (of, share) in [(200, 0.7), (200, 0.85), (2_000, 0.7)] {
        let found = coverage(2_000, share, |random| {
            let hits = (0..of).filter(|_| random.uniform() < share).count() as u64;
            share_interval(hits, of, 0.95)
        });
        println!("share {share} of {of}: {found}");
        assert!(found >= 0.94, "an exact interval never covers less: {found}");
    }
    let uniform = |random: &mut Random, count: usize| {
        let mut sample: Vec<f64> = (0..count).map(|_| random.uniform()).collect();
        sample.sort_by(f64::total_cmp);
        sample
    };
    for count in [200, 2_000] {
        let deviation = coverage(1_000, (1.0_f64 / 12.0).sqrt(), |random| {
            deviation_interval(&uniform(random, count), 0.95)
        });
        let spread = coverage(1_000, 0.8, |random| spread_interval(&uniform(random, count), 0.95));
        println!("of {count}: deviation {deviation}, p90 - p10 {spread}");
        assert!((0.92..=0.98).contains(&deviation), "deviation of {count}: {deviation}");
        assert!((0.92..=0.98).contains(&spread), "p90 - p10 of {count}: {spread}");
    }
}

/// A model that lies exactly at a limit, and was blocked, is asked about again and again. Overlapping windows of a stream.
#[test]
fn asking_again_does_not_let_a_bad_model_through() {
    const RUNS: u64 = 400;
    const LOOKS: u64 = 60;
    const WINDOW: usize = 500;
    let total = 0.05;
    let mut random = Random::new(4);
    let (mut naive, mut by_share, mut by_spread, mut by_deviation) = (0, 0, 0, 0);
    for _ in 0..RUNS {
        let (mut plain, mut share, mut wide, mut deviates) = (false, false, false, false);
        let mut hits: Vec<bool> = (0..WINDOW).map(|_| random.uniform() < 0.7).collect();
        // Uniform in a band of 0.15 has a spread of exactly 0.12, and a deviation of 0.0433.
        let mut sure: Vec<f64> = (0..WINDOW).map(|_| 0.5 + 0.15 * random.uniform()).collect();
        for look in 1..=LOOKS {
            let error = error_of_look(total, look);
            let count = hits.iter().filter(|hit| **hit).count() as u64;
            plain |= count as f64 / WINDOW as f64 <= 0.7;
            share |= share_upper(count, WINDOW as u64, error) <= 0.7;
            let mut sorted = sure.clone();
            sorted.sort_by(f64::total_cmp);
            wide |= spread_lower(&sorted, error) > 0.12;
            deviates |= deviation_lower(deviation(&sorted), WINDOW as u64, error) > 0.15 / 12.0_f64.sqrt();
            assert!(spread_lower(&sorted, error) <= spread(&sorted));
            // A tenth of the window is new at the next look.
            hits.rotate_left(WINDOW / 10);
            sure.rotate_left(WINDOW / 10);
            for at in WINDOW - WINDOW / 10..WINDOW {
                hits[at] = random.uniform() < 0.7;
                sure[at] = 0.5 + 0.15 * random.uniform();
            }
        }
        naive += u64::from(plain);
        by_share += u64::from(share);
        by_spread += u64::from(wide);
        by_deviation += u64::from(deviates);
    }
    let rate = |count: u64| count as f64 / RUNS as f64;
    println!(
        "let through in {LOOKS} looks: plain limit {:.3}, share {:.3}, p90 - p10 {:.3}, deviation {:.3}",
        rate(naive),
        rate(by_share),
        rate(by_spread),
        rate(by_deviation)
    );
    assert!(rate(naive) > 0.9, "the plain limit lets nearly every such model through in the end");
    for rate in [rate(by_share), rate(by_spread), rate(by_deviation)] {
        assert!(rate <= total + 0.02, "{rate}");
    }
}

/// A model that is clearly better gets through.
#[test]
fn a_better_model_is_proven() {
    let mut random = Random::new(9);
    let error = error_of_look(0.05, 5);
    let hits = (0..2_000).filter(|_| random.uniform() < 0.6).count() as u64;
    assert!(share_upper(hits, 2_000, error) <= 0.7);
    let mut sure: Vec<f64> = (0..2_000).map(|_| random.uniform()).collect();
    sure.sort_by(f64::total_cmp);
    assert!(spread_lower(&sure, error) > 0.12 && deviation_lower(deviation(&sure), 2_000, error) > 0.05);
}
