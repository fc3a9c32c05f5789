"""Risk: how likely each customer is to leave, and why. Rules live in `domain.factors` and `domain.scoring`."""

from datetime import timedelta

import dagster as dg
import ibis.expr.types as ir
from ibis import _

from assets.results import KINDS, OWNERS, records, table_metadata, tell_rows, unique_key, written
from orchestration_project import charts
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import FAMILIES
from orchestration_project.lake import Lake
from orchestration_project.partitions import WHOLE_RANGE, Partitions, scan_days
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan, day_keys

TREND_DAYS = 90
EXACT = 1e-9
"""How far a sum of floating numbers may be off."""


def risk_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `risk`."""

    @dg.asset(
        name="risk_factors", group_name="risk", kinds=KINDS, owners=OWNERS, metadata=table_metadata("risk_factors"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["customer_profiles", "usage_trends"],
        description="Signals and severities in [0, 1] per factor family, or the reason why one can't be told.",
        check_specs=[dg.AssetCheckSpec("unique", asset="risk_factors")],
    )  # fmt: skip
    def factors(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = scan_days(context)
        with workspace.lake() as lake:
            Scan(lake, workspace).write("risk_factors", days, context.log.info)
            tell_rows(context, lake.counts("risk_factors", day_keys(days), "scan_day"))
            return _report_factors(days, lake)

    @dg.asset(
        name="risk_scores", group_name="risk", kinds=KINDS, owners=OWNERS, metadata=table_metadata("risk_scores"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["risk_factors"],
        description="One row per customer and scan day: score, contributions, confidence, band, next action.",
        check_specs=[
            dg.AssetCheckSpec("unique", asset="risk_scores"),
            dg.AssetCheckSpec("in_range", asset="risk_scores", blocking=True, description="Scores lie in [1, 10]."),
            dg.AssetCheckSpec(
                "adds_up", asset="risk_scores", blocking=True,
                description="The contributions of every score sum to the score minus 1.",
            ),
        ],
    )  # fmt: skip
    def scores(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        days = scan_days(context)
        with workspace.lake() as lake:
            Scan(lake, workspace).write("risk_scores", days, context.log.info)
            tell_rows(context, lake.counts("risk_scores", day_keys(days), "scan_day"))
            return report_scores(days, lake)

    return [factors, scores]


def _report_factors(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    factors = lake.read("risk_factors", day_keys(days), "scan_day")
    last = lake.read("risk_factors", [days.last.isoformat()], "scan_day")
    told = last.agg(
        **{f"{family}_mean": last[family].mean() for family in FAMILIES},
        **{f"{family}_known": last[family].notnull().mean() for family in FAMILIES},
    )
    row = lake.engine.rows(told)[0]
    table = records(
        [{"family": name, "mean severity": row[f"{name}_mean"], "known": row[f"{name}_known"]} for name in FAMILIES]
    )
    unique = unique_key("unique", factors, ("customer_id", "scan_day"), lake.engine.value)
    return written({"families": table}, [unique])


def report_scores(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `risk_scores`: pictures, next actions, and whether the scores hold."""
    scores = lake.read("risk_scores", day_keys(days), "scan_day")
    found = lake.engine.rows(
        scores.agg(
            outside=((_.score < 1) | (_.score > 10)).fill_null(False).sum(),
            off=(~_adds_up(scores)).sum(),
        )
    )[0]
    checks = [
        unique_key("unique", scores, ("customer_id", "scan_day"), lake.engine.value),
        dg.AssetCheckResult(
            check_name="in_range", passed=not found["outside"], metadata={"outside": found["outside"] or 0}
        ),
        dg.AssetCheckResult(check_name="adds_up", passed=not found["off"], metadata={"off": found["off"] or 0}),
    ]
    return written(_pictures(days, lake), checks)


def _pictures(days: DayRange, lake: Lake) -> dict[str, dg.MetadataValue]:
    last = lake.read("risk_scores", [days.last.isoformat()], "scan_day")
    halves = last.mutate(score=(last.score * 2).floor() / 2, band=last.band.fill_null("none"))
    bars = lake.engine.frame(halves.group_by(["score", "band"]).agg(customers=_.count()))
    first = (days.last - timedelta(days=TREND_DAYS)).isoformat()
    recent = [key for key in lake.partitions("risk_scores") if first < key <= days.last.isoformat()]
    history = lake.read("risk_scores", recent, "scan_day")
    banded = history.mutate(band=history.band.fill_null("none"))
    trend = lake.engine.frame(banded.group_by(["scan_day", "band"]).agg(customers=_.count()))
    actions = lake.engine.rows(last.group_by("next_action").agg(customers=_.count()).order_by("next_action"))
    return {
        "scores": charts.score_histogram(bars, days.last.isoformat()),
        "bands": charts.band_trend(trend),
        "next actions": records(actions),
    }


def _adds_up(scores: ir.Table) -> ir.BooleanValue:
    """Whether contributions sum to the score minus 1; where there is no score, that there are no contributions."""
    off_by = (scores.contributions.values().sums() - (scores.score - 1)).abs()
    return (off_by <= EXACT).fill_null(False) | (scores.score.isnull() & scores.contributions.isnull())
