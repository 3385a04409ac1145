"""The HTTP face: `uvicorn src.backend.app:app`."""

from __future__ import annotations

import time

import redis
from fastapi import FastAPI, Response

from src.common import database, service, settings

ALIVE_SECONDS = 30.0

service.configure_logging()
app = FastAPI(title="Quantum Trader")


@app.get("/health")
def health(response: Response) -> dict[str, object]:
    """Whether the database, Redis and the other services answer; 503 when the first two do not."""
    answers: dict[str, object] = {"service": settings.text("SERVICE_NAME")}
    with database.opened() as connection:
        database.beat(connection)
        answers["database"] = connection.execute("SELECT 1").fetchone() == (1,)
        beats = connection.execute("SELECT service, at FROM heartbeats").fetchall()
    now = time.time()
    answers["alive"] = {name: now - at < ALIVE_SECONDS for name, at in beats}
    try:
        answers["redis"] = bool(service.connect_redis().ping())
    except redis.RedisError:
        answers["redis"] = False
    if not (answers["database"] and answers["redis"]):
        response.status_code = 503
    return answers


@app.get("/trades")
def trades(limit: int = 50) -> list[dict[str, object]]:
    """The newest trades."""
    with database.opened() as connection:
        rows = connection.execute(
            "SELECT event_id, symbol, action, price, size, profit, at FROM trades ORDER BY at DESC LIMIT ?",
            (max(1, min(limit, 1000)),),
        )
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]


@app.get("/positions")
def positions() -> dict[str, float]:
    """What is held of each symbol."""
    with database.opened() as connection:
        return dict(connection.execute("SELECT symbol, size FROM positions").fetchall())
