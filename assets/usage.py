"""Usage: how each customer's use of the last 30 days compares with the 60 before, and with its own rhythm."""

import dagster as dg
import ibis.expr.types as ir
from ibis import _

from assets.results import KINDS, OWNERS, records, table_metadata, unique_key, written
from orchestration_project.domain.activity import coverage, kind_ranks, numbered, tracked_kinds
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.usage import trends_without_usage, usage_trends, usage_windows
from orchestration_project.lake import Lake
from orchestration_project.partitions import WHOLE_RANGE, Partitions, scan_days
from orchestration_project.resources import Workspace
from orchestration_project.scans import day_keys, parts, usage_or_none
from orchestration_project.sources.config import load_sources


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
        connected = load_sources(workspace.home).connected
        with workspace.lake() as lake:
            for part in parts(days, lake, workspace):
                with lake.engine.scope():
                    rows = _trends(part, lake, workspace, connected)
                    lake.replace("usage_trends", rows, day_keys(part), "scan_day")
                context.log.info(f"usage_trends: {part.first} to {part.last} written")
            return _report(days, lake)

    return [trends]


def _trends(days: DayRange, lake: Lake, workspace: Workspace, connected: list[str]) -> ir.Table:
    rules = workspace.settings.risk
    profiles = lake.read("customer_profiles", day_keys(days), "scan_day")
    usage = usage_or_none(lake, days, connected)
    if usage is None:
        return trends_without_usage(profiles)
    rows = numbered(usage)
    ranks = lake.engine.rows(kind_ranks(rows, days, rules.kinds_tracked))
    kinds = tracked_kinds((row["event"], row["day"]) for row in ranks)
    windows = lake.engine.keep(usage_windows(profiles, rows, days, kinds))
    seen = lake.engine.keep(coverage(rows, days))
    return usage_trends(windows, seen, days, kinds, rules.severities)


def _report(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    trends = lake.read("usage_trends", day_keys(days), "scan_day")
    last = lake.read("usage_trends", [days.last.isoformat()], "scan_day")
    counts = lake.engine.rows(last.group_by("trend").agg(customers=_.count()).order_by("trend"))
    later = lake.engine.value(trends.filter(trends.last_used_on > trends.scan_day).count())
    check = dg.AssetCheckResult(check_name="nothing_after_cutoff", passed=later == 0, metadata={"rows after": later})
    unique = unique_key("unique", trends, ("customer_id", "scan_day"), lake.engine.value)
    movement = lake.engine.value(last.calendar_ratio.max())
    metadata = {"trends": records(counts), "calendar ratio": movement if movement is not None else "unknown"}
    return written(lake.engine.value(trends.count()), metadata, [unique, check])
