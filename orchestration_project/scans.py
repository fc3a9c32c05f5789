"""Scans: how the days of a run are cut into parts, and which months of usage a part reads."""

from datetime import date

import ibis.expr.types as ir

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import RHYTHM_DAYS
from orchestration_project.lake import Lake, LakeError
from orchestration_project.partitions import month_key, months_between
from orchestration_project.resources import Workspace


def day_keys(days: DayRange) -> list[str]:
    """Partition keys of scan days."""
    return [day.isoformat() for day in days.dates]


def parts(days: DayRange, lake: Lake, workspace: Workspace) -> list[DayRange]:
    """The range in parts that fit the engine: about `rows_at_once` customer-days each."""
    customers = lake.engine.value(lake.read("customers").customer_id.nunique())
    return days.parts(max(1, workspace.settings.engine.rows_at_once // max(1, customers)))


def usage_or_none(lake: Lake, days: DayRange, connected: list[str]) -> ir.Table | None:
    """Usage of the year up to the last scan day; None where usage is not connected.

    Months count only as far back as they follow one another: usage before a month that was never loaded is unknown,
    not zero.
    """
    if "usage_events" not in connected:
        return None
    wanted = [month_key(month) for month in months_between(days.reaching_back(RHYTHM_DAYS).first, days.last)]
    loaded = set(lake.partitions("usage_daily"))
    unbroken: list[str] = []
    for key in reversed(wanted):
        if key not in loaded:
            break
        unbroken.insert(0, key)
    _require(unbroken, days)
    return lake.read("usage_daily", unbroken, "month")


def _require(loaded: list[str], days: DayRange) -> None:
    first: date = days.first
    if not loaded or loaded[0] > month_key(first):
        missing = month_key(days.last) if not loaded else month_key(first)
        raise LakeError(
            f"The lake has no usage_daily for month {missing}; materialize it in the Dagster UI, "
            f"or run `orchestrate backfill --from {days.first} --to {days.last}`, which loads it first."
        )
