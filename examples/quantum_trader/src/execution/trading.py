"""Paper trades: an intent changes a position once, however often it is delivered."""

from __future__ import annotations

import sqlite3
import time

SIDES = {"BUY": 1.0, "SELL": -1.0}


def execute(connection: sqlite3.Connection, event_id: str, event: dict[str, str], size: float) -> bool:
    """Trades an intent; returns whether it was new. A HOLD is noted without a position."""
    symbol, action, price = event["symbol"], event["action"], float(event["price"])
    amount = size * SIDES.get(action, 0.0)
    with connection:
        held = connection.execute("SELECT size, price FROM positions WHERE symbol = ?", (symbol,)).fetchone()
        old_size, old_price = held or (0.0, price)
        # Marked to market at every trade: the profit since the last one.
        profit = old_size * (price - old_price)
        new = connection.execute(
            "INSERT OR IGNORE INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)",
            (event_id, symbol, action, price, amount, profit, time.time()),
        ).rowcount
        if new:
            connection.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT(symbol) "
                "DO UPDATE SET size = excluded.size, price = excluded.price",
                (symbol, max(-10.0, min(10.0, old_size + amount)), price),
            )
    return bool(new)
