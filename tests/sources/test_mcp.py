"""Tables behind tools: pages, customers, what is collected, what is not, and how a killed collection goes on."""

import json
import multiprocessing
import os
import random
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration_project.agents.errors import DeadlinePassed, HumanNeeded, ServerGone, UnexpectedOutput
from orchestration_project.manifests import ManifestError
from orchestration_project.settings import Home, SettingsError
from orchestration_project.sources.config import load_sources
from orchestration_project.sources.errors import SourceError
from orchestration_project.sources.open import KEPT, open_table

PER_CUSTOMER = {"connector": "mcp", "per_customer": "customer_id"}
SOURCES: dict[str, dict[str, Any]] = {
    "customers": {"connector": "mcp", "server": "crm", "tool": "list_customers"},
    "usage_events": {
        **PER_CUSTOMER, "server": "analytics", "tool": "daily_usage", "since": "since", "until": "until",
    },
    "support_tickets": {**PER_CUSTOMER, "server": "tickets", "tool": "list_tickets"},
    "invoices": {**PER_CUSTOMER, "server": "crm", "tool": "list_invoices"},
    "engagements": {**PER_CUSTOMER, "server": "crm", "tool": "list_engagements"},
}  # fmt: skip
KILLS = 100 if os.environ.get("STRESS") == "1" else 8
NAMES = [f"C{n:06d}" for n in range(1, 61)]


@pytest.fixture
def limits(home: Any, own_manifest: Any) -> Any:
    """Changes the collector's limits in a manifest of the home's own."""

    def change(**limits: Any) -> None:
        places = {f"roles.customer_data_collector.{name}": value for name, value in limits.items()}
        own_manifest(Home(home.path), places)

    change(backoff={"first_seconds": 0.01, "factor": 1, "most_seconds": 0.01}, timeout_seconds=10)
    return change


def connect(home: Any, process: Any, **changes: dict[str, Any]) -> None:
    servers = {name: process.server(name) for name in ("crm", "analytics", "tickets")}
    tables = {name: source | changes.get(name, {}) for name, source in SOURCES.items()}
    (home.path / "sources.yaml").write_text(yaml.safe_dump({"servers": servers, "tables": tables}), encoding="utf-8")


def rows(home: Any, table: str, names: list[str] | None = None) -> Any:
    sources = load_sources(Home(home.path))
    return open_table(table, sources, home.workspace, home.engine, lambda: NAMES if names is None else names).rows()


def stored(home: Any, tables: Path, table: str) -> list[dict[str, Any]]:
    found = home.engine.rows(home.engine.parquet_by_name([str(tables / table / "*.parquet")]))
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def plain(rows: list[dict[str, Any]]) -> Counter[tuple[tuple[str, str], ...]]:
    """Rows as texts, however their values came."""
    told = [{k: _text(v) for k, v in row.items() if v is not None} for row in rows]
    return Counter(tuple(sorted(row.items())) for row in told)


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("table", ["customers", "support_tickets", "invoices", "engagements"])
def test_the_rows_are_those_of_the_company(
    home: Any, tool_servers: Any, company_tables: Path, table: str, limits: Any
) -> None:
    connect(home, tool_servers())
    found = rows(home, table)
    assert plain(home.engine.rows(found.table)) == plain(stored(home, company_tables, table))
    assert not found.missing


def test_failures_on_the_way_are_made_good(home: Any, tool_servers: Any, company_tables: Path, limits: Any) -> None:
    connect(home, tool_servers(errors=0.1, malformed=0.1, hostile=0.0))
    limits(attempts=8)
    found = rows(home, "support_tickets")
    assert plain(home.engine.rows(found.table)) == plain(stored(home, company_tables, "support_tickets"))
    assert found.missing == {}
    assert found.figures["calls made again"] > 0


def test_rows_of_another_customer_and_other_shapes_are_never_taken(home: Any, tool_servers: Any, limits: Any) -> None:
    connect(home, tool_servers(malformed=1.0))
    limits(attempts=2)
    found = rows(home, "support_tickets")
    assert home.engine.rows(found.table) == []
    assert set(found.missing) == set(NAMES)
    assert {type(error.error) for error in found.missing.values()} == {UnexpectedOutput}
    assert any("rows of another customer" in str(error) for error in found.missing.values())
    assert {len(error.attempts) for error in found.missing.values()} == {2}


def test_a_server_that_is_away_costs_its_table_and_the_step_ends_in_time(
    home: Any, tool_servers: Any, limits: Any
) -> None:
    connect(home, tool_servers(away=["tickets"]))
    limits(patience_seconds=1)
    began = time.monotonic()
    found = rows(home, "support_tickets")
    assert time.monotonic() - began < 10
    assert set(found.missing) == set(NAMES)
    assert sum(isinstance(error.error, ServerGone) for error in found.missing.values()) > 40
    assert not rows(home, "invoices").missing


def test_a_server_that_hangs_ends_with_the_deadline(home: Any, tool_servers: Any, limits: Any) -> None:
    connect(home, tool_servers(timeouts=1.0))
    limits(timeout_seconds=1, deadline_seconds=2, patience_seconds=60)
    began = time.monotonic()
    found = rows(home, "support_tickets")
    assert time.monotonic() - began < 8
    assert set(found.missing) == set(NAMES)
    assert any(isinstance(error.error, DeadlinePassed) for error in found.missing.values())


def test_customers_that_cannot_be_listed_are_an_error_with_its_cause(home: Any, tool_servers: Any, limits: Any) -> None:
    connect(home, tool_servers(errors=1.0))
    with pytest.raises(SourceError, match=r"customers could not be collected after 3 attempts: crm\.list_customers"):
        rows(home, "customers")


def test_a_tool_that_the_server_does_not_have_is_an_error_and_not_missing_data(
    home: Any, tool_servers: Any, limits: Any
) -> None:
    connect(home, tool_servers(), support_tickets={"tool": "list_all_tickets"})
    limits(tools=["crm.list_customers", "crm.list_invoices", "crm.list_engagements", "analytics.daily_usage",
                  "tickets.list_all_tickets"])  # fmt: skip
    with pytest.raises(SourceError, match="server tickets has no tool list_all_tickets"):
        rows(home, "support_tickets")


def test_a_tool_that_the_collector_may_not_call_is_refused_before_anything_runs(home: Any, tool_servers: Any) -> None:
    process = tool_servers()
    connect(home, process, support_tickets={"server": "crm", "tool": "dump_tickets"})
    with pytest.raises(ManifestError, match=r"reads a table with crm\.dump_tickets, which the role may not call"):
        rows(home, "support_tickets")
    assert process.answered() == []


def test_the_fingerprint_moves_with_the_first_page(home: Any, tool_servers: Any, limits: Any) -> None:
    connect(home, tool_servers())
    sources = load_sources(Home(home.path))
    customers, tickets = (open_table(n, sources, home.workspace, home.engine) for n in ("customers", "support_tickets"))
    assert customers.fingerprint() == customers.fingerprint() != tickets.fingerprint()


TOOL = """
    import json, sys
    from mcp.server.mcpserver import MCPServer
    server = MCPServer("own")
    PAGES = json.loads({pages!r})

    @server.tool()
    def tickets(after: str = "0", project: str = "") -> dict:
        return PAGES[int(after)] | {{"project": project}}

    server.run("stdio")
"""


def own_tool(home: Any, pages: list[dict[str, Any]], **source: Any) -> None:
    """A tool of a company's own, with names of its own."""
    file = home.path / "tool.py"
    file.write_text(textwrap.dedent(TOOL.format(pages=json.dumps(pages))))
    tables = {
        "customers": {"connector": "files", "path": "customers.csv"},
        "support_tickets": {
            "connector": "mcp", "server": "own", "tool": "tickets", "items": "tickets", "cursor": "after",
            "next_cursor": "more", **source,
        },
    }  # fmt: skip
    servers = {"own": {"command": [sys.executable, str(file)]}}
    (home.path / "sources.yaml").write_text(yaml.safe_dump({"servers": servers, "tables": tables}), encoding="utf-8")


@pytest.fixture
def may_call_own(limits: Any) -> Iterator[None]:
    limits(tools=["own.tickets"])
    yield


PAGE_1 = {"tickets": [{"id": 1, "customer": {"id": "C1"}, "at": "2026-01-01", "urgent": True}], "more": 1}
PAGE_2 = {"tickets": [{"id": 2, "customer": {"id": "C2"}, "at": "2026-01-02", "tags": ["a"]}], "more": None}


@pytest.mark.usefixtures("may_call_own")
def test_a_companys_own_tool_is_read_page_by_page_with_its_own_names(home: Any) -> None:
    home.csv("customers", "customer_id,signed_up_at\nC1,2025-01-01\nC2,2025-01-01\n")
    columns = {"ticket_id": "id", "customer_id": "customer.id", "opened_at": "at"}
    own_tool(home, [PAGE_1, PAGE_2], columns=columns, arguments={"project": "P"})
    found = home.ingest("support_tickets")
    assert [(row[0], row[1]) for row in home.rows(found, "ticket_id", "customer_id")] == [("1", "C1"), ("2", "C2")]


@pytest.mark.usefixtures("may_call_own")
def test_rows_of_who_was_erased_are_not_even_kept_while_they_are_collected(home: Any) -> None:
    home.csv("customers", "customer_id,signed_up_at\nC1,2025-01-01\nC2,2025-01-01\n")
    home.erase("C2")
    own_tool(home, [PAGE_1, PAGE_2], columns={"ticket_id": "id", "customer_id": "customer.id", "opened_at": "at"})
    found = home.ingest("support_tickets")
    assert (found.read, found.kept, found.erased) == (2, 1, 1)
    (kept,) = home.path.glob("collected/support_tickets.db")
    assert b'"C1"' in kept.read_bytes()
    assert b'"C2"' not in kept.read_bytes()


@pytest.mark.usefixtures("may_call_own")
def test_pages_that_lead_back_are_no_endless_loop(home: Any) -> None:
    own_tool(home, [PAGE_1, PAGE_1])
    with pytest.raises(SourceError, match="tells the same next page twice"):
        rows(home, "support_tickets")


@pytest.mark.usefixtures("may_call_own")
def test_a_tool_that_lists_everybody_when_asked_for_one_is_found_out(home: Any) -> None:
    own_tool(home, [PAGE_1, PAGE_2], per_customer="project", columns={"customer_id": "customer.id"})
    found = rows(home, "support_tickets", ["C1", "C2"])
    assert set(found.missing) == {"C1", "C2"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"support_tickets": {"server": "nowhere"}}, "'nowhere', which is not under `servers`; use one of"),
        ({"customers": {"per_customer": "customer_id"}}, "the table says who the customers are"),
        ({"invoices": {"since": "since"}}, "are for usage_events"),
        ({"invoices": {"pages": 3}}, "pages"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(home: Any, tool_servers: Any, change: Any, told: str) -> None:
    class Nowhere:
        def server(self, name: str) -> dict[str, Any]:
            return {"url": f"http://127.0.0.1:1/{name}"}

    connect(home, Nowhere(), **change)
    with pytest.raises(SettingsError, match=told):
        load_sources(Home(home.path))


def test_the_human_class_is_for_people() -> None:
    assert not HumanNeeded("x").transient


def _collect(path: Path, marker: Path) -> None:
    """Collects two tables in a process of its own, and says when it is about to begin and done."""
    from datetime import UTC, datetime

    from orchestration_project.engine import Engine
    from orchestration_project.resources import Workspace
    from orchestration_project.settings import EngineSettings

    workspace = Workspace(Home(path), lambda: datetime(2026, 11, 23, 8, tzinfo=UTC))
    engine = Engine(EngineSettings(memory_limit="500MB", threads=1), path / "spill")
    sources = load_sources(Home(path))
    marker.write_text("begun")
    for table in ("support_tickets", "engagements"):
        open_table(table, sources, workspace, engine, lambda: NAMES).rows()
    marker.write_text("done")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_no_call_that_succeeded_is_repeated_whenever_the_collector_is_killed(
    home: Any, tool_servers: Any, limits: Any, tmp_path: Path
) -> None:
    """A reply counts as succeeded once it is kept; what the kill caught between answer and file is asked once more.

    At most as many such calls as may be under way at once can be caught by one kill.
    """
    process = tool_servers(latency_ms=5)
    connect(home, process)
    limits(concurrency=4)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration_project.sources.mcp", "orchestration_project.engine"])
    marker, chance = tmp_path / "marker", random.Random(5)
    kept: set[str] = set()
    kills = 0
    while kills < KILLS:
        marker.unlink(missing_ok=True)
        before = len(process.answered())
        collecting = context.Process(target=_collect, args=(home.path, marker))
        collecting.start()
        while not marker.exists():
            time.sleep(0.002)
        collecting.join(chance.uniform(0, 0.4))
        collecting.kill()
        collecting.join()
        kills += 1
        asked_now = process.answered()[before:]
        again = {json.dumps(call) for call in asked_now} & kept
        assert not again
        kept = _kept(home.path)
        if marker.read_text() == "done":
            for file in (home.path / KEPT).iterdir():
                file.unlink()
            kept = set()


def _kept(path: Path) -> set[str]:
    """The calls whose replies are on disk, as the server logs them."""
    from orchestration_project.agents.replies import Replies

    found = set()
    for table, tool in (("support_tickets", "tickets.list_tickets"), ("engagements", "crm.list_engagements")):
        file = path / KEPT / f"{table}.db"
        if file.exists():
            with Replies(file) as replies:
                names = replies._connection.execute("SELECT customer_id FROM replies").fetchall()
            found |= {json.dumps({"tool": tool, "customer_id": name, "cursor": None}) for (name,) in names}
    return found
