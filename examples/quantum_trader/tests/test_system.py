"""What the parts of the system promise each other."""

from __future__ import annotations

import sqlite3
import unittest
from collections import Counter

import numpy as np

from src.ai_engine import ensemble, market
from src.common.database import SCHEMA
from src.execution import trading
from src.rl_agent import sizing


class Ensemble(unittest.TestCase):
    """The telemetry of a healthy engine passes any sane gate."""

    def test_every_model_spreads_its_actions_and_its_confidence(self) -> None:
        events = [
            ensemble.breakdown(market.window(market.SYMBOLS[tick % 2], tick, ensemble.WINDOW))
            for tick in range(100, 2100)
        ]
        for model in ensemble.MODELS:
            actions = Counter(str(event[model]["action"]) for event in events)
            sure = np.array([float(str(event[model]["confidence"])) for event in events])
            self.assertLessEqual(max(actions.values()) / len(events), 0.70, (model, actions))
            self.assertGreaterEqual(sure.std(), 0.05, model)
            low, high = np.percentile(sure, [10, 90])
            self.assertGreaterEqual(high - low, 0.12, model)
            self.assertTrue(((sure >= 0) & (sure <= 1)).all(), model)

    def test_the_market_is_deterministic(self) -> None:
        self.assertEqual(market.price("BTCUSDT", 1234), market.price("BTCUSDT", 1234))


class Execution(unittest.TestCase):
    """A trade happens once."""

    def test_an_event_delivered_twice_trades_once(self) -> None:
        connection = sqlite3.connect(":memory:")
        connection.executescript(SCHEMA)
        event = {"symbol": "BTCUSDT", "action": "BUY", "price": "100"}
        self.assertTrue(trading.execute(connection, "1-0", event, 2.0))
        self.assertFalse(trading.execute(connection, "1-0", event, 2.0))
        self.assertEqual(connection.execute("SELECT size FROM positions").fetchone(), (2.0,))

    def test_trades_add_up_to_the_position_at_its_bounds_too(self) -> None:
        connection = sqlite3.connect(":memory:")
        connection.executescript(SCHEMA)
        for number, action in enumerate(["BUY", "BUY", "BUY", "HOLD", "SELL"]):
            event = {"symbol": "BTCUSDT", "action": action, "price": "100"}
            trading.execute(connection, f"{number}-0", event, 4.0)
        sizes = [size for (size,) in connection.execute("SELECT size FROM trades ORDER BY rowid")]
        self.assertEqual(sizes, [4.0, 4.0, 2.0, 0.0, -4.0])
        self.assertEqual(connection.execute("SELECT size FROM positions").fetchone(), (sum(sizes),))

    def test_a_bad_event_changes_nothing(self) -> None:
        connection = sqlite3.connect(":memory:")
        connection.executescript(SCHEMA)
        good = {"symbol": "BTCUSDT", "action": "BUY", "price": "100"}
        for event in (None, {}, good | {"price": "much"}, good | {"price": "nan"}, good | {"action": "PANIC"}):
            with self.assertRaises(trading.BadIntent):
                trading.execute(connection, "1-0", event, 1.0)
        self.assertEqual(connection.execute("SELECT count(*) FROM trades").fetchone(), (0,))


class Sizing(unittest.TestCase):
    """The size follows the results and stays in its bounds."""

    def test_gains_grow_and_losses_shrink(self) -> None:
        self.assertGreater(sizing.next_size(1.0, [1.0, 2.0]), 1.0)
        self.assertLess(sizing.next_size(1.0, [-3.0, 1.0]), 1.0)
        self.assertEqual(sizing.next_size(1.0, []), 1.0)
        self.assertEqual(sizing.next_size(0.1, [-1.0]), sizing.SMALLEST)


if __name__ == "__main__":
    unittest.main()
