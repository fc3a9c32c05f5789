"""Scans: the computation behind the daily assets, part by part; without Dagster, so it can be measured and reused."""

from collections.abc import Callable
from datetime import date
from functools import cached_property

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.activity import (
    Kinds,
    coverage,
    days_seen,
    kind_ranks,
    numbered,
    tracked_kinds,
)
from orchestration_project.domain.completeness import counted_fields, with_completeness
from orchestration_project.domain.days import DayRange, number
from orchestration_project.domain.factors import signals, with_severities
from orchestration_project.domain.profiles import (
    ATTRIBUTES,
    Facts,
    customer_profiles,
    profile_windows,
    scan_population,
)
from orchestration_project.domain.rules import FAMILIES, FAMILY_SOURCES, RHYTHM_DAYS
from orchestration_project.domain.scoring import score
from orchestration_project.domain.usage import REACH_DAYS, trends_without_usage, usage_trends, usage_windows
from orchestration_project.lake import Lake, LakeError
from orchestration_project.partitions import month_key, months_between
from orchestration_project.quarantine import CheckedStep
from orchestration_project.resources import Workspace
from orchestration_project.sources.collected import unknown
from orchestration_project.sources.config import load_sources
from orchestration_project.weights import InForce, in_force

PART_SOURCES = {
    "usage": "usage_events",
    "tickets": "support_tickets",
    "payments": "invoices",
    "engagement": "engagements",
}
"""Parts of a profile, and the source table without which they do not exist."""

OVERRIDES = {"customer_id": "string", "scan_day": "date", "override_score": "float64", "override_reason": "string"}


class Scan:
    """The scan tables of a home: how the rows of each are computed, and written as far as they keep their contract."""

    def __init__(self, lake: Lake, workspace: Workspace) -> None:
        self._lake, self._workspace = lake, workspace
        self._sources = load_sources(workspace.home)
        self._rules = workspace.risk
        self.problems: set[str] = set()
        """Why weights that were to be used could not be."""
        self.left_out: dict[date, int] = {}
        """Customers of each day that was written who were left out, because a row of theirs breaks a contract."""
        self._steps: dict[DayRange, CheckedStep] = {}

    @cached_property
    def fields(self) -> tuple[list[str], list[str]]:
        """The required profile fields that count because their source is connected, and those that don't."""
        connected = [part for part, table in PART_SOURCES.items() if table in self._sources.connected]
        customers = self._lake.read("customers")
        supplied = {name: customers[name].notnull().any() for name in ATTRIBUTES if name in customers.columns}
        connected += [
            name for name, any_value in self._lake.engine.rows(customers.agg(**supplied))[0].items() if any_value
        ]
        return counted_fields(self._workspace.settings.completeness.required, connected)

    def write(self, table: str, days: DayRange, log: Callable[[str], None] = lambda _: None) -> None:
        """Computes and replaces the days of one scan table, in parts that fit the engine."""
        self._workspace.record_rules()
        for part in self.parts(days):
            with self._lake.engine.scope():
                step = self._step(part)
                step.write(table, self.compute(table, part))
                self.left_out |= step.left_out
                del self._steps[part]
            log(f"{table}: {part.first} to {part.last} written")

    def compute(self, table: str, days: DayRange) -> ir.Table:
        """Rows of a scan table."""
        rows = {
            "customer_profiles": self.profiles,
            "usage_trends": self.trends,
            "risk_factors": self.factors,
            "risk_scores": self.scores,
        }
        return rows[table](days)

    def profiles(self, days: DayRange) -> ir.Table:
        """Rows of `customer_profiles`."""
        facts, severities = self._facts(days), self._rules.severities
        contacts = facts.engagement_daily
        kinds = {} if contacts is None else self._kinds(days_seen(contacts), days)
        people = self._lake.engine.keep(scan_population(facts, days, self._sources.churn))
        windows = self._lake.engine.keep(profile_windows(people, facts, days, severities, kinds))
        profiles = customer_profiles(people, windows, facts, days, severities, kinds)
        return with_completeness(profiles, self.fields[0], self._workspace.settings.completeness)

    def trends(self, days: DayRange) -> ir.Table:
        """Rows of `usage_trends`."""
        profiles = self.read("customer_profiles", days)
        usage, covered = (
            self._usage_or_none("usage_daily", days, REACH_DAYS),
            self._usage_or_none("usage_coverage", days),
        )
        if usage is None or covered is None:
            return trends_without_usage(profiles)
        kinds = self._kinds(covered, days)
        windows = usage_windows(profiles, numbered(usage), days, kinds)
        seen = coverage(covered.select(day=number(covered.day), known=number(covered.known_on)), days)
        return usage_trends(windows, seen, days, kinds, self._rules.severities)

    def factors(self, days: DayRange) -> ir.Table:
        """Rows of `risk_factors`, with the version of the rules that decided."""
        told = signals(self.read("customer_profiles", days), self.read("usage_trends", days))
        rows = with_severities(told, self._rules.severities)
        return rows.mutate(rules_version=ibis.literal(self._rules.version))

    def scores(self, days: DayRange) -> ir.Table:
        """Rows of `risk_scores`."""
        families = [family for family in FAMILIES if FAMILY_SOURCES[family] in self._sources.connected]
        now = self._workspace.now().replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
        factors = self.read("risk_factors", days)
        weights = self.weights(days)
        self.problems.update(each.problem for each in weights if each.problem)
        set_by_people = self._overrides(days)
        parts = [
            score(_within(factors, each.days), self._rules.scoring, families, set_by_people, scorecard=each.scorecard)
            for each in weights
        ]
        scored = parts[0] if len(parts) == 1 else ibis.union(*parts)
        return scored.mutate(scored_at=ibis.timestamp(now))

    def weights(self, days: DayRange) -> list[InForce]:
        """The weights to score the days with."""
        return in_force(self._lake, self._workspace, days)

    def read(self, table: str, days: DayRange) -> ir.Table:
        """Rows of scan days that were written before, as far as they keep their contract."""
        return self._step(days).read(table)

    def parts(self, days: DayRange) -> list[DayRange]:
        """Consecutive parts of a range that fit the engine."""
        if len(days) == 1:
            return [days]
        customers = self._lake.engine.value(self._lake.read("customers").customer_id.nunique())
        fitting = self._workspace.settings.engine.rows_at_once // max(1, customers)
        return days.parts(min(max(1, fitting), len(days)))

    def _step(self, days: DayRange) -> CheckedStep:
        return self._steps.setdefault(days, CheckedStep(days, self._lake, self._workspace))

    def _overrides(self, days: DayRange) -> ir.Table | None:
        """The scores that people had set by the end of each day; None where there are none."""
        from orchestration_project.operations import overrides
        from orchestration_project.operations.store import Store

        store = Store.existing(self._workspace.home)
        if store is None:
            return None
        with store, store.reading() as session:
            rows = [
                {"customer_id": row.customer_id, "scan_day": day, "override_score": row.score,
                 "override_reason": row.reason}
                for day, row in overrides.on_days(session, days.dates)
            ]  # fmt: skip
        return self._lake.engine.keep(ibis.memtable(rows, schema=OVERRIDES)) if rows else None

    def _kinds(self, seen: ir.Table, days: DayRange) -> Kinds:
        ranks = self._lake.engine.rows(kind_ranks(numbered(seen), days, self._rules.kinds_tracked))
        return tracked_kinds((row["event"], row["day"]) for row in ranks)

    def _table_or_none(self, name: str) -> ir.Table | None:
        return self._lake.read(name) if name in self._sources.connected else None

    def _facts(self, days: DayRange) -> Facts:
        contacts = self._lake.read("engagement_daily") if "engagements" in self._sources.connected else None
        return Facts(
            customers=self._lake.read("customers"),
            usage_daily=self._usage_or_none("usage_daily", days, RHYTHM_DAYS),
            usage_customers=self._usage_or_none("usage_customers", days),
            usage_coverage=self._usage_or_none("usage_coverage", days),
            support_tickets=self._table_or_none("support_tickets"),
            invoices=self._table_or_none("invoices"),
            engagement_daily=contacts,
            unknown=unknown(self._lake, self._sources.connected),
        )

    def _usage_or_none(self, table: str, days: DayRange, reach: int | None = None) -> ir.Table | None:
        """A usage table up to the last scan day, back `reach` days or all the way; None where it is not connected.

        Months count only as far back as they follow one another: usage before a month that was never loaded is
        unknown, not zero.
        """
        if "usage_events" not in self._sources.connected:
            return None
        loaded = set(self._lake.partitions(table))
        first = self._workspace.settings.history_start if reach is None else days.reaching_back(reach).first
        unbroken: list[str] = []
        for month in reversed(months_between(min(first, days.last), days.last)):
            if month_key(month) not in loaded:
                break
            unbroken.insert(0, month_key(month))
        _require(unbroken, days)
        return self._lake.read(table, unbroken, "month")


def _within(rows: ir.Table, days: DayRange) -> ir.Table:
    return rows.filter(rows.scan_day.between(ibis.date(days.first), ibis.date(days.last)))


def _require(loaded: list[str], days: DayRange) -> None:
    first: date = days.first
    if not loaded or loaded[0] > month_key(first):
        missing = month_key(first) if loaded else month_key(days.last)
        raise LakeError(
            f"The lake has no usage_daily for month {missing}; materialize it in the Dagster UI, "
            f"or run `orchestrate backfill --from {days.first} --to {days.last}`, which loads it first."
        )
