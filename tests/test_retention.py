"""Retention: what is past its term goes, what is not stays, and a dry run only tells."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml

from orchestration_project.agents.replies import Replies
from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger, outbox, responses, reviews
from orchestration_project.operations.models import AuditEntry, Base
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.retention import apply_retention
from orchestration_project.settings import Home

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=100), NOW - timedelta(days=10)
TERMS = ("lake_days", "replies_days", "outbox_days", "responses_days", "reviews_days", "audit_days")
EXPECTED = {
    "lake_days": {"partitions": 2}, "replies_days": {"replies": 1}, "outbox_days": {"files": 2, "messages": 1},
    "responses_days": {"responses": 1}, "reviews_days": {"reviews": 2},
}  # fmt: skip


@pytest.fixture
def place(tmp_path, request) -> Workspace:
    """A home with an old and a new one of everything."""
    home = Home(tmp_path)
    home.sources_file.write_text("tables: {customers: {connector: files, path: customers.csv}}\n")
    for time, label in ((OLD, "old"), (NEW, "new")):
        _lake(home, time.date())
        _files(home, time, label)
        with Store.open(home) as store:
            _stored(store, time, label)
    with closing(sqlite3.connect(home.replies)) as kept, kept:
        kept.execute("UPDATE replies SET kept_at = ? WHERE key = 'old'", (OLD.isoformat(timespec="seconds"),))
    return Workspace(home, lambda: NOW)


def _lake(home: Home, day: date) -> None:
    for folder in (f"risk_scores/scan_day={day}", f"escalations/about=outreach_drafts.{day}", "customers"):
        (home.lake / folder).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"customer_id": ["C1"]}), home.lake / folder / "part-0.parquet")


def _files(home: Home, time: datetime, label: str) -> None:
    home.outbox.mkdir(exist_ok=True)
    (home.outbox / f"{label}.eml").write_text(label)
    os.utime(home.outbox / f"{label}.eml", (time.timestamp(), time.timestamp()))
    with (home.outbox / "tasks.jsonl").open("a") as lines:
        line = {"idempotency_key": f"key {label}", "at": time.isoformat(), "payload": {"x": label}}
        lines.write(json.dumps(line) + "\n")
    with Replies(home.replies) as replies:
        replies.keep(label, f"words {label}", "C1")


def _stored(store: Store, time: datetime, label: str) -> None:
    day, told = time.date(), f"secret {label}"
    permit = Permit.for_run("run", {}, DayRange(day, day), day, {"customers": True}, time)
    new = ledger.NewAction("customer_health", label, "outreach", "p", "c", None, "approve", "in_review")
    with store.transaction("scan", time) as tx:
        (action,) = ledger.record(tx, permit, [new])
        kinds = [("decided", action.id), ("open", None)]
        items = reviews.raise_items(tx, [reviews.NewItem(
            key=f"{kind} {label}", reason_code="approval", step="outreach", workflow="w", queue="q", owner="o",
            title=told, deadline=time, expires_at=NOW + timedelta(3), action_id=of, customer_id=label,
            subject=told, body=told,
            send=outbox.Address("file", "email", "a@b.example", {}) if of else None,
        ) for kind, of in kinds], permit)  # fmt: skip
        message = outbox.NewMessage(f"m {label}", action.id, "file", "email", "a@b.example", {"body": told}, time)
        outbox.enqueue(tx, permit, [message])
        ledger.raise_tasks(tx, permit, [ledger.NewTask(label, "risk", told, time)])
        responses.record(tx, [responses.NewResponse(f"<{label}>", label, "reply", time, None, excerpt=told)])
        decided = next(each for each in items if each.action_id)
        reviews.claim(tx, decided.id)
        reviews.reject(tx, decided.id, told)
        ledger.cancel(tx, action.id, told)
        (task,) = [each for each in ledger.open_tasks(tx.session) if each.customer_id == label]
        ledger.close_task(tx, task.id, told)
        tx.session.execute(sa.update(Base.metadata.tables["outbox"]).values(state="cancelled"))


def configure(place: Workspace, **days: int | None) -> Workspace:
    content = {"retention": dict.fromkeys(TERMS) | days}
    place.home.settings_file.write_text(yaml.safe_dump(content))
    return Workspace(place.home, place.now)


def snapshot(place: Workspace) -> str:
    with Store.open(place.home) as store, store.engine.connect() as connection:
        rows = [str(row) for table in Base.metadata.sorted_tables for row in connection.execute(sa.select(table))]
    files = [f"{file.name} {file.read_bytes()!r}" for file in sorted(place.home.outbox.rglob("*"))]
    with Replies(place.home.replies) as replies:
        kept = [str(replies.get(key)) for key in ("old", "new")]
    return "\n".join([*rows, *files, *kept, *sorted(str(file) for file in place.home.lake.rglob("*.parquet"))])


@pytest.mark.parametrize("term", EXPECTED)
def test_what_is_past_its_term_goes_and_a_dry_run_tells_it_before(place, term):
    place = configure(place, **{term: 30})
    before = snapshot(place)
    nothing = dict.fromkeys(("partitions", "replies", "files", "messages", "responses", "reviews", "audit entries"), 0)
    assert apply_retention(place, dry_run=True) == nothing | EXPECTED[term]
    assert snapshot(place) == before
    assert apply_retention(place) == nothing | EXPECTED[term]
    assert apply_retention(place) == nothing
    after = snapshot(place)
    assert after != before
    assert after.count("new") >= before.count("new")


def test_what_the_store_masks_is_masked_in_the_audit_trail_too(place):
    place = configure(place, outbox_days=30, responses_days=30, reviews_days=30)
    apply_retention(place)
    text = snapshot(place)
    lines = [line for line in text.splitlines() if "secret old" in line]
    # The item that nobody has decided yet keeps its text, in its row and in the entry of its making.
    assert all("open old" in line for line in lines), lines
    assert "secret new" in text


def test_of_the_audit_trail_who_did_what_and_when_is_kept(place):
    with Store.open(place.home) as store, store.reading() as session:
        before = session.execute(sa.select(AuditEntry.id, AuditEntry.at, AuditEntry.who, AuditEntry.what)).all()
    assert apply_retention(configure(place, audit_days=30))["audit entries"] > 5
    with Store.open(place.home) as store, store.reading() as session:
        after = session.execute(sa.select(AuditEntry.id, AuditEntry.at, AuditEntry.who, AuditEntry.what)).all()
        told = session.scalars(sa.select(AuditEntry).where(AuditEntry.at < NOW - timedelta(days=30))).all()
    assert after[: len(before)] == before
    assert {(each.why, str(each.after)) for each in told} <= {("[masked]", "{'masked': True}")}


def test_lines_keep_their_length_and_stay_readable(place):
    size = (place.home.outbox / "tasks.jsonl").stat().st_size
    apply_retention(configure(place, outbox_days=30))
    lines = (place.home.outbox / "tasks.jsonl").read_text().splitlines()
    assert (place.home.outbox / "tasks.jsonl").stat().st_size == size
    assert [json.loads(line).get("payload") for line in lines] == [None, {"x": "new"}]


def test_a_home_with_nothing_in_it_has_nothing_to_end(tmp_path):
    (tmp_path / "home").mkdir()
    assert set(apply_retention(Workspace(Home(tmp_path / "home"), lambda: NOW)).values()) == {0}
    assert not (tmp_path / "home" / "operations.db").exists()
