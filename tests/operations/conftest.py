"""What tests of the operations store share: an empty store on SQLite and on PostgreSQL, and a permit."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger, outbox, reviews
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from tests.conftest import Postgres

DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PERMIT = Permit.for_run("run-1", {}, DayRange(DAY, DAY), DAY, {"customers": True}, NOW)
WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Postgres:
    """A database of the operations store's own."""
    postgres.run("CREATE DATABASE operations")
    return replace(postgres, url=postgres.url.removesuffix("postgres") + "operations")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'operations.db'}"
    database = request.getfixturevalue("database")
    database.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return database.url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


def later(**delay: float) -> datetime:
    return NOW + timedelta(**delay)


def action(customer: str = "C1", **change: Any) -> ledger.NewAction:
    values = {
        "workflow": "customer_health", "customer_id": customer, "kind": "outreach", "play": "win_back",
        "cause": "usage_decline", "episode_id": None, "autonomy": "approve", "state": "in_review",
    } | change  # fmt: skip
    return ledger.NewAction(**values)


def item(key: str = "K1", **change: Any) -> reviews.NewItem:
    values = {
        "key": key, "reason_code": "approval", "step": "outreach", "workflow": "customer_health", "queue": "health",
        "owner": "team:cs", "title": "A draft", "deadline": later(days=1), "expires_at": later(days=3),
    } | change  # fmt: skip
    return reviews.NewItem(**values)


def message(key: str = "M1", **change: Any) -> outbox.NewMessage:
    values = {
        "idempotency_key": key, "action_id": None, "channel": "file", "kind": "email", "recipient": "ann@example.com",
        "payload": {"subject": "Hello", "body": "We miss you"}, "not_before": NOW,
    } | change  # fmt: skip
    return outbox.NewMessage(**values)


def queued(store: Store, *messages: outbox.NewMessage) -> list[OutboxMessage]:
    """Messages in the outbox, in the order they were given in."""
    with store.transaction("scan", NOW) as tx:
        rows = {row.idempotency_key: row for row in outbox.enqueue(tx, PERMIT, messages)}
    return [rows[each.idempotency_key] for each in messages]


def acted(store: Store, customer: str = "C1", **change: Any) -> Action:
    with store.transaction("scan", NOW) as tx:
        return ledger.record(tx, PERMIT, [action(customer, **change)])[0]


def asked(store: Store, customer: str = "C1", **change: Any) -> ReviewItem:
    """An open review item about an outreach, with a text that would go to Ann."""
    told = acted(store, customer)
    send = outbox.Address("file", "email", "ann@example.com", {"language": "en"})
    values = {"action_id": told.id, "customer_id": customer, "subject": "Hello", "body": "We miss you", "send": send}
    with store.transaction("scan", NOW) as tx:
        return reviews.raise_items(tx, [item(f"draft:{customer}", **(values | change))], PERMIT)[0]


def state_of(store: Store, model: type, row_id: str) -> str:
    with store.reading() as session:
        return session.get_one(model, row_id).state


def start(*arguments: object) -> "subprocess.Popen[str]":
    """Starts `worker.py` in a process of its own."""
    command = [sys.executable, str(WORKER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


@pytest.fixture
def together() -> Iterator[Callable[..., list[str]]]:
    """Runs processes that begin at the same moment; what each printed."""
    running: list[subprocess.Popen[str]] = []

    def run(*calls: tuple[object, ...]) -> list[str]:
        running.extend(start(*call) for call in calls)
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        ended = [process.communicate(timeout=120)[0] for process in running]
        assert [process.returncode for process in running] == [0] * len(running), ended
        return ended

    yield run
    for process in running:
        process.kill()
        process.wait()
