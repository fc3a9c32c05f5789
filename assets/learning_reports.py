"""Learning reports: what the Dagster UI says of outcomes and refits, and whether they pass their checks."""

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
from ibis import _

from assets.results import records, unique_key, written
from orchestration_project import charts
from orchestration_project.domain.champions import Check
from orchestration_project.domain.rules import ScoringRules
from orchestration_project.lake import Lake
from orchestration_project.partitions import month_key
from orchestration_project.performance import pictures
from orchestration_project.refits import Learner, Refit

if TYPE_CHECKING:
    from orchestration_project.domain.validation import Figure

GATE = ("better", "calibrated", "stable")
WARN = dg.AssetCheckSeverity.WARN


def report_outcomes(wanted: list[date], unscanned: list[date], learner: Learner, lake: Lake) -> dg.MaterializeResult:
    """What the UI says of months in `churn_outcomes`."""
    rows = lake.read("churn_outcomes", [month_key(month) for month in wanted], "month")
    counts = rows.group_by(state=_.censored.fill_null("counts")).agg(customers=_.count(), churn=_.churned.mean())
    days = [learner.scan_day(month) for month in unscanned]
    scanned = dg.AssetCheckResult(
        check_name="scanned",
        passed=not unscanned,
        severity=WARN,
        metadata={
            "months without": len(unscanned),
            "first scan days to backfill": ", ".join(str(day) for day in days[:5]) or "none",
        },
    )
    unique = unique_key("unique", rows, ("customer_id", "scan_day"), lake.engine.rows)
    metadata = {
        "outcomes": records(lake.engine.rows(counts.order_by("state"))),
        "scan day": str(learner.scan_day(wanted[-1])),
        "horizon in days": learner.horizon,
    }
    return written(metadata, [unique, scanned])


def report_weights(refit: Refit, lake: Lake, rules: ScoringRules) -> dg.MaterializeResult:
    """What the UI says of the last month that was refitted."""
    decision = refit.decision
    metadata = {
        "status": decision.status,
        "candidate": decision.candidate or "none",
        "champion from next month": decision.champion,
        "reasons": records([each.model_dump() for each in decision.checks]),
        "validation days": ", ".join(str(day) for day in refit.validation_days) or "none",
        "metrics": records([_row(model, name, each) for model, figures in refit.metrics.items()
                            for name, each in figures.items()]),
    }  # fmt: skip
    drawn = {name: charts.picture(chart) for name, chart in pictures(refit, lake, rules).items()}
    return written({**metadata, **drawn}, _checks(refit))


def _row(model: str, name: str, figure: "Figure") -> dict[str, object]:
    return {"model": model, "metric": name, "value": round(figure.value, 4), "interval": _interval(figure)}


def _interval(figure: "Figure") -> str:
    return f"{figure.low:.4f} to {figure.high:.4f}"


def _checks(refit: Refit) -> list[dg.AssetCheckResult]:
    by_name = {each.name: each for each in refit.decision.checks}
    failed = [each for each in refit.decision.checks if each.name in GATE and not each.passed]
    gated = any(name in by_name for name in GATE)
    why = "; ".join(f"{each.name}: {each.told}" for each in failed) or ("all passed" if gated else "not reached")
    drifted = sorted((name for name, (index, limit) in refit.drift.items() if index > max(limit, 0.25)))
    return [
        _check(by_name["enough_outcomes"]),
        dg.AssetCheckResult(check_name="gate", passed=gated and not failed, severity=WARN, metadata={"why": why}),
        _champion_holds(refit),
        dg.AssetCheckResult(
            check_name="drift", passed=not drifted, severity=WARN,
            metadata={"signals that shifted": ", ".join(drifted) or "none"},
        ),
    ]  # fmt: skip


def _check(check: Check) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(check_name=check.name, passed=check.passed, severity=WARN, metadata={"why": check.told})


def _champion_holds(refit: Refit) -> dg.AssetCheckResult:
    """Whether the champion still ranks better than chance and, where it knows probabilities, is calibrated."""
    figures = refit.metrics.get("champion", {})
    slope, auc = figures.get("slope"), figures.get("auc")
    passed = (slope is None or (slope.low <= 1.67 and slope.high >= 0.6)) and (auc is None or auc.high > 0.5)
    metadata = {name: f"{each.value:.3f} ({_interval(each)})" for name, each in figures.items()}
    return dg.AssetCheckResult(
        check_name="champion_holds", passed=passed, severity=WARN, metadata=metadata or {"why": "nothing to measure on"}
    )
