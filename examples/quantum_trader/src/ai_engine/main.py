"""Publishes a trade intent for every tick: `python -m src.ai_engine.main`."""

from __future__ import annotations

import json
import time

from src.ai_engine import ensemble, market
from src.ai_engine.patchtst import Patchtst
from src.common import database, service, settings

STREAM_LENGTH = 20_000
BEAT_SECONDS = 2.0


class Engine:
    """Walks the market; the tick survives a restart because it is the number of events published."""

    def __init__(self) -> None:
        self.redis = service.connect_redis()
        self.database = database.connect()
        self.patchtst = Patchtst.load()
        self.tick: int | None = None
        self.beaten = 0.0

    def step(self) -> None:
        """One tick of one symbol."""
        if self.tick is None:
            self.tick = int(self.redis.get("quantum:market:tick") or ensemble.WINDOW)
        symbol = market.SYMBOLS[self.tick % len(market.SYMBOLS)]
        prices = market.window(symbol, self.tick, ensemble.WINDOW)
        predictions = ensemble.breakdown(prices)
        trained = self.patchtst
        if trained and not trained.shadow_only:
            predictions["patchtst"] = trained.predict(prices)
        action, confidence = ensemble.vote(predictions)
        if trained and trained.shadow_only:
            predictions["patchtst"] = trained.predict(prices)
        event = {
            "event_type": "trade.intent",
            "source": settings.text("SERVICE_NAME"),
            "timestamp": f"{time.time():.3f}",
            "tick": str(self.tick),
            "symbol": symbol,
            "price": f"{prices[-1]:.6f}",
            "action": action,
            "confidence": f"{confidence:.4f}",
            "model_breakdown": json.dumps(predictions, separators=(",", ":")),
        }
        if trained:
            event["patchtst_digest"] = trained.digest
        self.redis.xadd(service.STREAM, event, maxlen=STREAM_LENGTH, approximate=True)
        self.tick += 1
        self.redis.set("quantum:market:tick", self.tick)
        if time.monotonic() - self.beaten >= BEAT_SECONDS:
            database.beat(self.database)
            self.beaten = time.monotonic()


def main() -> None:
    """Runs until it is told to stop."""
    stop = service.Stop()
    log = service.configure_logging()
    engine = Engine()
    log.info("publishing to %s", service.STREAM)
    if engine.patchtst:
        shadow = "in shadow" if engine.patchtst.shadow_only else "obeyed"
        log.info("patchtst %s is %s", engine.patchtst.digest[:12], shadow)
    service.run(engine.step, settings.number("TICK_SECONDS", 0.2), stop, log)


if __name__ == "__main__":
    main()
