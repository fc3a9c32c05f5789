"""What tests of commands share: a way to run them as a shell would, and the demo's home."""

import io
import json
import os
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from orchestration_project.cli import main
from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger, outbox, reviews, uncertain
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store, Transaction
from orchestration_project.settings import Home

CONNECTED = ("customers", "usage_events", "support_tickets", "invoices")
CUSTOMERS, HISTORY_DAYS, DAYS = 60, 100, 2
SCANNED = date(2026, 11, 22)


@dataclass(frozen=True)
class Outcome:
    """What a command printed and returned."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of a command that failed."""
        assert self.code == 1, self
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        assert line.endswith(".")
        return line


@dataclass(frozen=True)
class Shell:
    """Runs `orchestrate` on a home."""

    home: Path

    def __call__(self, *arguments: object) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with _untouched_process(), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(self.home)])
        return Outcome(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def settings(self, **changed: Any) -> None:
        """Changes settings, as a person does in an editor."""
        self._edit(self.home / "settings.yaml", changed)

    def sources(self, **changed: Any) -> None:
        """Changes sources, as a person does in an editor."""
        self._edit(self.home / "sources.yaml", changed)

    def _edit(self, file: Path, changed: dict[str, Any]) -> None:
        self.home.mkdir(exist_ok=True)
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(yaml.safe_dump(content | changed), encoding="utf-8")


@contextmanager
def _untouched_process() -> Iterator[None]:
    """Commands set variables for Dagster, and filter warnings, for what they think is their own process."""
    before = dict(os.environ)
    with warnings.catch_warnings():
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@dataclass(frozen=True)
class Demo:
    """The demo's home after the demo."""

    shell: Shell
    outcome: Outcome
    yesterday: date


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, on a home with few customers and a short history. Tests leave it as it is."""
    shell = Shell(tmp_path_factory.mktemp("demo") / "home")
    yesterday = datetime.now(UTC).date() - timedelta(1)
    start = str(yesterday - timedelta(HISTORY_DAYS))
    simulated = {name: {"connector": "simulated"} for name in CONNECTED}
    shell.settings(history_start=start, engine={"memory_limit": "1GB"})
    shell.sources(simulation={"start": start, "customers": CUSTOMERS, "missing_rate": 0}, tables=simulated)
    return Demo(shell, shell("demo", "--days", DAYS), yesterday)


@pytest.fixture
def copy(demo: Demo, tmp_path: Path) -> Shell:
    """The demo's home, to change."""
    shutil.copytree(demo.shell.home, tmp_path / "copy")
    return Shell(tmp_path / "copy")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """On a home that is not there yet."""
    return Shell(tmp_path / "home")


@pytest.fixture
def small(shell: Shell) -> Shell:
    """On a home with two customers in a file and nothing else, scanned never."""
    shell.sources(tables={"customers": {"connector": "files", "path": "customers.csv"}})
    shell.settings(history_start="2025-01-01")
    content = "customer_id,signed_up_at,plan\nC1,2024-01-01,pro\nC2,2024-01-01,pro\n"
    (shell.home / "customers.csv").write_text(content, encoding="utf-8")
    return shell


class Asked:
    """A home in which a live scan has asked people, and what its store holds."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.now = shell, datetime.now(UTC)
        self._permit = Permit.for_run("run-1", {}, DayRange(SCANNED, SCANNED), SCANNED, {"customers": True}, self.now)

    def store(self) -> Store:
        return Store.open(Home(self.shell.home))

    def draft(self, customer: str = "C1", recipient: str | None = "ann@example.com", **changed: Any) -> str:
        """Asks about an outreach; the identifier of its item."""
        act = ledger.NewAction("customer_health", customer, "outreach", "check_in", "usage_decline", None, "approve",
                               "in_review")  # fmt: skip
        send = recipient and outbox.Address("file", "email", recipient, {"customer_id": customer, "language": "en"})
        with self.store() as store, store.transaction("scan", self.now) as tx:
            (action,) = ledger.record(tx, self._permit, [act])
            told = {"action_id": action.id, "customer_id": customer, "subject": "Hello", "send": send,
                    "body": "We miss you.\n\nCall us."}  # fmt: skip
            return self._raised(tx, f"draft:{customer}", told | changed)

    def question(self, key: str = "Q1", **changed: Any) -> str:
        """Asks about no action."""
        with self.store() as store, store.transaction("scan", self.now) as tx:
            return self._raised(tx, key, changed)

    def _raised(self, tx: Transaction, key: str, changed: dict[str, Any]) -> str:
        usual = {"key": key, "reason_code": "approval", "step": "outreach_agent", "workflow": "customer_health",
                 "queue": "customer_success", "owner": "team:cs", "title": "A message to Acme",
                 "deadline": self.now + timedelta(hours=24, seconds=50),
                 "expires_at": self.now + timedelta(days=14)}  # fmt: skip
        (item,) = reviews.raise_items(tx, [reviews.NewItem(**(usual | changed))], self._permit)
        return item.id

    def uncertain(self, customer: str = "C9") -> str:
        """A message of which nobody knows whether it was sent; the item that asks."""
        long_ago = self.now - timedelta(hours=2)
        with self.store() as store:
            with store.transaction("scan", long_ago) as tx:
                message = outbox.NewMessage(
                    f"M:{customer}",
                    None,
                    "file",
                    "email",
                    "ann@example.com",
                    {"subject": "Hello", "body": "Hi", "customer_id": customer},
                    long_ago,
                )
                outbox.enqueue(tx, self._permit, [message])
            with store.transaction("w", long_ago) as tx:
                (row,) = outbox.claim(tx, "w", ["file"], 1, timedelta(minutes=5))
                outbox.begin_attempt(tx, "w", row.id, timedelta(minutes=5))
            with store.transaction("w", self.now) as tx:
                uncertain.sweep(tx, DESK)
            with store.reading() as session:
                return next(row.id for row in reviews.page(session).items if row.reason_code == reviews.UNCERTAIN)

    def rows(self, model: Any) -> list[Any]:
        """All rows of a table."""
        with self.store() as store, store.reading() as session:
            return list(session.scalars(sa.select(model)))

    def row(self, model: Any, row_id: str) -> Any:
        with self.store() as store, store.reading() as session:
            return session.get_one(model, row_id)


@pytest.fixture
def asked(small: Shell) -> Asked:
    """On the home of `small`."""
    return Asked(small)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def at_home() -> Callable[[Path], Asked]:
    """On a home that a test chooses."""
    return lambda home: Asked(Shell(home))
