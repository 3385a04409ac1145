"""Paper trades: an intent changes a position once, however often it is delivered."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Mapping

SIDES = {"BUY": 1.0, "SELL": -1.0, "HOLD": 0.0}
LARGEST_POSITION = 10.0


class BadIntent(ValueError):
    """An event of the stream that says nothing one could trade."""


def read(event: Mapping[str, str] | None) -> tuple[str, str, float]:
    """The symbol, action and price of an intent; an event trimmed from the stream is None."""
    fields = event or {}
    try:
        symbol, action, price = fields["symbol"], fields["action"], float(fields["price"])
    except KeyError as error:
        raise BadIntent(f"it has no field {error}") from None
    except ValueError as error:
        raise BadIntent(str(error)) from None
    if action not in SIDES or not math.isfinite(price) or price <= 0:
        raise BadIntent(f"{action!r} at {price} is no trade")
    return symbol, action, price


def execute(connection: sqlite3.Connection, event_id: str, event: Mapping[str, str] | None, size: float) -> bool:
    """Trades an intent; returns whether it was new. A HOLD is noted without a position.

    What a trade says it moved is what its position moved: at the largest position that is nothing.
    """
    symbol, action, price = read(event)
    with connection:
        held = connection.execute("SELECT size, price FROM positions WHERE symbol = ?", (symbol,)).fetchone()
        old_size, old_price = held or (0.0, price)
        new_size = max(-LARGEST_POSITION, min(LARGEST_POSITION, old_size + size * SIDES[action]))
        # Marked to market at every trade: the profit since the last one.
        profit = old_size * (price - old_price)
        new = connection.execute(
            "INSERT OR IGNORE INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)",
            (event_id, symbol, action, price, new_size - old_size, profit, time.time()),
        ).rowcount
        if new:
            connection.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT(symbol) "
                "DO UPDATE SET size = excluded.size, price = excluded.price",
                (symbol, new_size, price),
            )
    return bool(new)
