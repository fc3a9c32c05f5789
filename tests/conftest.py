"""What all tests share: how hard hypothesis tries, an engine, and servers: PostgreSQL, tools, Anthropic's API."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings

from orchestration_project.engine import Engine
from orchestration_project.settings import EngineSettings
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
