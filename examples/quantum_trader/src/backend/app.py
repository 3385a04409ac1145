"""The HTTP face: `uvicorn src.backend.app:app`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
from fastapi import FastAPI, Response

from src.common import database, service, settings

ALIVE_SECONDS = 30.0
BEAT_SECONDS = 2.0


def beat() -> None:
    """Notes that the backend is alive."""
    with database.opened() as connection:
        database.beat(connection)


async def keep_beating() -> None:
    """A heartbeat every few seconds, asked for or not, so that a dead backend shows in the data."""
    while True:
        try:
            await asyncio.to_thread(beat)
        except sqlite3.Error as error:
            log.warning("no heartbeat: %s", error)
        await asyncio.sleep(BEAT_SECONDS)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Beats from the start to the stop."""
    beating = asyncio.create_task(keep_beating())
    yield
    beating.cancel()


log = service.configure_logging()
redis_client = service.connect_redis()
database.connect().close()
app = FastAPI(title="Quantum Trader", lifespan=lifespan)


@app.get("/health")
def health(response: Response) -> dict[str, object]:
    """Whether the database, Redis and the other services answer; 503 when the first two do not."""
    answers: dict[str, object] = {"service": settings.text("SERVICE_NAME")}
    try:
        with database.opened() as connection:
            beats = connection.execute("SELECT service, at FROM heartbeats").fetchall()
        now = time.time()
        answers["alive"] = {name: now - at < ALIVE_SECONDS for name, at in beats}
        answers["database"] = True
    except sqlite3.Error:
        answers["database"] = False
    try:
        answers["redis"] = bool(redis_client.ping())
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
