"""What tests of commands share: a way to run them as a shell would, and the demo's home."""

import io
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration_project.cli import main

CONNECTED = ("customers", "usage_events", "support_tickets", "invoices")
CUSTOMERS, HISTORY_DAYS, DAYS = 60, 100, 2


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
