"""Adapts the position size: `python -m src.rl_agent.main`."""

from __future__ import annotations

import time

from src.common import database, service, settings
from src.rl_agent import sizing


class Agent:
    """Looks at the trades since its last look, also when that was before a restart."""

    def __init__(self) -> None:
        self.redis = service.connect_redis()
        self.database = database.connect()
        (self.seen,) = self.database.execute(
            "SELECT coalesce(max(rowid), 0) FROM trades WHERE at <= (SELECT max(at) FROM sizes)"
        ).fetchone()

    def step(self) -> None:
        """One adaptation, noted in the database and published for the execution service."""
        rows = self.database.execute(
            "SELECT rowid, profit FROM trades WHERE rowid > ? ORDER BY rowid", (self.seen,)
        ).fetchall()
        database.beat(self.database)
        if not rows:
            return
        size = float(self.redis.get(service.SIZE_KEY) or 1.0)
        adapted = sizing.next_size(size, [profit for _, profit in rows])
        self.redis.set(service.SIZE_KEY, adapted)
        with self.database:
            self.database.execute(
                "INSERT INTO sizes (size, trades, at) VALUES (?, ?, ?)", (adapted, len(rows), time.time())
            )
        self.seen = rows[-1][0]


def main() -> None:
    """Runs until it is told to stop."""
    stop = service.Stop()
    log = service.configure_logging()
    agent = Agent()
    log.info("sizing positions")
    service.run(agent.step, settings.number("ADAPT_SECONDS", 2.0), stop, log)


if __name__ == "__main__":
    main()
