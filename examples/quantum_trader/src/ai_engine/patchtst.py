"""The trained model: its weights come from a file, and its word counts only when it is let out of the shadow."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from src.ai_engine.ensemble import Prediction, predict


class Patchtst:
    """Weights of the last moves of a window, with the digest of the file they come from."""

    def __init__(self, weights: np.ndarray, digest: str, *, shadow_only: bool) -> None:
        self.weights = weights
        self.digest = digest
        self.shadow_only = shadow_only

    @classmethod
    def load(cls) -> Patchtst | None:
        """The model that the environment names; none where its file is not there yet."""
        path = os.environ.get("PATCHTST_MODEL_PATH", "")
        if not path or not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            text = file.read()
        weights = np.asarray(json.loads(text)["weights"], dtype=float)
        shadow_only = os.environ.get("PATCHTST_SHADOW_ONLY", "true") != "false"
        return cls(weights, hashlib.sha256(text).hexdigest(), shadow_only=shadow_only)

    def predict(self, prices: list[float]) -> Prediction:
        """An action and how sure the model is of it."""
        moves = np.diff(np.asarray(prices, dtype=float))[-len(self.weights) :]
        return predict(float(moves @ self.weights) / (float(moves.std()) + 1e-9))
