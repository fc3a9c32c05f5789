"""Validation: how well scores tell who leaves, with intervals by customer, and whether one is better than another."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration_project.domain.proportions import wilson

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 200
CONFIDENCE = 0.95
STEPS = 2000
"""Different values that a score is told apart into, at most."""
PSI_BINS = 10


@dataclass(frozen=True)
class Figure:
    """A metric with its interval over resampled customers."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scored:
    """Rows with a score each: log-odds of churn, or where not `calibrated` any number that rises with risk.

    `churned` is 0 or 1, `customer` a number per customer, `weight` what a row stands for.
    """

    score: "np.ndarray"
    churned: "np.ndarray"
    customer: "np.ndarray"
    weight: "np.ndarray"
    calibrated: bool = True


def metrics(scored: Scored, seed: int = 0) -> dict[str, Figure]:
    """Every metric that fits the score, with intervals: customers are drawn anew, with all their rows."""
    levels, code = _levels(scored.score)
    point = _measured(levels, *_sides(code, scored, scored.weight, len(levels)), scored.calibrated)
    drawn = [
        _measured(levels, *_sides(code, scored, weight, len(levels)), scored.calibrated)
        for weight in _resampled(scored, seed)
    ]
    return {name: _figure(point[name], [each[name] for each in drawn]) for name in point}


def difference(one: Scored, other: Scored, metric: str, seed: int = 0) -> Figure:
    """`metric` (of `RANKING` or `LOSSES`) of one score minus that of another on the same rows, with its interval."""
    (gap,) = _gaps(one, other, metric, [one.weight])
    return _figure(gap, _gaps(one, other, metric, _resampled(one, seed)))


def share_above_zero(one: Scored, other: Scored, metric: str, seed: int = 0) -> float:
    """Share of draws in which `metric` (of `RANKING` or `LOSSES`) is above that of the other; ties count half."""
    import numpy as np

    return float(np.mean(np.sign(_gaps(one, other, metric, _resampled(one, seed))) / 2 + 0.5))


def _gaps(one: Scored, other: Scored, metric: str, weights: "list[np.ndarray]") -> list[float]:
    """`metric` of one score minus that of another, of rows by each set of weights."""
    parts = [(_levels(each.score), each) for each in (one, other)]

    def measured(weight: "np.ndarray") -> list[float]:
        return [_metric(metric, levels, *_sides(code, each, weight, len(levels))) for (levels, code), each in parts]

    return [found - compared for found, compared in map(measured, weights)]


def population_stability(expected: "np.ndarray", found: "np.ndarray") -> tuple[float, float]:
    """Population stability index of a signal between two samples, and the value that chance exceeds once in 100.

    Bins are deciles of `expected`, and one for unknown values. Without drift, PSI / (1/n + 1/m) is distributed as
    chi-square with bins - 1 degrees of freedom (Yurdakul 2018), so the limit grows as samples shrink.
    """
    import numpy as np
    from scipy.stats import chi2

    cuts = np.linspace(0, 1, PSI_BINS + 1)[1:-1]
    edges = np.unique(np.quantile(expected[~np.isnan(expected)], cuts)) if _any(expected) else np.array([])
    shares = []
    for values in (expected, found):
        code = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
        counts = np.bincount(code.astype(int), minlength=len(edges) + 2)
        shares.append((counts + 0.5) / (len(values) + 0.5 * len(counts)))
    index = float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())
    limit = chi2.ppf(0.99, len(edges) + 1) * (1 / max(1, len(expected)) + 1 / max(1, len(found)))
    return index, float(limit)


def tenths(scored: Scored) -> list[dict[str, float]]:
    """Ten groups of equal weight by rising score: mean `predicted` probability and `observed` share that left."""
    import numpy as np

    order = np.argsort(scored.score, kind="stable")
    weight = scored.weight[order]
    group = np.minimum((weight.cumsum() - weight / 2) / weight.sum() * 10, 9.999).astype(int)
    rows = np.bincount(group, weight, 10)
    probability = 1 / (1 + np.exp(-np.clip(scored.score[order], -30, 30)))
    predicted, observed = (np.bincount(group, weight * each, 10) for each in (probability, scored.churned[order]))
    return [
        {"predicted": float(predicted[n] / rows[n]), "observed": float(observed[n] / rows[n])}
        for n in range(10)
        if rows[n]
    ]


def roc(scored: Scored) -> list[dict[str, float]]:
    """Points of the ROC curve: `x` the share of stayers, `y` of leavers, with at least a score; `order` along it."""
    left, stayed = _from_highest(scored)
    return _points(stayed.cumsum() / stayed.sum(), left.cumsum() / left.sum())


def precision_recall(scored: Scored) -> list[dict[str, float]]:
    """Points of precision (`y`) against recall (`x`); `order` along the curve."""
    left, stayed = _from_highest(scored)
    return _points(left.cumsum() / left.sum(), left.cumsum() / (left + stayed).cumsum())


def by_integer_score(points: "np.ndarray", scored: Scored) -> list[dict[str, Any]]:
    """Per integer part of the rows' scores of 1 to 10, 10 with 9: customers, and share that left with its interval.

    The scan days of a customer are much alike, so the interval is Wilson's of as many cases as there are customers;
    where weights differ, of Kish's effective number of them.
    """
    import numpy as np

    whole = np.minimum(np.floor(points), 9).astype(int)
    found = []
    for score in np.unique(whole):
        own = whole == score
        weight = scored.weight[own]
        _, customer = np.unique(scored.customer[own], return_inverse=True)
        each = np.bincount(customer, weight)
        churn = float(np.average(scored.churned[own], weights=weight))
        low, high = wilson(churn, float(each.sum() ** 2 / (each**2).sum()), CONFIDENCE)
        found.append({"score": int(score), "customers": len(each), "churn": churn, "low": low, "high": high})
    return found


def _from_highest(scored: Scored) -> "tuple[np.ndarray, np.ndarray]":
    levels, code = _levels(scored.score)
    left, stayed = _sides(code, scored, scored.weight, len(levels))
    return left[::-1], stayed[::-1]


def _points(x: "np.ndarray", y: "np.ndarray") -> list[dict[str, float]]:
    import numpy as np

    shown = np.unique(np.linspace(0, len(x) - 1, 100).astype(int))
    return [{"order": float(n), "x": float(x[n]), "y": float(y[n])} for n in shown]


def _any(values: "np.ndarray") -> bool:
    import numpy as np

    return bool((~np.isnan(values)).any())


def _levels(score: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """The different values of a score in order, and which each row has; many are drawn together at quantiles."""
    import numpy as np

    values, code = np.unique(score, return_inverse=True)
    if len(values) <= STEPS:
        return values, code
    edges = np.unique(np.quantile(score, np.linspace(0, 1, STEPS + 1)[1:-1]))
    code = np.searchsorted(edges, score, side="right")
    counts = np.bincount(code, minlength=len(edges) + 1)
    sums = np.bincount(code, score, len(edges) + 1)
    return sums / np.maximum(counts, 1), code


def _sides(code: "np.ndarray", scored: Scored, weight: "np.ndarray", levels: int) -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    left = np.bincount(code, weight * scored.churned, levels)
    return left, np.bincount(code, weight, levels) - left


def _resampled(scored: Scored, seed: int) -> "list[np.ndarray]":
    """Weights of Poisson bootstraps by customer."""
    import numpy as np

    random = np.random.default_rng(seed)
    _, customer = np.unique(scored.customer, return_inverse=True)
    people = int(customer.max()) + 1
    return [scored.weight * random.poisson(1, people)[customer] for _ in range(RESAMPLES)]


def _measured(levels: "np.ndarray", left: "np.ndarray", stayed: "np.ndarray", calibrated: bool) -> dict[str, float]:
    names = [*RANKING, *(LOSSES if calibrated else ())]
    found = {name: _metric(name, levels, left, stayed) for name in names}
    if calibrated:
        found["intercept"], found["slope"] = _recalibration(levels, left, stayed)
    return found


def _metric(name: str, levels: "np.ndarray", left: "np.ndarray", stayed: "np.ndarray") -> float:
    return RANKING[name](left, stayed) if name in RANKING else LOSSES[name](levels, left, stayed)


def _auc(left: "np.ndarray", stayed: "np.ndarray") -> float:
    below = stayed.cumsum() - stayed
    pairs = left.sum() * stayed.sum()
    return float((left * (below + stayed / 2)).sum() / pairs) if pairs else math.nan


def _average_precision(left: "np.ndarray", stayed: "np.ndarray") -> float:
    import numpy as np

    found, all_ = left[::-1].cumsum(), (left + stayed)[::-1].cumsum()
    precision = np.divide(found, all_, out=np.zeros_like(found), where=all_ > 0)
    return float((precision * left[::-1]).sum() / left.sum()) if left.sum() else math.nan


def _lift(left: "np.ndarray", stayed: "np.ndarray") -> float:
    """Churn of the tenth with the highest scores over that of all; a level that crosses the tenth counts in part."""
    import numpy as np

    rows = (left + stayed)[::-1]
    total = rows.sum()
    taken = np.clip(total / 10 - (rows.cumsum() - rows), 0, rows)
    share = np.divide(left[::-1], rows, out=np.zeros_like(rows), where=rows > 0)
    return float((taken * share).sum() / taken.sum() / (left.sum() / total)) if left.sum() else math.nan


RANKING = {"auc": _auc, "average_precision": _average_precision, "top_decile_lift": _lift}
"""Metrics of the order of scores, from those who left and who stayed at each level."""


def _log_loss(levels: "np.ndarray", left: "np.ndarray", stayed: "np.ndarray") -> float:
    import numpy as np

    losses = left * np.logaddexp(0, -levels) + stayed * np.logaddexp(0, levels)
    return float(losses.sum() / (left.sum() + stayed.sum()))


def _brier(levels: "np.ndarray", left: "np.ndarray", stayed: "np.ndarray") -> float:
    import numpy as np

    probability = 1 / (1 + np.exp(-levels))
    losses = left * (1 - probability) ** 2 + stayed * probability**2
    return float(losses.sum() / (left.sum() + stayed.sum()))


LOSSES = {"log_loss": _log_loss, "brier": _brier}
"""Metrics of probabilities, from their log-odds, and those who left and who stayed at each level."""


def _recalibration(levels: "np.ndarray", left: "np.ndarray", stayed: "np.ndarray") -> tuple[float, float]:
    """Intercept and slope of a logistic regression of the outcome on the log-odds (Cox 1958), by Newton's method."""
    import numpy as np

    rows, line = left + stayed, np.stack([np.ones_like(levels), levels])
    found = np.array([0.0, 1.0])
    for _ in range(25):
        fitted = 1 / (1 + np.exp(-np.clip(found @ line, -30, 30)))
        gradient = line @ (left - rows * fitted)
        curvature = (line * (rows * fitted * (1 - fitted))) @ line.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found = found + np.clip(step, -2, 2)
        if abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def _figure(value: float, drawn: list[float]) -> Figure:
    import numpy as np

    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Figure(value, float(low), float(high))
