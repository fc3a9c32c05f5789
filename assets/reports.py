"""Reports: what the Dagster UI says of the scan days that an asset wrote, and whether they pass their checks."""

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg
import ibis
import ibis.expr.types as ir
from ibis import _

from assets.results import DECIMALS, records, unique_key, written
from orchestration_project import charts
from orchestration_project.domain.completeness import PARTS, coverage_by_field
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.plan import STAGES, funnel
from orchestration_project.domain.rules import FAMILIES
from orchestration_project.lake import Lake
from orchestration_project.partitions import day_keys

TREND_DAYS = 90
EXACT = 1e-9
"""How far a sum of floating numbers may be off."""


def report_profiles(days: DayRange, fields: tuple[list[str], list[str]], lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `customer_profiles`; `fields` are those that count and those that don't."""
    profiles = lake.read("customer_profiles", day_keys(days), "scan_day")
    last = lake.read("customer_profiles", [days.last.isoformat()], "scan_day")
    shares = lake.engine.rows(coverage_by_field(last, [*fields[0], *(p for p in PARTS if p not in fields[0])]))[0]
    unique = unique_key("unique", profiles, ("customer_id", "scan_day"), lake.engine.rows)
    complete = shares.pop("complete")
    least = sorted((name for name in fields[0] if shares[name] is not None), key=lambda name: shares[name])[:3]
    metadata = {
        "share complete": round(complete, DECIMALS) if complete is not None else "no customer",
        "least covered": ", ".join(f"{name} {shares[name]:.1%}" for name in least) or "nothing",
        "coverage per field": records([{"field": name, "share": share} for name, share in shares.items()]),
        "fields not connected": ", ".join(fields[1]) or "none",
    }
    return written(metadata, [unique])


def report_trends(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `usage_trends`, and whether anything in it is from after its scan."""
    trends = lake.read("usage_trends", day_keys(days), "scan_day")
    last = lake.read("usage_trends", [days.last.isoformat()], "scan_day")
    counts = lake.engine.rows(last.group_by("trend").agg(customers=_.count()).order_by("trend"))
    later = lake.engine.value(trends.filter(trends.last_used_on > trends.scan_day).count())
    check = dg.AssetCheckResult(check_name="nothing_after_cutoff", passed=later == 0, metadata={"rows after": later})
    unique = unique_key("unique", trends, ("customer_id", "scan_day"), lake.engine.rows)
    movement = lake.engine.value(last.calendar_ratio.max())
    metadata = {"trends": records(counts), "calendar ratio": movement if movement is not None else "unknown"}
    return written(metadata, [unique, check])


def report_factors(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `risk_factors`."""
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
    unique = unique_key("unique", factors, ("customer_id", "scan_day"), lake.engine.rows)
    return written({"families": table}, [unique])


def report_plan(days: DayRange, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `action_plan`: the funnel of the newest, and whether it adds up on each."""
    plan, scores = (lake.read(name, day_keys(days), "scan_day") for name in ("action_plan", "risk_scores"))
    counts = lake.engine.rows(funnel(plan.filter(plan.scan_day == ibis.date(days.last))))
    order = {stage: n for n, stage in enumerate((*STAGES, None))}
    counts.sort(key=lambda row: (order[row["stopped_at"]], row["action"]))
    lost = lake.engine.value(scores.anti_join(plan, ["customer_id", "scan_day"]).count())
    check = dg.AssetCheckResult(check_name="funnel", passed=not lost, metadata={"customers without a place": lost})
    unique = unique_key("unique", plan, ("customer_id", "scan_day"), lake.engine.rows)
    planned = sum(row["customers"] for row in counts if row["stopped_at"] is None)
    told = [row | {"stopped_at": row["stopped_at"] or "planned"} for row in counts]
    return written({"funnel": records(told), "planned": planned}, [unique, check])


def report_scores(days: DayRange, problems: Iterable[str], lake: Lake) -> dg.MaterializeResult:
    """What the UI says of scan days in `risk_scores`: pictures, next actions, and whether the scores hold."""
    scores = lake.read("risk_scores", day_keys(days), "scan_day")
    off = lake.engine.value((~_adds_up(scores)).sum()) or 0
    checks = [
        dg.AssetCheckResult(
            check_name="weights",
            passed=not problems,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"problem": "; ".join(sorted(problems)) or "none"},
        ),
        unique_key("unique", scores, ("customer_id", "scan_day"), lake.engine.rows),
        dg.AssetCheckResult(check_name="adds_up", passed=not off, metadata={"off": off}),
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
        "customers by score": charts.score_histogram(bars, days.last.isoformat()),
        "customers by band": charts.band_trend(trend),
        "next actions": records(actions),
    }


def _adds_up(scores: ir.Table) -> ir.BooleanValue:
    """Whether contributions sum to the score minus 1; where there is no score, that there are no contributions."""
    off_by = (scores.contributions.values().sums() - (scores.score - 1)).abs()
    return (off_by <= EXACT).fill_null(False) | (scores.score.isnull() & scores.contributions.isnull())
