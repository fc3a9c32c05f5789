"""What all tests share: how hard hypothesis tries, an engine, and servers: PostgreSQL, tools, Anthropic's API."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import psycopg
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.engine import Engine
from orchestration_project.manifests import HEALTH, manifest_files
from orchestration_project.operations.models import (
    Action,
    Assignment,
    Episode,
    OutboxMessage,
    Response,
    ReviewItem,
    Task,
)
from orchestration_project.operations.store import Store, Transaction
from orchestration_project.resources import Workspace
from orchestration_project.settings import EngineSettings, Home
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate

# Expressions take long to compile and DuckDB's timing varies, so neither is a sign of a bad test.
settings.register_profile(
    "fast",
    max_examples=4,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=set(Phase) - {Phase.explain},
)
settings.register_profile("thorough", settings.get_profile("fast"), max_examples=200)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "fast"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, in whatever order, so that no worker waits for another in the end."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One DuckDB engine for tests that only compute."""
    started = Engine(EngineSettings(memory_limit="2GB", threads=2), tmp_path_factory.mktemp("spill"))
    yield started
    started.close()


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server of the tests' own."""

    url: str
    port: int
    log: Path

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements as the owner; the rows of the last."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursors = [connection.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []

    def load(self, table: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> None:
        """Makes a table with columns of these types and puts rows into it."""
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        marks = ", ".join(["%s"] * len(columns))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"CREATE TABLE {table} ({declared})")
            values = [[row.get(name) for name in columns] for row in rows]
            connection.cursor().executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def _binaries() -> Path | None:
    found = shutil.which("postgres")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: float(file.parts[-3]))
    return Path(found).resolve().parent if found else versions[-1].parent if versions else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("there is no PostgreSQL server on this machine; `apt-get install postgresql` brings one")
    # PostgreSQL refuses to run as root, and another user can't see into the folders that pytest makes for root.
    identity: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if not os.getuid() else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if identity:
        shutil.chown(folder, identity["user"], identity["group"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
        command = [str(binaries / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, **identity)

    options = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off",
        "shared_preload_libraries": "pg_stat_statements", "log_statement": "all", "timezone": "Asia/Tokyo",
    }  # fmt: skip
    log = folder / "log"
    run("initdb", "-U", "health", "-A", "trust", "-E", "UTF8", "--no-sync")
    run("pg_ctl", "-w", "-l", str(log), "-o", " ".join(f"-c {key}={value}" for key, value in options.items()), "start")
    try:
        server = Postgres(f"postgresql://health@127.0.0.1:{port}/postgres", port, log)
        server.run("CREATE EXTENSION pg_stat_statements")
        yield server
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _own_manifest(home: Home, changes: Mapping[str, Any]) -> None:
    """Writes a manifest of a home's own: the one in force, with other values at dotted places."""
    content = yaml.safe_load(manifest_files(home)[HEALTH].read_text(encoding="utf-8"))
    for place, value in changes.items():
        *path, last = place.split(".")
        part = content
        for key in path:
            part = part[int(key)] if isinstance(part, list) else part[key]
        part[int(last) if isinstance(part, list) else last] = value
    home.workflows.mkdir(exist_ok=True, parents=True)
    (home.workflows / f"{HEALTH}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="session")
def own_manifest() -> Callable[[Home, Mapping[str, Any]], None]:
    """Changes the manifest of a home, as `{"roles.outreach_agent.owner": "team:other"}`."""
    return _own_manifest


@dataclass(frozen=True)
class Trial:
    """A play that was tried on customers who were assigned on one day."""

    play: str
    day: date
    treated: int
    control: int
    treated_left: int
    control_left: int
    kind: str = "outreach"
    mrr: float | None = 100.0

    @property
    def customers(self) -> list[tuple[str, str, bool]]:
        """Identifier, arm and whether the customer left, 30 days later."""
        arms = (("treated", self.treated, self.treated_left), ("control", self.control, self.control_left))
        return [(f"{self.play}-{arm}-{n}", arm, n < left) for arm, count, left in arms for n in range(count)]


def _tried(workspace: Workspace, *trials: Trial) -> None:
    """Puts trials into the lake and the store of a home, as live scans would have left them."""
    with workspace.lake() as lake:
        for table, rows in _told_of_customers(trials).items():
            own = [column for column in LAKE_TABLES[table] if column.name != "scan_day"]
            kinds = ibis.schema({column.name: column.type for column in own}).to_pyarrow()
            for day, of_day in rows.items():
                told = lake.engine.arrow(pa.Table.from_pylist(of_day, kinds))
                if day is None:
                    lake.replace(table, told)
                else:
                    lake.replace(table, told.mutate(scan_day=ibis.date(day)), [day.isoformat()], "scan_day")
    with Store.open(workspace.home) as store, store.transaction("scan", datetime(2026, 1, 1, tzinfo=UTC)) as tx:
        for trial in trials:
            for row in trial.customers:
                _recorded(tx, trial, *row)


def _told_of_customers(trials: Sequence[Trial]) -> dict[str, dict[date | None, list[dict[str, Any]]]]:
    signed = datetime(2020, 1, 1)  # noqa: DTZ001 - as the lake has it
    tables: dict[str, dict[date | None, list[dict[str, Any]]]] = {"customers": {None: []}, "customer_profiles": {}}
    for trial in trials:
        gone = datetime.combine(trial.day + timedelta(30), datetime.min.time())
        for name, _, left in trial.customers:
            about = {"customer_id": name, "signed_up_at": signed, "mrr": trial.mrr}
            known = about | {"churned_at": gone if left else None, "known_on": trial.day}
            tables["customers"][None].append(known)
            tables["customer_profiles"].setdefault(trial.day, []).append(about)
    return tables


def _recorded(tx: Transaction, trial: Trial, name: str, arm: str, _left: bool) -> None:
    """What the store has of one customer: every tenth replied to, every fourth edited, every fifth not yet sent."""
    acted = datetime.combine(trial.day + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=8)
    number, share = int(name.rpartition("-")[2]), trial.treated / (trial.treated + trial.control)
    ids = {"id": tx.new_id(), "created_at": acted}

    def row(model: type, **values: Any) -> str:
        made = model(**(ids | {"id": tx.new_id()} | values))
        tx.session.add(made)
        tx.session.flush()
        return made.id

    episode = row(Episode, customer_id=name, band="medium", started_on=trial.day, last_seen_on=trial.day)
    about = {"customer_id": name, "play": trial.play, "episode_id": episode, "scan_day": trial.day, "variant": "a"}
    row(Assignment, **about, arm=arm, propensity=share, salt="s")
    if arm == "control":
        return
    action = row(Action, **about, key=name, workflow="w", kind=trial.kind, cause="usage_decline", autonomy="approve",
                 state="sent", propensity=1.0)  # fmt: skip
    if trial.kind == "alert":
        row(Task, customer_id=name, cause="usage_decline", action_id=action, title="t", details={}, state="open",
            deadline=acted, opened_at=acted, updated_at=acted)  # fmt: skip
        return
    row(ReviewItem, key=name, reason_code="approval", step="outreach", workflow="w", customer_id=name,
        action_id=action, queue="q", owner="o", priority=3, title="t", context={}, body="text", deadline=acted,
        expires_at=acted, state="edited" if number % 4 == 0 else "approved", decided_by="ann", decided_at=acted,
        edit_distance=0.5 if number % 4 == 0 else None)  # fmt: skip
    sent = number % 5 != 0
    message = row(OutboxMessage, idempotency_key=name, action_id=action, channel="file", kind="email", recipient="r",
                  payload={}, not_before=acted, attempts=1, state="sent" if sent else "pending",
                  sent_at=acted + timedelta(hours=2) if sent else None)  # fmt: skip
    if number % 10 == 1:
        row(Response, outbox_id=message, customer_id=name, kind="reply", received_at=acted + timedelta(days=2),
            source_id=name)  # fmt: skip


@pytest.fixture(scope="session")
def tried() -> Callable[..., None]:
    """Puts trials into a workspace's lake and store."""
    return _tried


@pytest.fixture(scope="session")
def trial() -> type[Trial]:
    return Trial


@pytest.fixture(scope="session")
def company_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a simulated company of 60 customers, up to 22 November 2026."""
    folder = tmp_path_factory.mktemp("company")
    simulate(Company(customers=60, start=date(2026, 8, 1), months=3, missing_rate=0), date(2026, 11, 22), folder)
    return folder / "tables"


@dataclass(frozen=True)
class ToolProcess:
    """A process of reference tool servers."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path

    def server(self, name: str, **more: Any) -> dict[str, Any]:
        """One of its servers, as in sources.yaml."""
        return {"url": f"{self.url}/{name}/mcp", **more}

    def answered(self) -> list[dict[str, Any]]:
        """The calls it answered rightly, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def tool_servers(company_tables: Path, tmp_path: Path) -> Iterator[Callable[..., ToolProcess]]:
    """Starts reference tool servers with the faults that a test wants."""
    started: list[ToolProcess] = []

    def start(tables: Path = company_tables, token: str | None = None, port: int = 0, **faults: Any) -> ToolProcess:
        log = tmp_path / f"calls-{len(started)}.jsonl"
        command = [
            sys.executable, "-m", "orchestration_project.sources.simulation.servers", str(tables),
            "--faults", json.dumps(faults), "--log", str(log), "--port", str(port),
            *(["--token", token] if token else []),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        taken = process.stdout.readline().strip()
        started.append(ToolProcess(f"http://127.0.0.1:{taken}", process, log))
        return started[-1]

    yield start
    for each in started:
        each.stop()


MESSAGES_SERVER = Path(__file__).parent / "agents" / "messages_server.py"


@dataclass(frozen=True)
class MessagesServer:
    """A process that speaks the Messages API."""

    url: str
    log: Path
    process: "subprocess.Popen[str]"

    def answered(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def messages_server(tmp_path: Path) -> Iterator[Callable[..., MessagesServer]]:
    """Starts servers that do as a test says."""
    started: list[MessagesServer] = []

    def start(**told: Any) -> MessagesServer:
        log = tmp_path / f"messages-{len(started)}.jsonl"
        command = [sys.executable, str(MESSAGES_SERVER), json.dumps(told), str(log)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started.append(MessagesServer(f"http://127.0.0.1:{process.stdout.readline().strip()}", log, process))
        return started[-1]

    yield start
    for each in started:
        each.stop()
