"""Position size from results: a bandit over a few sizes, no more clever than it must be."""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST, LARGEST = 0.1, 5.0


def next_size(size: float, profits: Sequence[float]) -> float:
    """Grows after gains and shrinks faster after losses; without results nothing changes."""
    if not profits:
        return size
    gained = sum(profit > 0 for profit in profits) / len(profits)
    factor = 1.0 + 0.2 * (gained - 0.5) if sum(profits) >= 0 else 0.9
    return round(min(LARGEST, max(SMALLEST, size * factor)), 6)
