"""The SQLite database: one schema, made by whoever comes first."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.common import settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS trades (
    event_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, action TEXT NOT NULL, price REAL NOT NULL,
    size REAL NOT NULL, profit REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    symbol TEXT PRIMARY KEY, size REAL NOT NULL, price REAL NOT NULL);
CREATE TABLE IF NOT EXISTS sizes (
    id INTEGER PRIMARY KEY, size REAL NOT NULL, trades INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS heartbeats (
    service TEXT PRIMARY KEY, at REAL NOT NULL);
"""


def connect() -> sqlite3.Connection:
    """Opens the database of DB_PATH; the tables exist afterwards."""
    connection = sqlite3.connect(settings.text("DB_PATH"), timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(SCHEMA)
    return connection


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """A connection for one request; a database that is gone stays gone, for all to see."""
    there = Path(settings.text("DB_PATH")).absolute().as_uri()
    connection = sqlite3.connect(f"{there}?mode=rw", uri=True, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def beat(connection: sqlite3.Connection) -> None:
    """Notes that this service is alive."""
    with connection:
        connection.execute(
            "INSERT INTO heartbeats VALUES (?, ?) ON CONFLICT(service) DO UPDATE SET at = excluded.at",
            (settings.text("SERVICE_NAME"), time.time()),
        )
