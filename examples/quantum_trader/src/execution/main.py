"""Consumes intents in a consumer group: `python -m src.execution.main`."""

from __future__ import annotations

import logging

import redis

from src.common import database, service
from src.execution import trading

GROUP = "execution"
CONSUMER = "execution-1"


class Executor:
    """Reads what is new, and first what a crash left unacknowledged."""

    def __init__(self, log: logging.Logger) -> None:
        self.log = log
        self.redis = service.connect_redis()
        self.database = database.connect()
        self.ready = False

    def prepare(self) -> None:
        """Makes the group; it exists after the first run."""
        try:
            self.redis.xgroup_create(service.STREAM, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self.take("0")
        self.ready = True

    def take(self, start: str, block: int | None = None) -> None:
        """Trades one batch from `start` and acknowledges it; a bad event is told of, and never read again."""
        batch = self.redis.xreadgroup(GROUP, CONSUMER, {service.STREAM: start}, count=200, block=block)
        for _, entries in batch or []:
            for event_id, event in entries:
                size = float(self.redis.get(service.SIZE_KEY) or 1.0)
                try:
                    trading.execute(self.database, event_id, event, size)
                except trading.BadIntent as fault:
                    self.log.warning("event %s is skipped: %s", event_id, fault)
                self.redis.xack(service.STREAM, GROUP, event_id)

    def step(self) -> None:
        """One batch; a group that vanished with Redis is made again."""
        try:
            if not self.ready:
                self.prepare()
            self.take(">", block=500)
            database.beat(self.database)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self.ready = False


def main() -> None:
    """Runs until it is told to stop."""
    stop = service.Stop()
    log = service.configure_logging()
    executor = Executor(log)
    log.info("consuming %s as %s", service.STREAM, GROUP)
    service.run(executor.step, 0.05, stop, log)


if __name__ == "__main__":
    main()
