"""A service's life: logging to stdout, a clean stop on SIGTERM, Redis with patience."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable

import redis

from src.common import settings

STREAM = "quantum:stream:trade.intent"
SIZE_KEY = "quantum:position_size"


class Stop:
    """Becomes set on SIGTERM or SIGINT; loops wait on it instead of sleeping."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._event.set())

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Waits, or returns at once when the stop came."""
        self._event.wait(seconds)


def configure_logging() -> logging.Logger:
    """Logs to stdout, which is the journal; the service's name is the logger's."""
    level = settings.text("LOG_LEVEL")
    if level not in logging.getLevelNamesMapping():
        raise settings.BadSetting("LOG_LEVEL", f"is not a level: {level!r}")
    logging.basicConfig(
        stream=sys.stdout,
        level=level,
        format="%(levelname)s %(name)s %(message)s",
    )
    return logging.getLogger(settings.text("SERVICE_NAME"))


def connect_redis() -> redis.Redis:
    """A client that answers in strings; it connects when first used."""
    return redis.Redis(
        host=settings.text("REDIS_HOST"),
        port=int(settings.number("REDIS_PORT")),
        db=int(settings.number("REDIS_DB")),
        decode_responses=True,
        socket_timeout=10,
    )


def run(step: Callable[[], None], pause: float, stop: Stop, log: logging.Logger) -> None:
    """Repeats a step until the stop; a Redis that is away is waited for, longer each time."""
    patience = 0.5
    while not stop:
        try:
            step()
            patience = 0.5
            stop.wait(pause)
        except redis.RedisError as error:
            log.warning("redis is away (%s); trying again in %.1f s", error, patience)
            stop.wait(patience)
            patience = min(patience * 2, 10)
    log.info("stopped")
