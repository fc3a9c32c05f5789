"""Collection: customers asked for one by one over unreliable tools, how many are complete, and how fast that goes."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measures import Row, row
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import opened
from orchestration_project.cli.scanning import compute
from orchestration_project.engine import Engine
from orchestration_project.escalations import open_items
from orchestration_project.manifests import HEALTH, manifest, manifest_files
from orchestration_project.resources import Workspace
from orchestration_project.settings import EngineSettings, Home
from orchestration_project.sources.collected import PARTS
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
GONE = "tickets"
SETTINGS = {"history_start": "2026-10-01", "completeness": {"required": ["usage", "tickets", "payments"]}}
"""The simulated company has customers without segment, revenue or engagement: no tool could tell them."""


def collection(folder: Path) -> list[Row]:
    """What 10,000 customers cost and give over tools that fail, one that is gone, and tools that take 50 ms.

    The limits are the manifest's that ships (30 s for a call, 3 attempts), but for 40 calls at once.
    """
    home = folder / "collection"
    simulate(Company(customers=CUSTOMERS, start=date(2026, 10, 1), months=1), UNTIL, home)
    return [*_unreliable(home), *_outage(home, folder / "outage"), *_throughput(home)]


def _unreliable(home: Path) -> list[Row]:
    """A scan over servers that fail now and then."""
    with _serving(home / "tables", **FAULTS) as url:
        _configure(home, url, concurrency=40)
        began = time.perf_counter()
        _scanned(home)
        seconds = time.perf_counter() - began
    profiles, items = _found(home)
    share = sum("not_collected" not in row.values() for row in profiles) / len(profiles)
    lost = _lost(home)
    cases = [(item["about"], case) for item in items for case in item["customers"]]
    attempts = Counter(len(json.loads(case["attempts"])) for _, case in cases)
    told = {(about, case["customer_id"]) for about, case in cases} == lost and set(attempts) <= {3}
    return [
        row(
            f"{len(profiles):,} profiles over tools, {seconds:.0f} s: all four tables collected",
            f"{share:.2%}",
            "> 99.9 %",
            share > 0.999,
        ),
        row(
            "what could not be collected, and by attempts in an escalation",
            f"{len(lost)}, {dict(attempts)}",
            "each, 3",
            told,
        ),
    ]


def _outage(home: Path, other: Path) -> list[Row]:
    """A scan while one server is away: it stops at the completeness check, with what there is."""
    with _serving(home / "tables", away=[GONE]) as url:
        _configure(other, url, concurrency=40)
        began = time.perf_counter()
        stopped = ""
        try:
            _scanned(other)
        except CommandError as error:
            stopped = str(error)
        seconds = time.perf_counter() - began
    profiles, items = _found(other)
    missing = {part: sum(row[f"{part}_missing"] == "not_collected" for row in profiles) for part in PARTS.values()}
    expected = {part: len(profiles) if part == GONE else 0 for part in missing}
    told = sum(item["cases"] for item in items)
    deadline = manifest(Home(other), HEALTH).roles["customer_data_collector"].deadline_seconds
    away = f"{GONE} away: seconds until the scan has stopped"
    return [
        row(away, f"{seconds:.0f}", f"{deadline:.0f}", seconds < deadline),
        row(f"{GONE} away: not collected, escalated", f"{missing}, {told:,}", f"{GONE} of all, {CUSTOMERS:,}",
            missing == expected and told == CUSTOMERS),
        row(f"{GONE} away: the completeness check", "failed" if "profiles_complete" in stopped else "passed", "failed",
            "profiles_complete" in stopped),
    ]  # fmt: skip


def _throughput(home: Path) -> list[Row]:
    names = [f"C{n:06d}" for n in range(1, TIMED + 1)]
    rows = []
    for concurrency in CONCURRENCIES:
        with _serving(home / "tables", latency_ms=LATENCY_MS) as url:
            _configure(home, url, concurrency=concurrency)
            began = time.perf_counter()
            _collected(home, "support_tickets", names)
            rate = TIMED / (time.perf_counter() - began)
        most = concurrency / (LATENCY_MS / 1000)
        figure = f"{rate:.0f} = {rate / most:.2f} x {most:.0f}"
        rows.append(row(f"calls a second, {concurrency} at once", figure, ".8", rate >= 0.8 * most))
    return rows


def _scanned(home: Path) -> None:
    with opened(Home(home)) as runs:
        compute(runs, UNTIL, UNTIL)


def _found(home: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The profiles of the day, and what was escalated."""
    with Workspace(Home(home)).lake() as lake:
        parts = [f"{part}_missing" for part in PARTS.values()]
        profiles = lake.read("customer_profiles", [UNTIL.isoformat()], "scan_day").select("customer_id", *parts)
        return lake.engine.rows(profiles), open_items(lake)


def _lost(home: Path) -> set[tuple[str, str]]:
    """Source and customer of all that could not be collected."""
    with Workspace(Home(home)).lake() as lake:
        rows = lake.engine.rows(lake.read("collections"))
    return {(row["source"], row["customer_id"]) for row in rows if row["customer_id"]}


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
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
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
