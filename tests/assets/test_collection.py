"""Collection over tools, through Dagster: the same profiles as in bulk, and what an outage does and does not cost."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import yaml

from orchestration_project.agents.breaker import FAILURES
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.escalations import open_items
from orchestration_project.handoffs import Handoffs
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home

DAY = date(2026, 11, 21)
PER_CUSTOMER = {"connector": "mcp", "per_customer": "customer_id"}
TOOLS: dict[str, dict[str, Any]] = {
    "customers": {"connector": "mcp", "server": "crm", "tool": "list_customers"},
    "usage_events": {
        **PER_CUSTOMER, "server": "analytics", "tool": "daily_usage", "since": "since", "until": "until",
    },
    "support_tickets": {**PER_CUSTOMER, "server": "tickets", "tool": "list_tickets"},
    "invoices": {**PER_CUSTOMER, "server": "crm", "tool": "list_invoices"},
    "engagements": {**PER_CUSTOMER, "server": "crm", "tool": "list_engagements"},
}  # fmt: skip
DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")


@pytest.fixture
def made(tmp_path, new_company, limits) -> Any:
    """A home that reads the tables of the company as told; its own manifest is quick to give up."""

    def make(name: str, process: Any = None, files: Any = None) -> Any:
        company = new_company(Home(tmp_path / name), now=datetime(2026, 11, 22, 8, tzinfo=UTC))
        company.configure(history_start="2026-08-01", completeness={"required": ["usage", "tickets"]})
        if files:
            tables = {each: {"connector": "files", "path": str(files / each / "*.parquet")} for each in TOOLS}
            company.home.sources_file.write_text(yaml.safe_dump({"tables": tables}))
            return company
        limits(company, timeout_seconds=2, patience_seconds=1, attempts=6)
        reconnect(company, process)
        return company

    return make


@pytest.fixture
def limits(own_manifest) -> Any:
    """Changes the collector's limits."""

    def change(company: Any, **limits: Any) -> None:
        told = {"backoff": {"first_seconds": 0.01, "factor": 1, "most_seconds": 0.01}, **limits}
        own_manifest(company.home, {f"roles.customer_data_collector.{name}": value for name, value in told.items()})

    return change


def reconnect(company: Any, process: Any) -> None:
    servers = {name: process.server(name) for name in ("crm", "analytics", "tickets")}
    company.home.sources_file.write_text(yaml.safe_dump({"servers": servers, "tables": TOOLS}))


def scan(company: Any, day: date = DAY) -> dg.ExecuteInProcessResult:
    assert company.refresh("2026-08", "2026-11").success
    return company.scan(day)


@pytest.fixture
def lake(made) -> Iterator[Any]:
    opened = []

    def of(company: Any) -> Any:
        opened.append(company.workspace.lake())
        return opened[-1].__enter__()

    yield of
    for each in opened:
        each.__exit__(None, None, None)


def test_what_is_collected_over_unreliable_tools_is_what_is_read_in_bulk_row_for_row(
    made, tool_servers, company_tables
) -> None:
    bulk = made("bulk", files=company_tables)
    tools = made("tools", tool_servers(errors=0.05, malformed=0.02))
    assert scan(bulk).success
    assert scan(tools).success
    for table in DAILY:
        mine, theirs = (each.rows(table, DAY).drop(columns="scored_at", errors="ignore") for each in (tools, bulk))
        assert mine.equals(theirs), table
    assert len(bulk.rows("risk_scores", DAY)) > 40


def test_an_outage_costs_the_days_since_and_nothing_that_was_known(made, limits, tool_servers, lake) -> None:
    company = made("tools", tool_servers())
    assert scan(company).success
    before = {table: company.rows(table, DAY) for table in DAILY}
    known = company.rows("customer_profiles", DAY)

    company = replace(company, now=company.now + timedelta(days=1))
    # One by one, and less patient than the breaker's first pause: the first customer's attempts open it for all others.
    limits(company, timeout_seconds=2, patience_seconds=0.5, attempts=6, concurrency=1)
    reconnect(company, tool_servers(away=["tickets"]))
    result = scan(company, DAY + timedelta(days=1))
    checks = company.checks(result)
    assert not checks["customer_profiles.profiles_complete"].passed
    assert not result.success
    profiles = company.rows("customer_profiles", DAY + timedelta(days=1))
    assert set(profiles.tickets_missing) == {"not_collected"}
    assert profiles.tickets_30d.isna().all()
    assert set(profiles.usage_missing) == set(known.usage_missing)

    again = company.scan(DAY)
    assert again.success
    for table in DAILY:
        ours = company.rows(table, DAY).drop(columns="scored_at", errors="ignore")
        assert ours.equals(before[table].drop(columns="scored_at", errors="ignore")), table

    opened = lake(company)
    items = open_items(opened)
    assert {(item["about"], item["error_class"]) for item in items} == {("support_tickets", "tool_failure")}
    assert sum(item["cases"] for item in items) == 60
    told = [json.loads(case["attempts"]) for item in items for case in item["customers"]]
    assert sorted(map(len, told)) == [0] * 59 + [FAILURES]
    errors = {attempt["error"] for attempts in told for attempt in attempts}
    assert errors == {"tickets.list_tickets failed: tickets is down for maintenance"}
    handoffs = Handoffs(opened, manifest(company.home, HEALTH), DAY + timedelta(days=1))
    first, second, third = handoffs.of(profiles.customer_id[0])
    assert (first.status, second.status, third.reasons) == ("failed", "partial", ("not_computed",))
    assert first.attempt == second.attempt == len(first.data.attempts) == FAILURES
    assert "tickets: not_collected" in second.reasons
    yesterdays = Handoffs(opened, manifest(company.home, HEALTH), DAY).each()
    assert "failed" not in {each.status for each in yesterdays}
    for table in ("escalations", "collections"):
        found = {
            name: re.sub(r"timestamp\(\d\)", "timestamp", str(kind))
            for name, kind in opened.read(table).schema().items()
        }
        assert found == {column.name: column.type for column in LAKE_TABLES[table]}

    reconnect(company, tool_servers())
    assert scan(company, DAY + timedelta(days=1)).success
    assert open_items(lake(company)) == []


def test_the_asset_says_what_its_calls_took_and_how_many_failed(made, tool_servers) -> None:
    company = made("tools", tool_servers(errors=0.1))
    result = company.refresh("2026-11", "2026-11")
    told = company.written(result)["support_tickets"][None]
    assert told["asked for"] == 60
    assert told["tool calls"] == 60 + told["calls made again"]
    assert told["calls made again"] > 0
    assert told["not collected"] == 0
    assert told["median call ms"] > 0
