"""Facts of a small company, as the validated tables that the rules read, and a scan of them from end to end."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from orchestration_project.domain.activity import (
    Kinds,
    contact_days,
    coverage,
    customers_seen,
    days_seen,
    kind_ranks,
    numbered,
    tracked_kinds,
    with_first_of_day,
)
from orchestration_project.domain.days import DayRange, day_number
from orchestration_project.domain.factors import signals, with_severities
from orchestration_project.domain.profiles import Facts, customer_profiles, profile_windows, scan_population
from orchestration_project.domain.rules import (
    FAMILIES,
    FAMILY_SOURCES,
    ChurnRules,
    RiskRules,
    Rules,
    ScoringRules,
    SeverityRules,
)
from orchestration_project.domain.scoring import score
from orchestration_project.domain.usage import trends_without_usage, usage_trends, usage_windows
from orchestration_project.engine import Engine
from orchestration_project.settings import EngineSettings

Row = dict[str, Any]

TEXT, TIME, REAL, WHOLE, DAY, NUMBER = (
    pa.string(),
    pa.timestamp("us"),
    pa.float64(),
    pa.int64(),
    pa.date32(),
    pa.int32(),
)
RATES = pa.map_(pa.string(), pa.float64())
SCHEMAS = {
    "customers": {
        "customer_id": TEXT, "name": TEXT, "segment": TEXT, "industry": TEXT, "employee_count": WHOLE, "plan": TEXT,
        "mrr": REAL, "signed_up_at": TIME, "renews_at": TIME, "churned_at": TIME, "owner": TEXT,
        "contact_name": TEXT, "language": TEXT, "timezone": TEXT, "contact_email": TEXT, "opted_out": pa.bool_(),
        "valid_from": TIME, "known_on": DAY,
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
    "unknown": {"customer_id": TEXT, "unknown_from": DAY, "unknown_to": DAY},
    "people": {"customer_id": TEXT, "day": NUMBER, "sign_up_day": NUMBER, "observed_from": NUMBER},
    "counted": {"customer_id": TEXT, "start": NUMBER, "end": NUMBER, "amount": REAL, "seen": WHOLE},
    "scanned": {"customer_id": TEXT, "scan_day": DAY, "signed_up_at": TIME},
    "signals": {
        "customer_id": TEXT, "scan_day": DAY, "decline_pct": REAL, "decline_z": REAL, "days_since_use": WHOLE,
        "typical_gap_days": REAL, "active_days_7d": WHOLE, "active_days_30d": WHOLE, "active_days_prior_60d": WHOLE,
        "active_days_180d": WHOLE, "active_days_365d": WHOLE, "user_days_30d": WHOLE, "user_days_prior_60d": WHOLE,
        "kinds_30d": WHOLE, "kinds_prior_60d": WHOLE, "kind_rates_30d": RATES, "kind_rates_prior_60d": RATES,
        "tickets_30d": WHOLE, "tickets_prior_monthly": REAL, "tickets_open": WHOLE, "tickets_urgent_open": WHOLE,
        "tickets_open_days": REAL,
        "usage_30d": REAL, "usage_year_ago": REAL, "satisfaction_90d": REAL, "overdue_days": WHOLE,
        "overdue_amount": REAL, "typical_invoice": REAL,
        "failed_payments_90d": WHOLE, "invoices_known": WHOLE, "engagement_decline_pct": REAL,
        "engagement_days_since": WHOLE, "engagement_typical_gap_days": REAL, "engagement_30d": WHOLE,
        "engagement_kinds_30d": WHOLE, "engagement_kinds_prior_60d": WHOLE, "days_to_renewal": WHOLE,
        "tenure_days": WHOLE, "observed_days": WHOLE, "mrr": REAL, "employee_count": WHOLE, "plan": TEXT,
        "segment": TEXT, "notice_given": pa.bool_(), "usage_missing": TEXT, "tickets_missing": TEXT,
        "payments_missing": TEXT, "engagement_missing": TEXT,
    },
    "factors": {
        "customer_id": TEXT, "scan_day": DAY, **dict.fromkeys(FAMILIES, REAL), "exception": TEXT,
        "observed_days": WHOLE, "tenure_days": WHOLE,
    },
    "overrides": {"customer_id": TEXT, "scan_day": DAY, "override_score": REAL, "override_reason": TEXT},
}  # fmt: skip
SOURCES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")
TODAY = date(2024, 3, 1)
RISK, CONTRACT = RiskRules(), ChurnRules()
SEVERITIES, SCORING = RISK.severities, RISK.scoring
BASES: Mapping[str, Row] = {
    "customers": {
        "customer_id": "c", "name": "Ada", "segment": "smb", "industry": "retail", "employee_count": 10,
        "plan": "pro", "mrr": 100.0, "signed_up_at": datetime.fromisoformat("2022-01-01"), "owner": "Eve",
        "contact_name": "Ada", "contact_email": "ada@c.example", "opted_out": False,
    },
    "usage_events": {"customer_id": "c", "event": "login", "quantity": 1.0, "users": 1},
    "support_tickets": {"ticket_id": "t", "customer_id": "c", "priority": "normal"},
    "invoices": {"invoice_id": "i", "customer_id": "c", "amount": 100.0, "status": "open"},
    "engagements": {"customer_id": "c", "kind": "meeting"},
    "people": {},
    "unknown": {},
    "counted": {"customer_id": "c"},
    "scanned": {"customer_id": "c", "scan_day": TODAY, "signed_up_at": datetime.fromisoformat("2022-01-01")},
    "signals": {
        "customer_id": "c", "scan_day": TODAY, "decline_pct": 0.0, "decline_z": -9.0, "days_since_use": 0,
        "typical_gap_days": 2.0, "active_days_365d": 150, "tickets_30d": 1, "tickets_prior_monthly": 1.0,
        "tickets_urgent_open": 0, "overdue_days": 0, "overdue_amount": 0.0, "typical_invoice": 100.0,
        "failed_payments_90d": 0, "engagement_decline_pct": 0.0, "engagement_days_since": 0,
        "engagement_typical_gap_days": 10.0, "engagement_kinds_30d": 2, "engagement_kinds_prior_60d": 2,
        "tenure_days": 800, "observed_days": 365, "notice_given": False,
    },
    "factors": {
        "customer_id": "c", "scan_day": TODAY, **dict.fromkeys(FAMILIES, 0.0), "observed_days": 365, "tenure_days": 0,
    },
    "overrides": {"customer_id": "c", "scan_day": TODAY, "override_reason": "agreed by phone"},
}  # fmt: skip

HAPPENED = {
    "customers": "valid_from", "usage_events": "day", "support_tickets": "opened_at", "invoices": "issued_at",
    "engagements": "occurred_at",
}  # fmt: skip


def _completed(kind: str, row: Row) -> Row:
    """The row with the base's values, known on the day it happened unless it says otherwise."""
    full = dict.fromkeys(SCHEMAS[kind]) | BASES[kind] | row
    if kind == "invoices":
        full["issued_at"] = full["issued_at"] or full["due_at"] - timedelta(30)
    moment = full.get(HAPPENED.get(kind))
    if moment is not None and full["known_on"] is None:
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
        return [(name, getattr(self, name)) for name in SOURCES]

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
    """Makes tables of rows, computes expressions over them, and scans a history as the assets do."""

    history = History

    def __init__(self, engine: NamingEngine) -> None:
        self._engine = engine
        self._compiled: dict[tuple[Any, ...], str] = {}

    def load(self, kind: str, rows: Iterable[Row], name: str | None = None) -> ir.Table:
        """A table of that kind, called so or `name`; each row says only how it differs from the base."""
        full = [_completed(kind, row) for row in rows]
        return self._engine.loaded(name or kind, pa.Table.from_pylist(full, pa.schema(list(SCHEMAS[kind].items()))))

    def usage(self, rows: Iterable[Row]) -> ir.Table:
        """Rolled-up usage as ingestion leaves it."""
        rolled = self.load("usage_events", rows)
        return self.compute(lambda: with_first_of_day(rolled), "usage_daily")

    def people(self, *ids: str, days: DayRange, signed_up: date = date(2022, 1, 1)) -> ir.Table:
        """Customers by scan day, as the rules of single parts are asked for them."""
        since = day_number(signed_up)
        keys = [(each, day) for each in ids or ("c",) for day in range(days.start, days.stop + 1)]
        return self.load(
            "people",
            [{"customer_id": each, "day": day, "sign_up_day": since, "observed_from": since} for each, day in keys],
        )

    def compute(self, build: Callable[[], ir.Table], name: str, *key: Hashable) -> ir.Table:
        """The table `name` of an expression over loaded tables.

        To compile an expression takes longer than to run it: one of the same name and `key`, which must be all that
        it depends on but the rows, is compiled once.
        """
        if (name, *key) not in self._compiled:
            self._compiled[name, *key] = self._engine.compiled(build())
        return self._engine.computed(name, self._compiled[name, *key])

    def rows(self, table: ir.Table) -> list[Row]:
        """A table's rows in order of day and customer; maps as dicts."""
        rows = [{key: _plain(value) for key, value in row.items()} for row in self._engine.rows(table)]
        return sorted(rows, key=lambda row: (row.get("scan_day") or row.get("day") or 0, row.get("customer_id", "")))

    def severities(self, rows: Iterable[Row], rules: SeverityRules = SEVERITIES) -> list[Row]:
        """Rows of signals, with their severities."""
        table = self.load("signals", rows)
        return self.rows(self.compute(lambda: with_severities(table, rules), "severities", _key(rules)))

    def scores(
        self,
        rows: Iterable[Row],
        rules: ScoringRules = SCORING,
        connected: tuple[str, ...] = FAMILIES,
        overrides: Iterable[Row] | None = None,
    ) -> list[Row]:
        """Scores of rows of severities."""
        table = self.load("factors", rows)
        given = None if overrides is None else self.load("overrides", overrides)
        key = (_key(rules), connected, given is None)
        return self.rows(self.compute(lambda: score(table, rules, connected, given), "scores", *key))

    def scan(
        self,
        history: History,
        days: DayRange,
        rules: RiskRules = RISK,
        churn: ChurnRules = CONTRACT,
    ) -> dict[str, list[Row]]:
        """The rows of every table of the scans of `days`."""
        facts = self._facts(history)
        asked = (days, tuple(history.connected), _key(rules))
        families = [family for family in FAMILIES if FAMILY_SOURCES[family] in history.connected]
        contacts = used = ()
        if facts.engagement_daily is not None:
            contacts = self._ranks(asked, "contacts", lambda: days_seen(facts.engagement_daily), days, rules)
        if facts.usage_daily is not None:
            used = self._ranks(asked, "used", lambda: facts.usage_coverage, days, rules)
        profiles = self.compute(
            lambda: profiled(facts, days, churn, rules.severities, tracked_kinds(contacts)),
            "profiles", asked, _key(churn), contacts,
        )  # fmt: skip
        trends = self.compute(
            lambda: _trends(profiles, facts.usage_daily, days, tracked_kinds(used), rules), "trends", asked, used
        )
        factors = self.compute(
            lambda: with_severities(signals(profiles, trends), rules.severities), "risk_factors", _key(rules)
        )
        scores = self.compute(
            lambda: score(factors, rules.scoring, families), "risk_scores", _key(rules), tuple(families)
        )
        found = {"profiles": profiles, "trends": trends, "factors": factors, "scores": scores}
        return {name: self.rows(table) for name, table in found.items()}

    def _facts(self, history: History) -> Facts:
        given = {name: rows for name, rows in history.items() if rows is not None}
        tables = {name: self.load(name, rows) for name, rows in given.items() if name != "usage_events"}
        usage = self.usage(given["usage_events"]) if "usage_events" in given else None
        return facts_of(tables, usage)

    def _ranks(
        self, asked: Hashable, name: str, seen: Callable[[], ir.Table], days: DayRange, rules: RiskRules
    ) -> tuple[tuple[str, int], ...]:
        ranks = self.compute(lambda: kind_ranks(numbered(seen()), days, rules.kinds_tracked), name, asked)
        return tuple(sorted((row["event"], row["day"]) for row in self._engine.rows(ranks)))


def facts_of(tables: Mapping[str, ir.Table], usage: ir.Table | None) -> Facts:
    """Facts of validated tables, with what ingestion derives from them."""
    engagements = tables.get("engagements")
    return Facts(
        customers=tables["customers"],
        usage_daily=usage,
        usage_customers=None if usage is None else customers_seen(usage),
        usage_coverage=None if usage is None else days_seen(usage),
        support_tickets=tables.get("support_tickets"),
        invoices=tables.get("invoices"),
        engagement_daily=None if engagements is None else contact_days(engagements),
    )


def profiled(facts: Facts, days: DayRange, churn: ChurnRules, rules: SeverityRules, kinds: Kinds) -> ir.Table:
    """Profiles of the facts, from the population on."""
    people = scan_population(facts, days, churn)
    windows = profile_windows(people, facts, days, rules, kinds)
    return customer_profiles(people, windows, facts, days, rules, kinds)


def _trends(profiles: ir.Table, usage: ir.Table | None, days: DayRange, kinds: Kinds, rules: RiskRules) -> ir.Table:
    if usage is None:
        return trends_without_usage(profiles)
    rows = numbered(usage)
    windows = usage_windows(profiles, rows, days, kinds)
    return usage_trends(windows, coverage(rows, days), days, kinds, rules.severities)


def _key(rules: Rules) -> str:
    return rules.model_dump_json()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    engine = NamingEngine(EngineSettings(memory_limit="2GB", threads=2), tmp_path_factory.mktemp("spill"))
    yield Company(engine)
    engine.close()


@pytest.fixture(name="facts_of")
def _facts_of() -> Callable[..., Facts]:
    return facts_of


@pytest.fixture(name="profiles_of")
def _profiles_of() -> Callable[..., ir.Table]:
    return profiled
