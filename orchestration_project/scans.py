"""Scans: the computation behind the daily assets, part by part; without Dagster, so it can be measured and reused."""

from collections.abc import Callable
from datetime import date
from functools import cached_property

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.activity import Kinds, coverage, kind_ranks, numbered, tracked_kinds
from orchestration_project.domain.completeness import counted_fields, with_completeness
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.factors import signals, with_severities
from orchestration_project.domain.profiles import ATTRIBUTES, Facts, customer_profiles, engagement_activity
from orchestration_project.domain.rules import FAMILIES, FAMILY_SOURCES, RHYTHM_DAYS
from orchestration_project.domain.scoring import score
from orchestration_project.domain.usage import trends_without_usage, usage_trends, usage_windows
from orchestration_project.lake import Lake, LakeError
from orchestration_project.partitions import month_key, months_between
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import load_sources

PART_SOURCES = {
    "usage": "usage_events",
    "tickets": "support_tickets",
    "payments": "invoices",
    "engagement": "engagements",
}
"""Parts of a profile, and the source table without which they do not exist."""


class Scan:
    """The scan tables of a home: how the rows of each are computed, and written."""

    def __init__(self, lake: Lake, workspace: Workspace) -> None:
        self._lake, self._workspace = lake, workspace
        self._sources = load_sources(workspace.home)
        self._rules = workspace.settings.risk

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
        compute = {
            "customer_profiles": self.profiles,
            "usage_trends": self.trends,
            "risk_factors": self.factors,
            "risk_scores": self.scores,
        }[table]
        for part in self._parts(days):
            with self._lake.engine.scope():
                self._lake.replace(table, compute(part), day_keys(part), "scan_day")
            log(f"{table}: {part.first} to {part.last} written")

    def profiles(self, days: DayRange) -> ir.Table:
        """Rows of `customer_profiles`."""
        engagements = self._table_or_none("engagements")
        facts = Facts(
            customers=self._lake.read("customers"),
            usage_daily=self._usage_or_none(days),
            support_tickets=self._table_or_none("support_tickets"),
            invoices=self._table_or_none("invoices"),
            engagements=engagements,
        )
        kinds = {} if engagements is None else self._kinds(engagement_activity(engagements), days)
        profiles = customer_profiles(facts, days, self._sources.churn, self._rules.severities, kinds)
        return with_completeness(profiles, self.fields[0], self._workspace.settings.completeness)

    def trends(self, days: DayRange) -> ir.Table:
        """Rows of `usage_trends`."""
        profiles = self.read("customer_profiles", days)
        usage = self._usage_or_none(days)
        if usage is None:
            return trends_without_usage(profiles)
        rows = numbered(usage)
        kinds = self._kinds(rows, days)
        windows = self._lake.engine.keep(usage_windows(profiles, rows, days, kinds))
        seen = self._lake.engine.keep(coverage(rows, days))
        return usage_trends(windows, seen, days, kinds, self._rules.severities)

    def factors(self, days: DayRange) -> ir.Table:
        """Rows of `risk_factors`; the rules that decided are recorded under their version."""
        told = signals(self.read("customer_profiles", days), self.read("usage_trends", days))
        rows = with_severities(told, self._rules.severities)
        return rows.mutate(rules_version=ibis.literal(self._workspace.record_rules()))

    def scores(self, days: DayRange) -> ir.Table:
        """Rows of `risk_scores`."""
        families = [family for family in FAMILIES if FAMILY_SOURCES[family] in self._sources.connected]
        now = self._workspace.now().replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
        scored = score(self.read("risk_factors", days), self._rules.scoring, families)
        return scored.mutate(scored_at=ibis.timestamp(now))

    def read(self, table: str, days: DayRange) -> ir.Table:
        """Rows of scan days that were written before."""
        return self._lake.read(table, day_keys(days), "scan_day")

    def _parts(self, days: DayRange) -> list[DayRange]:
        customers = self._lake.engine.value(self._lake.read("customers").customer_id.nunique())
        return days.parts(max(1, self._workspace.settings.engine.rows_at_once // max(1, customers)))

    def _kinds(self, rows: ir.Table, days: DayRange) -> Kinds:
        ranks = self._lake.engine.rows(kind_ranks(rows, days, self._rules.kinds_tracked))
        return tracked_kinds((row["event"], row["day"]) for row in ranks)

    def _table_or_none(self, name: str) -> ir.Table | None:
        return self._lake.read(name) if name in self._sources.connected else None

    def _usage_or_none(self, days: DayRange) -> ir.Table | None:
        """Usage of the year up to the last scan day; None where usage is not connected.

        Months count only as far back as they follow one another: usage before a month that was never loaded is
        unknown, not zero.
        """
        if "usage_events" not in self._sources.connected:
            return None
        wanted = [month_key(month) for month in months_between(days.reaching_back(RHYTHM_DAYS).first, days.last)]
        loaded = set(self._lake.partitions("usage_daily"))
        unbroken: list[str] = []
        for key in reversed(wanted):
            if key not in loaded:
                break
            unbroken.insert(0, key)
        _require(unbroken, days)
        return self._lake.read("usage_daily", unbroken, "month")


def day_keys(days: DayRange) -> list[str]:
    """Partition keys of scan days."""
    return [day.isoformat() for day in days.dates]


def _require(loaded: list[str], days: DayRange) -> None:
    first: date = days.first
    if not loaded or loaded[0] > month_key(first):
        missing = month_key(first) if loaded else month_key(days.last)
        raise LakeError(
            f"The lake has no usage_daily for month {missing}; materialize it in the Dagster UI, "
            f"or run `orchestrate backfill --from {days.first} --to {days.last}`, which loads it first."
        )
