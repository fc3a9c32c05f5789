"""Retention: what has been kept for as long as the settings say goes, in the lake, the files and the store."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from orchestration_project import masking, remains
from orchestration_project.lake import Lake
from orchestration_project.operations import terms
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.sources.open import KEPT

BY = "retention"
_DAY_AT_END = re.compile(r"\d{4}-\d{2}-\d{2}$")


def apply_retention(workspace: Workspace, dry_run: bool = False) -> dict[str, int]:
    """Removes or masks what is past its term, and returns how much of each; in a dry run only tells.

    Raises `HomeBusy` where a scan is running.
    """
    kept, home, now = workspace.settings.retention, workspace.home, workspace.now()
    with workspace.alone() as opened:
        with opened() as lake:
            found = {"partitions": _lake(lake, _before(now, kept.lake_days), dry_run)}
        databases = [home.replies, *sorted((home.path / KEPT).glob("*.db"))]
        replies = (_replies(file, _before(now, kept.replies_days), dry_run) for file in databases if file.exists())
        found |= {"replies": sum(replies), "files": _outbox(home.outbox, _before(now, kept.outbox_days), dry_run)}
        with Store.existing(home) or nullcontext() as store:
            return found | (_stored(store, workspace, dry_run) if store else {})


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


def _lake(lake: Lake, before: datetime | None, dry_run: bool) -> int:
    if before is None:
        return 0
    number = 0
    for table, column, key, _ in lake.everything():
        day = _DAY_AT_END.search(key or "")
        if column and key and day and date.fromisoformat(day[0]) < before.date():
            number += 1
            if not dry_run:
                lake.remove_partitions(table, [key], column)
    return number


def _replies(file: Path, before: datetime | None, dry_run: bool) -> int:
    if before is None:
        return 0
    term = (before.astimezone(UTC).isoformat(timespec="seconds"),)
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    try:
        if dry_run:
            return int(connection.execute("SELECT count(*) FROM replies WHERE kept_at < ?", term).fetchone()[0])
        number = connection.execute("DELETE FROM replies WHERE kept_at < ?", term).rowcount
        if number:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return number
    finally:
        connection.close()


def _outbox(folder: Path, before: datetime | None, dry_run: bool) -> int:
    """E-mails by the time of their file, and lines by the time they tell."""
    if before is None or not folder.is_dir():
        return 0
    number = 0
    for file in remains.files(folder):
        if file.suffix == ".jsonl":
            number += _lines(file, before, dry_run)
        elif datetime.fromtimestamp(file.stat().st_mtime, UTC) < before:
            number += 1
            if not dry_run:
                file.unlink()
    return number


def _lines(file: Path, before: datetime, dry_run: bool) -> int:
    def is_over(line: bytes) -> bool:
        try:
            return datetime.fromisoformat(json.loads(line)["at"]) < before
        except (ValueError, KeyError, TypeError):
            return False

    if dry_run:
        return sum(map(is_over, file.read_bytes().splitlines()))
    return masking.emptied(file, is_over)


def _stored(store: Store, workspace: Workspace, dry_run: bool) -> dict[str, int]:
    now, kept = workspace.now(), workspace.settings.retention
    rules: dict[str, tuple[Callable[..., int], int | None]] = {
        "messages": (terms.messages, kept.outbox_days), "responses": (terms.responses, kept.responses_days),
        "reviews": (terms.reviews, kept.reviews_days), "audit entries": (terms.entries, kept.audit_days),
    }  # fmt: skip
    found: dict[str, int] = {}
    with store.transaction(BY, now) as tx:
        for name, (mask, days) in rules.items():
            before = _before(now, days)
            found[name] = mask(tx, before, dry_run) if before else 0
        if any(found.values()) and not dry_run:
            tx.note("term over", "retention", "all", None, found)
    if any(found.values()) and not dry_run:
        store.compact()
    return found
