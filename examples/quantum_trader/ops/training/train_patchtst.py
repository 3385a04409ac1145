"""Trains the patch forecaster on the sequences of build_patchtst_sequence_dataset.py.

A sequence is cut into overlapping patches; each goes through a shared linear embedding and a tanh, and a
linear head forecasts the move after the sequence. Plain gradient descent (Adam) in numpy. The result is a
checkpoint below DATA_DIR/model_checkpoints. Nothing is activated: that takes a gate and a person.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import numpy as np

from src.common import settings


def patches(x: np.ndarray, length: int, stride: int) -> np.ndarray:
    """Overlapping patches of each sequence: samples × patches × length."""
    return np.lib.stride_tricks.sliding_window_view(x, length, axis=1)[:, ::stride]


class PatchForecaster:
    """Shared patch embedding and linear head."""

    def __init__(self, count: int, length: int, width: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.weights = {
            "embed": random.normal(0, length**-0.5, (length, width)),
            "bias": np.zeros((count, width)),
            "head": random.normal(0, (count * width) ** -0.5, count * width),
        }

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forecasts, and the hidden state they came from."""
        hidden = np.tanh(x @ self.weights["embed"] + self.weights["bias"])
        return hidden.reshape(len(x), -1) @ self.weights["head"], hidden

    def gradients(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """Of half the mean squared error."""
        forecast, hidden = self.forward(x)
        error = (forecast - y) / len(y)
        back = (error[:, None] * self.weights["head"]).reshape(hidden.shape) * (1 - hidden**2)
        return {
            "embed": np.einsum("spl,spw->lw", x, back),
            "bias": back.sum(axis=0),
            "head": hidden.reshape(len(x), -1).T @ error,
        }


def train(model: PatchForecaster, x: np.ndarray, y: np.ndarray, epochs: int, rate: float) -> None:
    """Adam with the usual constants."""
    first = {name: np.zeros_like(value) for name, value in model.weights.items()}
    second = {name: np.zeros_like(value) for name, value in model.weights.items()}
    for step in range(1, epochs + 1):
        for name, gradient in model.gradients(x, y).items():
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            mean = first[name] / (1 - 0.9**step)
            spread = second[name] / (1 - 0.999**step)
            model.weights[name] -= rate * mean / (np.sqrt(spread) + 1e-8)


def main() -> int:
    """Trains, validates on the newest fifth, writes the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    source = settings.data_path("training_data", "patchtst_sequences.npz")
    try:
        with np.load(source) as data:
            x, y = data["x"], data["y"]
    except FileNotFoundError:
        print(f"{source} does not exist; build the dataset first", file=sys.stderr)
        return 1
    length, stride = 8, 4
    cut = patches(x, length, stride)
    split = max(1, len(y) * 4 // 5)
    model = PatchForecaster(cut.shape[1], length, 16, options.seed)
    train(model, cut[:split], y[:split], options.epochs, options.rate)
    held = slice(split, None) if split < len(y) else slice(None)
    error = float(np.mean((model.forward(cut[held])[0] - y[held]) ** 2))
    naive = float(np.mean(y[held] ** 2))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = settings.data_path("model_checkpoints", f"{stamp}_patchtst.npz")
    about = json.dumps({"patch": length, "stride": stride, "samples": len(y), "mse": error, "naive": naive})
    temporary = f"{path}.{os.getpid()}.npz"
    np.savez(temporary, about=about, **model.weights)
    os.replace(temporary, path)
    print(f"{path}: error {error:.4f}, naive {naive:.4f}, {len(y)} sequences; not activated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
