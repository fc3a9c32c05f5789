"""Learning: a scorecard from the signals and outcomes of past scan days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration_project.domain.days import EPOCH
from orchestration_project.domain.rules import FAMILIES, LearningRules
from orchestration_project.domain.scorecard import Curve, Scorecard
from orchestration_project.domain.signals import UNDECLARED, named

if TYPE_CHECKING:
    import numpy as np

MONTH_DAYS = 30.44
MOST_STEPS = 64
"""Steps that a curve may have at most, before equal neighbours are joined."""
ROUNDS, RATE, LEAVES, RIDGE, SHARE = 250, 0.05, 4, 1.0, 0.5
"""Boosting: chosen on the early scan days of CDNOW and the Complete Journey, see docs/learning.md."""
SMALLEST_LEAF, LARGEST_LEAF, LEAF_SHARE = 20, 200, 0.002


class LearningError(Exception):
    """Rows that nothing can be learned from; names culprit, cause and fix."""


@dataclass(frozen=True)
class Rows:
    """Past scan days: one row per customer and scan day whose outcome counts.

    `matrix` holds a column per name in `names`, NaN where a signal is unknown; `churned` is 0 or 1; `weight` is
    what a row stands for; `day` is a day number and `customer` a number per customer; `prior` is the prior score,
    NaN where there was none.
    """

    names: tuple[str, ...]
    matrix: "np.ndarray"
    churned: "np.ndarray"
    weight: "np.ndarray"
    day: "np.ndarray"
    customer: "np.ndarray"
    prior: "np.ndarray"

    def __len__(self) -> int:
        return len(self.churned)

    @cached_property
    def days(self) -> list[int]:
        """The scan days, in order."""
        return sorted({int(day) for day in self.day})

    @property
    def churners(self) -> int:
        """Rows that left."""
        return int(self.churned.sum())

    @cached_property
    def binned(self) -> "Binned":
        """The signals in steps."""
        columns = informative(self)
        return Binned(tuple(columns), tuple(_edges(self.matrix[:, n]) for n in columns))

    def where(self, chosen: "np.ndarray") -> "Rows":
        """The rows of a mask."""
        parts = (self.matrix, self.churned, self.weight, self.day, self.customer, self.prior)
        return Rows(self.names, *(part[chosen] for part in parts))

    def between(self, first: int, last: int) -> "Rows":
        """The rows of the scan days from `first` to `last`."""
        return self.where((self.day >= first) & (self.day <= last))


@dataclass(frozen=True)
class Binned:
    """Signals in steps: the positions of those that tell rows apart, and where each one's steps begin."""

    columns: tuple[int, ...]
    edges: "tuple[np.ndarray, ...]"

    def codes(self, matrix: "np.ndarray") -> "np.ndarray":
        """Number of the step of each value, NaN where it is unknown; `matrix` has all signals."""
        import numpy as np

        values = matrix[:, self.columns]
        found = [np.searchsorted(each, values[:, n], side="right") for n, each in enumerate(self.edges)]
        steps = np.stack(found, axis=1).astype(float) if found else np.zeros((len(matrix), 0))
        steps[np.isnan(values)] = np.nan
        return steps


def split(rows: Rows, rules: LearningRules, horizon: int) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to validate with: the latest scan days, and those that had matured before them."""
    days = rows.days[-rules.training_months - rules.validation_months :]
    validation = days[-rules.validation_months :]
    return rows.between(days[0], validation[0] - horizon), rows.between(validation[0], validation[-1])


def aged(rows: Rows, rules: LearningRules) -> "np.ndarray":
    """Weights of rows, halved with every `half_life_months` before the latest."""
    months = (rows.days[-1] - rows.day) / MONTH_DAYS
    return rows.weight * 0.5 ** (months / rules.half_life_months)


def fit(rows: Rows, rules: LearningRules, horizon: int) -> Scorecard:
    """A scorecard of the rows: monotone, additive gradient boosting, tabulated into curves.

    Every tree splits one signal only, so the sum of trees is a sum of curves, exactly. Signals that are unknown
    or the same for everyone get no curve.
    """
    _check(rows)
    weight = aged(rows, rules)
    binned = rows.binned
    names, codes = [rows.names[n] for n in binned.columns], binned.codes(rows.matrix)
    directions = _directions(names, codes, rows.churned, weight)
    model = _boosted(codes, directions, rows.churned, weight)
    intercept, curves = _curves(model, names, binned.edges, directions, codes, weight)
    base = float((weight * rows.churned).sum() / weight.sum())
    return Scorecard(
        trained_on=tuple(_iso(day) for day in rows.days), horizon_days=horizon, base_rate=base, intercept=intercept,
        curves=tuple(curves), weights=_family_weights(curves, rows, weight),
    )  # fmt: skip


def informative(rows: Rows) -> list[int]:
    """Positions of the signals that tell rows apart."""
    import numpy as np

    def tells(values: "np.ndarray") -> bool:
        known = values[~np.isnan(values)]
        return len(known) > 0 and known.min() < known.max()

    return [n for n in range(len(rows.names)) if tells(rows.matrix[:, n])]


def yardstick(rows: Rows, rules: LearningRules) -> Any:
    """Gradient boosting without constraints: what simplicity costs. Returns the log-odds of a matrix of all signals.

    It learns from the steps that the scorecard learns from; finding steps of its own would take longer than learning.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    _check(rows)
    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=100, max_leaf_nodes=15, min_samples_leaf=_smallest_leaf(len(rows)),
        l2_regularization=RIDGE, early_stopping=False, random_state=0,
    )  # fmt: skip
    binned = rows.binned
    model.fit(binned.codes(rows.matrix), rows.churned, sample_weight=aged(rows, rules))
    return lambda matrix: model.decision_function(binned.codes(matrix))


def _check(rows: Rows) -> None:
    import numpy as np

    if len(rows) == 0 or rows.churners in (0, len(rows)):
        which = "nobody left" if rows.churners == 0 else "everybody left"
        raise LearningError(
            f"Nothing can be learned from {len(rows)} outcomes in which {which}; check `churn` in sources.yaml, "
            "or wait until more scan days have matured."
        )
    pairs = np.unique(np.stack([rows.customer, rows.day]), axis=1).shape[1]
    if pairs < len(rows):
        raise LearningError(
            f"{len(rows) - pairs} outcomes are there twice for their customer and scan day; materialize "
            "churn_outcomes of those months again."
        )
    if np.isinf(rows.matrix).any():
        culprit = rows.names[int(np.isinf(rows.matrix).any(axis=0).argmax())]
        raise LearningError(f"Signal {culprit} has an infinite value; materialize risk_factors again.")


def _smallest_leaf(rows: int) -> int:
    return max(SMALLEST_LEAF, min(LARGEST_LEAF, round(rows * LEAF_SHARE)))


def _edges(values: "np.ndarray") -> "np.ndarray":
    """Where a curve may step: between all values where they are few, else at quantiles."""
    import numpy as np

    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) > MOST_STEPS:
        quantiles = np.linspace(0, 1, MOST_STEPS + 1)[1:-1]
        distinct = np.concatenate([distinct[:1], np.unique(np.quantile(known, quantiles, method="inverted_cdf"))])
    return np.unique(distinct)[1:]


def _directions(names: Sequence[str], codes: "np.ndarray", churned: "np.ndarray", weight: "np.ndarray") -> list[int]:
    """Declared directions; where one is to be learned, the sign in a regression on all signals together."""
    declared = [named(name).direction for name in names]
    if UNDECLARED not in declared:
        return declared
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    filled = np.where(np.isnan(codes), np.nanmean(codes, axis=0), codes)
    spread = filled.std(axis=0)
    standard = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1)
    slopes = LogisticRegression(C=0.1, max_iter=200).fit(standard, churned, sample_weight=weight).coef_[0]
    return [each or (1 if slope > 0 else -1) for each, slope in zip(declared, slopes, strict=True)]


def _boosted(codes: "np.ndarray", directions: list[int], churned: "np.ndarray", weight: "np.ndarray") -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    leaf = _smallest_leaf(len(codes))
    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, min_samples_leaf=leaf, l2_regularization=RIDGE,
        max_features=SHARE, monotonic_cst=directions, interaction_cst="no_interactions", early_stopping=False,
        random_state=0,
    )  # fmt: skip
    return model.fit(codes, churned, sample_weight=weight)


def _curves(
    model: Any, names: Sequence[str], edges: "Sequence[np.ndarray]", directions: list[int], codes: "np.ndarray",
    weight: "np.ndarray",
) -> tuple[float, list[Curve]]:  # fmt: skip
    """The model's intercept and curves, centred; each is read off by moving one signal over its steps."""
    import numpy as np

    origin = np.zeros((1, codes.shape[1]))
    start = float(model.decision_function(origin)[0])
    intercept, curves = start, []
    for n, name in enumerate(names):
        moved = np.repeat(origin, len(edges[n]) + 2, axis=0)
        moved[:, n] = [*range(len(edges[n]) + 1), np.nan]
        points = model.decision_function(moved) - start
        unknown = np.isnan(codes[:, n])
        told = points[:-1][codes[~unknown, n].astype(int)]
        known_mean = np.average(told, weights=weight[~unknown]) if len(told) else 0.0
        # Of a signal that nobody lacked, nothing was learned about lacking it: then it says nothing.
        missing = points[-1] if unknown.any() else known_mean
        share = weight[unknown].sum() / weight.sum()
        mean = share * missing + (1 - share) * known_mean
        intercept += float(mean)
        curve = _joined(edges[n], points[:-1] - mean, directions[n])
        if len(curve[1]) > 1 or abs(missing - mean) > 0:
            curves.append(
                Curve(
                    signal=name, family=named(name).family, direction=directions[n], edges=curve[0], points=curve[1],
                    missing=float(missing - mean),
                )
            )  # fmt: skip
    return intercept, curves


def _joined(edges: "np.ndarray", points: "np.ndarray", direction: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The steps of a curve, equal neighbours joined; what rounding turned against the direction is made level."""
    import numpy as np

    level = np.maximum.accumulate(points * direction) * direction
    kept = np.flatnonzero(np.diff(level))
    return tuple(float(edges[n]) for n in kept), (float(level[0]), *(float(level[n + 1]) for n in kept))


def _family_weights(curves: Sequence[Curve], rows: Rows, weight: "np.ndarray") -> dict[str, float]:
    """Normalised mean absolute contributions of the families."""
    import numpy as np

    column = {name: n for n, name in enumerate(rows.names)}
    moved = {}
    for family in FAMILIES:
        parts = [curve.at(rows.matrix[:, column[curve.signal]]) for curve in curves if curve.family == family]
        moved[family] = float(np.average(np.abs(sum(parts)), weights=weight)) if parts else 0.0
    total = sum(moved.values())
    return {family: value / total if total else 1 / len(FAMILIES) for family, value in moved.items()}


def _iso(day: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()
