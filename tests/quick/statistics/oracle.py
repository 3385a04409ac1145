"""What numpy and scipy say of samples: one JSON object a line in, one out."""

import json
import sys

import numpy as np
from scipy import stats


def figures(case):
    sample = np.array(case["sample"], dtype=float)
    other = np.array(case["other"], dtype=float)
    hits, of = case["hits"], case["of"]
    exact = stats.binomtest(hits, of).proportion_ci(0.95, method="exact")
    now, before = (np.histogram(values, 10, range=(0, 1))[0] + 0.5 for values in (sample, other))
    p, q = now / now.sum(), before / before.sum()
    return {
        "deviation": float(np.std(sample)),
        "mean": float(np.mean(sample)),
        "quantiles": [float(value) for value in np.quantile(sample, [0, 0.1, 0.25, 0.5, 0.9, 0.999, 1])],
        "histogram": [int(count) for count in np.histogram(sample, 20, range=(0, 1))[0]],
        "ks": float(stats.ks_2samp(sample, other).statistic),
        "psi": float(np.sum((p - q) * np.log(p / q))),
        "exact": [float(exact.low), float(exact.high)],
        "upper": float(stats.beta.isf(case["error"], hits + 1, of - hits)) if hits < of else 1.0,
        "tail": float(stats.binom.cdf(hits, of, case["share"])),
    }


for line in sys.stdin:
    print(json.dumps(figures(json.loads(line))))
