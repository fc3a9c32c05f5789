"""Usage: how each customer's use of the last 30 days compares with the 60 before, and with its own rhythm."""

import dagster as dg
from ibis import _

from assets.results import KINDS, OWNERS, records, table_metadata, tell_rows, unique_key, written
from orchestration_project.domain.days import DayRange
from orchestration_project.lake import Lake
from orchestration_project.partitions import WHOLE_RANGE, Partitions, scan_days
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan, day_keys


def usage_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `usage`."""

    @dg.asset(
        name="usage_trends", group_name="usage", kinds=KINDS, owners=OWNERS, metadata=table_metadata("usage_trends"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["usage_daily", "customer_profiles"],
        description="Use of the last 30 days against the 60 before, rates per kind of event, silence against rhythm.",
        check_specs=[
            dg.AssetCheckSpec("unique", asset="usage_trends"),
            dg.AssetCheckSpec(
                "nothing_after_cutoff", asset="usage_trends", blocking=True,
                description="No customer was last seen after the scan day.",
            ),
        ],
    )  # fmt: skip
    def trends(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = scan_days(context)
        with workspace.lake() as lake:
            Scan(lake, workspace).write("usage_trends", days, context.log.info)
            tell_rows(context, lake.counts("usage_trends", day_keys(days), "scan_day"))
            return report(days, lake)

    return [trends]


def report(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `usage_trends`, and whether anything in it is from after its scan."""
    trends = lake.read("usage_trends", day_keys(days), "scan_day")
    last = lake.read("usage_trends", [days.last.isoformat()], "scan_day")
    counts = lake.engine.rows(last.group_by("trend").agg(customers=_.count()).order_by("trend"))
    later = lake.engine.value(trends.filter(trends.last_used_on > trends.scan_day).count())
    check = dg.AssetCheckResult(check_name="nothing_after_cutoff", passed=later == 0, metadata={"rows after": later})
    unique = unique_key("unique", trends, ("customer_id", "scan_day"), lake.engine.value)
    movement = lake.engine.value(last.calendar_ratio.max())
    metadata = {"trends": records(counts), "calendar ratio": movement if movement is not None else "unknown"}
    return written(metadata, [unique, check])
