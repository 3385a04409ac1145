"""Four simple models and the vote they hold. No model decides alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

Prediction = dict[str, object]
Model = Callable[[np.ndarray], float]

WINDOW = 48


def momentum(prices: np.ndarray) -> float:
    """Follows the last move, in units of the window's spread."""
    return float((prices[-1] - prices[-6]) / (prices.std() + 1e-9))


def reversion(prices: np.ndarray) -> float:
    """Expects a return to the mean."""
    return float((prices.mean() - prices[-1]) / (prices.std() + 1e-9))


def crossover(prices: np.ndarray) -> float:
    """A fast average over a slow one."""
    fast, slow = prices[-5:].mean(), prices[-21:].mean()
    return float(1.5 * (fast - slow) / (prices.std() + 1e-9))


def autoregression(prices: np.ndarray) -> float:
    """One step ahead by least squares on the last three differences."""
    moves = np.diff(prices)
    lags = np.stack([moves[2:-1], moves[1:-2], moves[:-3]], axis=1)
    weights, *_ = np.linalg.lstsq(lags, moves[3:], rcond=None)
    ahead = float(moves[[-1, -2, -3]] @ weights)
    return 1.6 * ahead / (float(moves.std()) + 1e-9)


MODELS: dict[str, Model] = {
    "momentum": momentum,
    "reversion": reversion,
    "crossover": crossover,
    "autoregression": autoregression,
}


def predict(score: float) -> Prediction:
    """An action and how sure it is: a weak score is a HOLD."""
    strength = min(abs(score) / 2.0, 1.0)
    if strength < 0.18:
        return {"action": "HOLD", "confidence": round(0.45 + strength, 4)}
    action = "BUY" if score > 0 else "SELL"
    return {"action": action, "confidence": round(0.4 + 0.59 * strength, 4)}


def breakdown(prices: Sequence[float]) -> dict[str, Prediction]:
    """What each model says of a window of prices."""
    values = np.asarray(prices, dtype=float)
    return {name: predict(model(values)) for name, model in MODELS.items()}


def vote(predictions: dict[str, Prediction]) -> tuple[str, float]:
    """The largest vote and its mean confidence; a tie is a HOLD."""
    counts = Counter(str(prediction["action"]) for prediction in predictions.values())
    ranked = counts.most_common()
    tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
    action = "HOLD" if tied else ranked[0][0]
    sure = [float(str(p["confidence"])) for p in predictions.values() if p["action"] == action]
    return action, sum(sure) / len(sure) if sure else 0.5
