"""Weights report: the refit of one month as one HTML page that needs nothing else."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration_project import charts
from orchestration_project.domain.champions import terms
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import ScoringRules
from orchestration_project.domain.scorecard import Curve, Scorecard
from orchestration_project.domain.signals import named
from orchestration_project.domain.validation import Figure
from orchestration_project.lake import Lake
from orchestration_project.pages import page
from orchestration_project.partitions import month_key, next_month
from orchestration_project.performance import pictures
from orchestration_project.refits import Learner
from orchestration_project.resources import Workspace
from orchestration_project.weights import decisions, in_force

TEMPLATE = "weights_report.html"
SHOWN = 6
"""Signals whose curves are shown, the strongest."""
LEVELS = ("plan:", "segment:")
"""How the signals begin that are either there or not."""
MODELS = ("candidate", "champion", "prior", "yardstick")

QUESTIONS = {
    "enough_outcomes": "Did enough customers leave to learn from, and to validate with?",
    "better": "Is the candidate better than the weights that were in force, whichever customers are drawn?",
    "calibrated": "Do its probabilities come true?",
    "stable": "Are its scores spread on the validation days as on the days it learned from?",
    "champion_usable": "Could the weights that were in force be read?",
}
"""What each check of a decision asks."""

METRICS = {
    "auc": ("AUC", "how often a customer who left was ranked above one who stayed; 0.5 is chance, 1 is perfect"),
    "average_precision": ("Average precision", "share of leavers among those ranked highest, over lists of any length"),
    "top_decile_lift": ("Lift of the top tenth", "churn of the tenth with the highest scores, in times the average"),
    "log_loss": ("Log loss", "how far probabilities were from what happened; less is better"),
    "brier": ("Brier score", "mean squared error of the probabilities; less is better"),
    "slope": ("Calibration slope", "1 is right; below 1 the probabilities are too extreme, above too timid"),
    "intercept": ("Calibration intercept", "0 is right; what the log-odds lack once the slope is put right"),
}  # fmt: skip
"""Each metric's name and meaning."""

CAPTIONS = {
    "weights over time": "How much each factor family counts in the candidate of each month.",
    "calibration": "Customers in ten groups by predicted churn. On the dashed line, as many left as was predicted. "
                   "The prior knows no probability.",
    "ROC": "Going down the list from the highest score: leavers found against stayers met on the way. "
           "The nearer to the upper left corner the better; the diagonal is chance.",
    "precision and recall": "Going down the list from the highest score: share of leavers among those seen so far, "
                            "against the share of all leavers found.",
    "lift by tenth": "The candidate's scores. The dashed line is the churn of all; the number above a bar is how many "
                     "times that the tenth had.",
    "churn by integer score": "10 counts with 9. The line is the 95 % interval, the number above it how many "
                              "customers had such a score. Exceptions and overrides are left aside.",
}  # fmt: skip
"""How to read each picture."""


@dataclass(frozen=True)
class Picture:
    """A picture with its title and how to read it."""

    title: str
    caption: str
    source: str


@dataclass(frozen=True)
class SignalCurve:
    """The curve of one signal, in points of the score."""

    label: str
    family: str
    riskier: str
    reason: str
    unknown: float
    source: str


def weights_report(workspace: Workspace, lake: Lake, month: date) -> str:
    """The page about a month that was refitted. It only reads: the refit is computed anew and kept nowhere."""
    found, acts = decisions(lake), workspace.acts()
    rules, today = workspace.risk.scoring, workspace.yesterday
    with lake.engine.scope():
        refit = Learner(lake, workspace).refit(month, [each for each in found if each.month < month])
        drawn = pictures(refit, lake, rules)
    return page(
        TEMPLATE, month=month, written=workspace.now(), today=today, from_day=next_month(month),
        decision=next(each for each in found if each.month == month), refit=refit,
        in_force=in_force(lake, workspace, DayRange(today, today))[0],
        terms=terms(rules.weights.version, found, acts, today)[::-1], acts=acts[::-1],
        counts=_of_month(lake, "weight_decisions", month)[0], figures=_figures(lake, month),
        pictures=[Picture(chart.title, CAPTIONS[name], charts.drawing(chart)) for name, chart in drawn.items()],
        curves=_curves(refit.candidate, rules) if refit.candidate else [],
        questions=QUESTIONS, metrics=METRICS, models=MODELS,
    )  # fmt: skip


def _of_month(lake: Lake, table: str, month: date) -> list[dict[str, Any]]:
    return lake.engine.rows(lake.read(table, [month_key(month)], "month"))


def _figures(lake: Lake, month: date) -> dict[str, dict[str, Figure]]:
    """The figures that the month was decided on, by metric and model."""
    found: dict[str, dict[str, Figure]] = {}
    for row in _of_month(lake, "weight_metrics", month):
        found.setdefault(row["metric"], {})[row["model"]] = Figure(row["value"], row["low"], row["high"])
    return found


def _curves(card: Scorecard, rules: ScoringRules) -> list[SignalCurve]:
    """The strongest signals of a scorecard, drawn on one scale."""
    shown, scale = card.strongest[:SHOWN], rules.points_per_log_odds
    points = [scale * each for curve in shown for each in (*curve.points, 0)]
    return [
        SignalCurve(
            _label(curve.signal), curve.family.replace("_", " "), "more" if curve.direction > 0 else "less",
            named(curve.signal).reason, scale * curve.missing, _drawn(curve, scale, (min(points), max(points))),
        )
        for curve in shown
    ]  # fmt: skip


def _drawn(curve: Curve, scale: float, domain: tuple[float, float]) -> str:
    import pandas as pd

    if curve.signal.startswith(LEVELS):
        points = [scale * float(each) for each in curve.at([0.0, 1.0])]
        chart = charts.level_bars(pd.DataFrame({"x": ["no", "yes"], "points": points}), domain)
    else:
        first, last = curve.edges[0], curve.edges[-1]
        margin = (last - first) / 10 or 1.0
        points = [scale * each for each in (*curve.points, curve.points[-1])]
        steps = pd.DataFrame({"x": [first - margin, *curve.edges, last + margin], "points": points})
        chart = charts.signal_curve(steps, domain)
    return charts.drawing(chart, *charts.SMALL)


def _label(signal: str) -> str:
    """A signal's name in words: `rate:login` is the rate of login."""
    prefix, colon, level = signal.partition(":")
    of = " of " if f"{prefix}:" not in LEVELS else " "
    return f"{prefix}{of}{level}" if colon else signal.replace("_", " ")
