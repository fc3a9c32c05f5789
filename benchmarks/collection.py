"""Collection: customers asked for one by one over unreliable tools, how many are complete, and how fast that goes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measures import Row, row
from orchestration_project.engine import Engine
from orchestration_project.manifests import HEALTH, manifest_files
from orchestration_project.resources import Workspace
from orchestration_project.settings import EngineSettings, Home
from orchestration_project.sources.config import load_sources
from orchestration_project.sources.connector import RawRows
from orchestration_project.sources.open import open_table
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.simulate import simulate

CUSTOMERS, UNTIL = 10_000, date(2026, 11, 22)
FAULTS = {"errors": 0.02, "timeouts": 0.01, "malformed": 0.005, "latency_ms": 5}
LATENCY_MS, CONCURRENCIES, TIMED = 50, (8, 20), 4000
TABLES = {
    "usage_events": ("analytics", "daily_usage"), "support_tickets": ("tickets", "list_tickets"),
    "invoices": ("crm", "list_invoices"), "engagements": ("crm", "list_engagements"),
}  # fmt: skip


def collection(folder: Path) -> list[Row]:
    """What 10,000 customers cost and give over tools that fail, and the throughput of tools that take 50 ms."""
    home = folder / "collection"
    simulate(Company(customers=CUSTOMERS, start=date(2026, 10, 1), months=1), UNTIL, home)
    names = [f"C{n:06d}" for n in range(1, CUSTOMERS + 1)]
    rows = []
    with _serving(home / "tables", **FAULTS) as url:
        _configure(home, url, timeout_seconds=1, concurrency=40)
        failed: set[str] = set()
        began = time.perf_counter()
        for table in TABLES:
            found = _collected(home, table, names)
            failed |= set(found.missing or {})
        seconds = time.perf_counter() - began
    share = 1 - len(failed) / CUSTOMERS
    rows.append(
        row(f"{CUSTOMERS:,} customers, 4 tables, {seconds:.0f} s: complete", f"{share:.2%}", "> 99.9 %", share > 0.999)
    )
    for concurrency in CONCURRENCIES:
        with _serving(home / "tables", latency_ms=LATENCY_MS) as url:
            _configure(home, url, concurrency=concurrency)
            began = time.perf_counter()
            _collected(home, "support_tickets", names[:TIMED])
            rate = TIMED / (time.perf_counter() - began)
        most = concurrency / (LATENCY_MS / 1000)
        rows.append(
            row(
                f"calls a second, {concurrency} at once",
                f"{rate:.0f} = {rate / most:.2f} x {most:.0f}",
                ".8",
                rate >= 0.8 * most,
            )
        )
    return rows


@contextmanager
def _serving(tables: Path, **faults: Any) -> Iterator[str]:
    command = [sys.executable, "-m", "orchestration_project.sources.simulation.servers", str(tables)]
    process = subprocess.Popen(
        [*command, "--faults", json.dumps(faults)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def _configure(home: Path, url: str, **limits: Any) -> None:
    servers = {name: {"url": f"{url}/{name}/mcp"} for name in ("crm", "analytics", "tickets")}
    tables: dict[str, Any] = {"customers": {"connector": "mcp", "server": "crm", "tool": "list_customers"}}
    for name, (server, tool) in TABLES.items():
        tables[name] = {"connector": "mcp", "server": server, "tool": tool, "per_customer": "customer_id"}
    tables["usage_events"] |= {"since": "since", "until": "until"}
    (home / "sources.yaml").write_text(yaml.safe_dump({"servers": servers, "tables": tables}))
    content = yaml.safe_load(manifest_files(Home(home))[HEALTH].read_text(encoding="utf-8"))
    content["roles"]["customer_data_collector"] |= limits
    (home / "workflows").mkdir(exist_ok=True)
    (home / "workflows" / f"{HEALTH}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _collected(home: Path, table: str, names: list[str]) -> RawRows:
    engine = Engine(EngineSettings(), home / "spill")
    try:
        workspace = Workspace(Home(home), lambda: datetime(2026, 11, 23, 8, tzinfo=UTC))
        sources = load_sources(workspace.home)
        # The last month of usage, as a daily refresh reads it.
        between = (date(2026, 11, 1), date(2026, 12, 1))
        found = open_table(table, sources, workspace, engine, lambda: names, between).rows()
        found.finish()
        print(f"  {table}: {dict(found.figures)}", flush=True)
        return found
    finally:
        engine.close()
