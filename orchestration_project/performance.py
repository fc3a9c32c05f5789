"""Performance: pictures of how models did on days that they did not learn from."""

from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration_project import charts
from orchestration_project.domain import validation
from orchestration_project.domain.rules import ScoringRules
from orchestration_project.domain.scorecard import Scorecard
from orchestration_project.domain.validation import Scored
from orchestration_project.lake import Lake

if TYPE_CHECKING:
    from orchestration_project.refits import Refit

MODELS = ("candidate", "champion", "yardstick")


def pictures(refit: "Refit", lake: Lake, rules: ScoringRules) -> dict[str, Any]:
    """Charts of a refit: weights over time, calibration, ROC, precision and recall, lift, churn by integer score."""
    weights = weights_over_time(lake, refit.decision.month)
    found = {} if weights.empty else {"weights over time": charts.family_weights(weights)}
    if refit.candidate is None:
        return found
    scores = {name: refit.scores[name] for name in MODELS}
    tenths = _frame([row for name, each in scores.items() for row in _tenths(name, each)])
    by_score = _frame(churn_by_score(refit.candidate, scores["candidate"], rules))
    return found | {
        "calibration": charts.calibration(tenths),
        "ROC": charts.curves(
            _all(scores, validation.roc), "ROC: leavers found against stayers alarmed", "Share of stayers",
            "Share of leavers",
        ),
        "precision and recall": charts.curves(
            _all(scores, validation.precision_recall), "Precision and recall", "Recall: share of leavers found",
            "Precision",
        ),
        "lift by tenth": charts.lift(_frame(lift_by_tenth(scores["candidate"]))),
        "churn by integer score": charts.churn_by_score(by_score, rules.medium_from, rules.high_from),
    }  # fmt: skip


def weights_over_time(lake: Lake, until: date) -> Any:
    """Family weights of every candidate up to a month, as a frame of `month`, `family` and `weight`."""
    rows = lake.read("risk_weights")
    rows = rows.filter(rows.family.notnull(), rows.month <= f"{until:%Y-%m}")
    told = rows.group_by(["month", "family"]).agg(weight=rows.family_weight.max())
    return lake.engine.frame(told.order_by(["month", "family"]))


def lift_by_tenth(scored: Scored) -> list[dict[str, float]]:
    """Churn of each tenth of rows, highest scores first, with the `average` of all and the `lift` over it."""
    average = float((scored.weight * scored.churned).sum() / scored.weight.sum())
    return [
        {"tenth": n, "churn": row["observed"], "average": average, "lift": row["observed"] / average}
        for n, row in enumerate(reversed(validation.tenths(scored)), start=1)
    ]


def churn_by_score(candidate: Scorecard, scored: Scored, rules: ScoringRules) -> list[dict[str, Any]]:
    """Customers and churn per integer score that a candidate gives, exceptions and overrides left aside."""
    points = rules.learned_score(scored.score, candidate.base_odds).clip(1, 10)
    return validation.by_integer_score(points, scored)


def _tenths(model: str, scored: Scored) -> list[dict[str, Any]]:
    return [{"model": model, **row} for row in validation.tenths(scored)] if scored.calibrated else []


def _all(scores: dict[str, Scored], measure: Any) -> Any:
    return _frame([{"model": name, **row} for name, each in scores.items() for row in measure(each)])


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
