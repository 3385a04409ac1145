"""A deterministic market: the same tick number gives the same price on every machine."""

from __future__ import annotations

import math

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def noise(tick: int, salt: int) -> float:
    """A repeatable number in [-1, 1) from two integers (splitmix64)."""
    mask = (1 << 64) - 1
    value = (tick * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    value ^= value >> 31
    return value / (1 << 63) - 1.0


def price(symbol: str, tick: int) -> float:
    """The price of a symbol at a tick: slow and fast waves with noise on top."""
    salt = SYMBOLS.index(symbol) + 1
    base = 100.0 * salt
    wave = 4 * math.sin(tick / 17 + salt) + 2.5 * math.sin(tick / 5.3) + 1.5 * math.sin(tick / 61)
    return base + wave + noise(tick, salt)


def window(symbol: str, tick: int, length: int) -> list[float]:
    """The last `length` prices up to a tick."""
    return [price(symbol, at) for at in range(tick - length + 1, tick + 1)]
