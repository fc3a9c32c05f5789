"""Replies: what tools and models answered, kept under what was asked, so nothing is asked twice.

A reply is on disk before anything is made of it: who is killed and starts again goes on where the last reply ended.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30


def asked(**what: Any) -> str:
    """The key of a question: a hash of everything that decides its answer."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str, separators=(",", ":")).encode()).hexdigest()


class Replies:
    """Replies in one SQLite file, which several processes may use at once."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A reply survives a killed process; a power cut may cost the last ones, which are then asked again.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, customer_id TEXT, "
            "kept_at TEXT NOT NULL) WITHOUT ROWID"
        )

    def get(self, key: str) -> Any | None:
        """The reply to a question; None where there is none."""
        row = self._connection.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def keep(self, key: str, reply: Any, customer_id: str | None = None) -> None:
        """Keeps a reply; the first one to a question stays."""
        self.keep_all([(key, reply, customer_id)])

    def keep_all(self, replies: Iterable[tuple[str, Any, str | None]]) -> None:
        """Keeps replies by key and customer, all of them or none."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [(key, json.dumps(reply), customer_id, now) for key, reply, customer_id in replies]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", rows)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> "Replies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def forget(file: Path) -> None:
    """Removes a file of replies and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
