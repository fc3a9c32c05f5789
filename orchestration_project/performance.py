"""Performance: pictures of how models did on days that they did not learn from."""

from typing import TYPE_CHECKING, Any

from orchestration_project import charts
from orchestration_project.domain import validation
from orchestration_project.domain.validation import Scored
from orchestration_project.lake import Lake

if TYPE_CHECKING:
    from orchestration_project.refits import Refit

MODELS = ("candidate", "champion", "yardstick")


def pictures(refit: "Refit", lake: Lake) -> dict[str, Any]:
    """Charts of a refit: weights over time, calibration, ROC, precision and recall, lift."""
    found = {"weights over time": charts.family_weights(weights_over_time(lake, refit.decision.month))}
    if not refit.scores:
        return found if not found["weights over time"].data.empty else {}
    scores = {name: refit.scores[name] for name in MODELS}
    tenths = _frame([row for name, each in scores.items() for row in _tenths(name, each)])
    return found | {
        "calibration": charts.calibration(tenths),
        "ROC": charts.curves(_all(scores, validation.roc), "ROC", "Share of stayers", "Share of leavers"),
        "precision and recall": charts.curves(
            _all(scores, validation.precision_recall), "Precision and recall", "Recall", "Precision"
        ),
        "lift by tenth": charts.bars(_frame(_lift(scores["candidate"])), "Churn by tenth of customers, highest first",
                                     "Tenth", "Churn"),
    }  # fmt: skip


def weights_over_time(lake: Lake, until: Any) -> Any:
    """Family weights of every candidate up to a month, as a frame of `month`, `family` and `weight`."""
    rows = lake.read("risk_weights")
    rows = rows.filter(rows.family.notnull(), rows.month <= f"{until:%Y-%m}")
    return lake.engine.frame(rows.group_by(["month", "family"]).agg(weight=rows.family_weight.max()))


def _tenths(model: str, scored: Scored) -> list[dict[str, Any]]:
    return [{"model": model, **row} for row in validation.tenths(scored)] if scored.calibrated else []


def _lift(scored: Scored) -> list[dict[str, Any]]:
    rows = validation.tenths(scored)[::-1]
    return [{"x": n, "y": row["observed"]} for n, row in enumerate(rows, start=1)]


def _all(scores: dict[str, Scored], measure: Any) -> Any:
    return _frame([{"model": name, **row} for name, each in scores.items() for row in measure(each)])


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
