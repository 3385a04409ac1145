"""Builds the training set of the patch forecaster from the paper trades of the system.

Every trade carries the price at which it was made. Windows of consecutive prices of one symbol become
sequences; the move after a window is its target. Writes one file below DATA_DIR/training_data.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys

import numpy as np

from src.common import database, settings


def sequences(prices: np.ndarray, length: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows scaled by their own mean and spread, and the scaled move that follows each."""
    count = len(prices) - length - horizon + 1
    if count <= 0:
        return np.empty((0, length)), np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(prices, length)[:count]
    mean = windows.mean(axis=1, keepdims=True)
    spread = windows.std(axis=1, keepdims=True) + 1e-9
    after = prices[length + horizon - 1 :][:count]
    return (windows - mean) / spread, (after - windows[:, -1]) / spread[:, 0]


def main() -> int:
    """Reads the trades, writes the set, says what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=48, help="prices in a sequence")
    parser.add_argument("--horizon", type=int, default=4, help="steps ahead of the target")
    options = parser.parse_args()
    try:
        with database.opened() as connection:
            rows = connection.execute("SELECT symbol, price FROM trades ORDER BY symbol, rowid").fetchall()
    except sqlite3.Error as error:
        print(f"{settings.text('DB_PATH')} cannot be read: {error}", file=sys.stderr)
        return 1
    inputs, targets = [], []
    for symbol in sorted({symbol for symbol, _ in rows}):
        prices = np.array([price for name, price in rows if name == symbol])
        x, y = sequences(prices, options.length, options.horizon)
        inputs.append(x)
        targets.append(y)
    samples = sum(len(part) for part in targets)
    if samples == 0:
        print(f"{len(rows)} trades are too few for a sequence of {options.length}", file=sys.stderr)
        return 1
    path = settings.data_path("training_data", "patchtst_sequences.npz")
    temporary = f"{path}.{os.getpid()}.npz"
    np.savez(temporary, x=np.concatenate(inputs), y=np.concatenate(targets))
    os.replace(temporary, path)
    print(f"{samples} sequences from {len(rows)} trades: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
