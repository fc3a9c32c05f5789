"""Contracts: what the UI says of rows of a scan that broke theirs, and whether all customers are accounted for."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from assets.results import records
from orchestration_project.domain.days import DayRange
from orchestration_project.partitions import day_keys

if TYPE_CHECKING:
    from orchestration_project.lake import Lake

CHECK = "contract"
MADE_OF = {
    "usage_trends": "customer_profiles",
    "risk_factors": "customer_profiles",
    "risk_scores": "risk_factors",
    "action_plan": "risk_scores",
}
"""Tables that have a row for each row of another."""


def contract_spec(table: str) -> dg.AssetCheckSpec:
    """The check that says how many rows broke a contract; it blocks where that can't be gone on from."""
    return dg.AssetCheckSpec(
        CHECK, asset=table, blocking=True,
        description="Every row keeps its contract, and no customer is lost; bad rows lie in the table `quarantine`.",
    )  # fmt: skip


def with_contract(
    result: dg.MaterializeResult, table: str, days: DayRange, left_out: Mapping[date, int], lake: "Lake"
) -> dg.MaterializeResult:
    """The result, and whether its customers are those of the step before but for those who were `left_out`."""
    kept = lake.counts(table, day_keys(days), "scan_day")
    read = lake.counts(MADE_OF[table], day_keys(days), "scan_day") if table in MADE_OF else {}
    lost = {
        day: read[key] - kept[key] - left_out.get(day, 0) if read else 0
        for day, key in zip(days.dates, day_keys(days), strict=True)
    }
    last = days.last.isoformat()
    stops = lost[days.last] or (read.get(last) and not kept[last]) or _waits_for_a_person(f"{table}.{last}", lake)
    check = dg.AssetCheckResult(
        check_name=CHECK,
        passed=not any(left_out.values()) and not any(lost.values()),
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={
            "kept": sum(kept.values()),
            "left out": sum(left_out.values()),
            "not accounted for": sum(abs(each) for each in lost.values()),
            "first days": ", ".join(str(day) for day in lost if left_out.get(day) or lost[day])[:58] or "none",
        },
    )
    metadata = {**(result.metadata or {}), "quarantine": _reasons(table, days, lake)}
    return result._replace(metadata=metadata, check_results=[*(result.check_results or ()), check])


def _waits_for_a_person(about: str, lake: "Lake") -> bool:
    """Whether the manifest says of rows that are set aside that nothing goes on before somebody has looked."""
    from orchestration_project import escalations

    if about not in lake.partitions(escalations.TABLE):
        return False
    items = lake.read(escalations.TABLE, [about], "about")
    wanted = items.filter(
        items.pathway == "review", items.error_class.isin(["missing_or_invalid_data", "unexpected_output"])
    )
    return bool(lake.engine.value(wanted.count()))


def _reasons(table: str, days: DayRange, lake: "Lake") -> dg.MetadataValue:
    known = set(lake.partitions("quarantine"))
    sources = [source for key in day_keys(days) if (source := f"{table}.{key}") in known]
    if not sources:
        return records([])
    rows = lake.read("quarantine", sources, "source")
    return records(lake.engine.rows(rows.group_by("reason").agg(rows=rows.rows.sum()).order_by("reason")))
