"""Profiles: one row per customer and scan day, complete or with the reason why not."""

import dagster as dg

from assets.results import KINDS, OWNERS, records, table_metadata, tell_rows, unique_key, written
from orchestration_project.domain.completeness import (
    PARTS,
    Completeness,
    completeness_by_day,
    coverage_by_field,
)
from orchestration_project.domain.days import DayRange
from orchestration_project.lake import Lake
from orchestration_project.partitions import WHOLE_RANGE, Partitions, scan_days
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan, day_keys


def profile_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `profiles`."""

    @dg.asset(
        name="customer_profiles", group_name="profiles", kinds=KINDS, owners=OWNERS,
        metadata=table_metadata("customer_profiles"), partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(),
        deps=["customers", "support_tickets", "invoices", "engagements", "usage_daily"],
        description="What was known of each customer on a scan day: attributes, tickets, payments, engagement.",
        check_specs=[
            dg.AssetCheckSpec(
                "complete", asset="customer_profiles", blocking=True,
                description="More than the required share of the population has every required field.",
            ),
            dg.AssetCheckSpec("unique", asset="customer_profiles"),
        ],
    )  # fmt: skip
    def profiles(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = scan_days(context)
        with workspace.lake() as lake:
            scan = Scan(lake, workspace)
            scan.write("customer_profiles", days, context.log.info)
            tell_rows(context, lake.counts("customer_profiles", day_keys(days), "scan_day"))
            return _report(days, scan.fields, lake, workspace)

    return [profiles]


def _report(
    days: DayRange, fields: tuple[list[str], list[str]], lake: Lake, workspace: Workspace
) -> dg.MaterializeResult:
    profiles = lake.read("customer_profiles", day_keys(days), "scan_day")
    last = lake.read("customer_profiles", [days.last.isoformat()], "scan_day")
    by_day = {row["scan_day"]: row for row in lake.engine.rows(completeness_by_day(profiles))}
    above = workspace.settings.completeness.above
    found = {
        day: Completeness(by_day[day]["customers"], by_day[day]["complete"], above) if day in by_day
        else Completeness(0, 0, above)
        for day in days.dates
    }  # fmt: skip
    shares = lake.engine.rows(coverage_by_field(last, [*fields[0], *(p for p in PARTS if p not in fields[0])]))
    coverage = records([{"field": name, "share": share} for name, share in shares[0].items()] if shares else [])
    unique = unique_key("unique", profiles, ("customer_id", "scan_day"), lake.engine.value)
    metadata = {"coverage per field": coverage, "fields not connected": ", ".join(fields[1]) or "none"}
    return written(metadata, [_complete(days, found, fields[1]), unique])


def _complete(days: DayRange, found: dict, not_connected: list[str]) -> dg.AssetCheckResult:
    """Blocks where the newest scan is incomplete; older scans of a range only warn, so they can't stop it."""
    failed = [day for day, each in found.items() if not each.passed]
    newest = found[days.last]
    return dg.AssetCheckResult(
        check_name="complete",
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if newest.passed else dg.AssetCheckSeverity.ERROR,
        metadata={
            "share complete": newest.share if newest.share is not None else "no customer",
            "must exceed": newest.above,
            "customers": newest.customers,
            "days below": len(failed),
            "first days below": ", ".join(str(day) for day in failed[:5]) or "none",
            "fields not connected": ", ".join(not_connected) or "none",
        },
    )
