"""Facts of a small company, as the validated tables that the rules read, and a scan of them from end to end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from orchestration_project.domain.activity import (
    Kinds,
    coverage,
    kind_ranks,
    numbered,
    tracked_kinds,
    with_first_of_day,
)
from orchestration_project.domain.days import DayRange, day_number
from orchestration_project.domain.factors import signals, with_severities
from orchestration_project.domain.profiles import Facts, customer_profiles, engagement_activity
from orchestration_project.domain.rules import FAMILIES, FAMILY_SOURCES, ChurnRules, RiskRules
from orchestration_project.domain.scoring import score
from orchestration_project.domain.usage import trends_without_usage, usage_trends, usage_windows
from orchestration_project.engine import Engine
from orchestration_project.settings import EngineSettings

Row = dict[str, Any]

TEXT, TIME, REAL, WHOLE, DAY = pa.string(), pa.timestamp("us"), pa.float64(), pa.int64(), pa.date32()
SCHEMAS = {
    "customers": {
        "customer_id": TEXT, "name": TEXT, "segment": TEXT, "industry": TEXT, "employee_count": WHOLE, "plan": TEXT,
        "mrr": REAL, "signed_up_at": TIME, "renews_at": TIME, "churned_at": TIME, "owner": TEXT, "contact_name": TEXT,
        "contact_email": TEXT, "opted_out": pa.bool_(), "valid_from": TIME, "known_on": DAY,
    },
    "usage_events": {
        "customer_id": TEXT, "day": DAY, "event": TEXT, "known_on": DAY, "quantity": REAL, "users": WHOLE,
    },
    "support_tickets": {
        "ticket_id": TEXT, "customer_id": TEXT, "opened_at": TIME, "resolved_at": TIME, "priority": TEXT,
        "category": TEXT, "satisfaction": REAL, "known_on": DAY,
    },
    "invoices": {
        "invoice_id": TEXT, "customer_id": TEXT, "due_at": TIME, "issued_at": TIME, "paid_at": TIME, "amount": REAL,
        "status": TEXT, "known_on": DAY,
    },
    "engagements": {
        "customer_id": TEXT, "occurred_at": TIME, "kind": TEXT, "channel": TEXT, "value": REAL, "known_on": DAY,
    },
}  # fmt: skip
BASES: Mapping[str, Row] = {
    "customers": {
        "customer_id": "c", "name": "Ada", "segment": "smb", "industry": "retail", "employee_count": 10,
        "plan": "pro", "mrr": 100.0, "signed_up_at": datetime(2022, 1, 1), "owner": "Eve", "contact_name": "Ada",
        "contact_email": "ada@c.example", "opted_out": False,
    },
    "usage_events": {"customer_id": "c", "event": "login", "quantity": 1.0, "users": 1},
    "support_tickets": {"ticket_id": "t", "customer_id": "c", "priority": "normal"},
    "invoices": {"invoice_id": "i", "customer_id": "c", "amount": 100.0, "status": "open"},
    "engagements": {"customer_id": "c", "kind": "meeting"},
}  # fmt: skip


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _completed(kind: str, row: Row) -> Row:
    """The row with the base's values, known on the day it happened unless it says otherwise."""
    full = dict.fromkeys(SCHEMAS[kind]) | BASES[kind] | row
    happened = {"usage_events": "day", "support_tickets": "opened_at", "invoices": "issued_at"}
    if kind == "invoices":
        full["issued_at"] = full["issued_at"] or full["due_at"] - timedelta(30)
    moment = full[{**happened, "customers": "valid_from", "engagements": "occurred_at"}[kind]]
    if full["known_on"] is None and moment is not None:
        full["known_on"] = moment.date() if isinstance(moment, datetime) else moment
    return full


@dataclass(frozen=True)
class History:
    """Rows of all sources; None where a source is not connected."""

    customers: list[Row]
    usage_events: list[Row] | None = field(default_factory=list)
    support_tickets: list[Row] | None = field(default_factory=list)
    invoices: list[Row] | None = field(default_factory=list)
    engagements: list[Row] | None = field(default_factory=list)

    def mapped(self, change: Callable[[str, list[Row]], list[Row]]) -> "History":
        """The history with each connected table changed; rows are complete."""
        full = {name: rows if rows is None else [_completed(name, row) for row in rows] for name, rows in self.items()}
        return History(**{name: rows if rows is None else change(name, rows) for name, rows in full.items()})

    def items(self) -> Iterable[tuple[str, list[Row] | None]]:
        return [(name, getattr(self, name)) for name in SCHEMAS]

    @property
    def connected(self) -> list[str]:
        return [name for name, rows in self.items() if rows is not None]


class NamingEngine(Engine):
    """An engine whose tables keep their names, so that what was compiled once serves again for other rows."""

    def compiled(self, expression: ir.Table) -> str:
        return self._ibis.compile(expression)

    def computed(self, name: str, query: str) -> ir.Table:
        self._duckdb.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
        return self._ibis.table(name)

    def loaded(self, name: str, rows: pa.Table) -> ir.Table:
        self._duckdb.register("incoming", rows)
        return self.computed(name, "SELECT * FROM incoming")


class Company:
    """Makes tables of rows, computes them, and scans a history as the assets do."""

    history = History

    def __init__(self, engine: NamingEngine) -> None:
        self.engine = engine
        self._compiled: dict[tuple[Any, ...], str] = {}

    def table(self, kind: str, rows: Iterable[Row]) -> ir.Table:
        """A table of facts; each row says only how it differs from the base."""
        made = self.engine.arrow(_arrow(kind, rows))
        return self.engine.keep(with_first_of_day(made)) if kind == "usage_events" else made

    def people(self, *ids: str, days: DayRange, signed_up: date = date(2022, 1, 1)) -> ir.Table:
        """Customers by scan day, as the rules of single parts are asked for them."""
        keys = [{"customer_id": each, "day": day} for each in ids or ("c",) for day in range(days.start, days.stop + 1)]
        asked = self.engine.arrow(pa.Table.from_pylist(keys, pa.schema({"customer_id": TEXT, "day": pa.int32()})))
        since = ibis.literal(day_number(signed_up), "int32")
        return asked.mutate(sign_up_day=since, observed_from=since)

    def rows(self, table: ir.Table) -> list[Row]:
        """A table's rows in order of day and customer; maps as dicts."""
        rows = [{key: _plain(value) for key, value in row.items()} for row in self.engine.rows(table)]
        return sorted(rows, key=lambda row: (row.get("scan_day") or row.get("day") or 0, row.get("customer_id", "")))

    def scan(
        self, history: History, days: DayRange, rules: RiskRules | None = None, churn: ChurnRules | None = None
    ) -> dict[str, list[Row]]:
        """The rows of every table of the scans of `days`."""
        asked = _Scan(days, rules or RiskRules(), churn or ChurnRules(), tuple(history.connected))
        facts = self._facts(history)
        contacts = self._kinds(asked, "engagements", lambda: engagement_activity(facts.engagements))
        profiles = self._step(
            (asked, "profiles", contacts),
            lambda: customer_profiles(facts, days, asked.churn, asked.rules.severities, tracked_kinds(contacts)),
        )
        used = self._kinds(asked, "usage_events", lambda: numbered(facts.usage_daily))
        trends = self._step(
            (asked, "trends", used), lambda: _trends(profiles, facts.usage_daily, asked, tracked_kinds(used))
        )
        factors = self._step(
            (asked, "factors"), lambda: with_severities(signals(profiles, trends), asked.rules.severities)
        )
        scores = self._step((asked, "scores"), lambda: score(factors, asked.rules.scoring, asked.families))
        found = {"profiles": profiles, "trends": trends, "factors": factors, "scores": scores}
        return {name: self.rows(table) for name, table in found.items()}

    def _facts(self, history: History) -> Facts:
        tables = {
            name: rows if rows is None else self.engine.loaded(name, _arrow(name, rows))
            for name, rows in history.items()
        }
        usage = tables.pop("usage_events")
        if usage is not None:
            usage = self._step(("rolled", "usage_daily"), lambda: with_first_of_day(usage))
        return Facts(usage_daily=usage, **tables)

    def _kinds(self, asked: "_Scan", source: str, activity: Callable[[], ir.Table]) -> tuple[tuple[str, int], ...]:
        if source not in asked.connected:
            return ()
        ranked = self._step(
            (asked, "kinds", source), lambda: kind_ranks(activity(), asked.days, asked.rules.kinds_tracked)
        )
        return tuple(sorted((row["event"], row["day"]) for row in self.engine.rows(ranked)))

    def _step(self, key: tuple[Any, ...], build: Callable[[], ir.Table]) -> ir.Table:
        """The table of one step; what was compiled for the same question is used again, since that takes seconds."""
        if key not in self._compiled:
            self._compiled[key] = self.engine.compiled(build())
        return self.engine.computed(key[1], self._compiled[key])


@dataclass(frozen=True)
class _Scan:
    """All that the expressions of a scan depend on, apart from the rows."""

    days: DayRange
    rules: RiskRules
    churn: ChurnRules
    connected: tuple[str, ...]

    def __hash__(self) -> int:
        return hash((self.days, self.rules.version, self.connected))

    @property
    def families(self) -> list[str]:
        return [family for family in FAMILIES if FAMILY_SOURCES[family] in self.connected]


def _trends(profiles: ir.Table, usage: ir.Table | None, asked: _Scan, kinds: Kinds) -> ir.Table:
    if usage is None:
        return trends_without_usage(profiles)
    rows, days = numbered(usage), asked.days
    windows = usage_windows(profiles, rows, days, kinds)
    return usage_trends(windows, coverage(rows, days), days, kinds, asked.rules.severities)


def _arrow(kind: str, rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist([_completed(kind, row) for row in rows], pa.schema(list(SCHEMAS[kind].items())))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    engine = NamingEngine(EngineSettings(memory_limit="2GB", threads=2), tmp_path_factory.mktemp("spill"))
    yield Company(engine)
    engine.close()
