"""Segments: how far those with enough outcomes of their own depart from the common scorecard, drawn towards it."""

from typing import TYPE_CHECKING

from orchestration_project.domain.learning import Rows, aged
from orchestration_project.domain.rules import FAMILIES, LearningRules
from orchestration_project.domain.scorecard import SEGMENT, Departure, Scorecard

if TYPE_CHECKING:
    import numpy as np

SPREAD = 0.3
"""Standard deviation of departures that is expected before any outcome is seen: of the level in log-odds, and of the
factor by which a family counts."""


def with_departures(card: Scorecard, rows: Rows, rules: LearningRules) -> Scorecard:
    """The scorecard with a departure for each segment that has `min_churners` of its own among the rows."""
    import numpy as np

    columns = {name: n for n, name in enumerate(rows.names)}
    parts = card.family_log_odds(rows.matrix, rows.names)
    points, weight = np.stack([parts[family] for family in FAMILIES], axis=1), aged(rows, rules)
    found = []
    for name, column in columns.items():
        own = rows.matrix[:, column] == 1
        if not name.startswith(SEGMENT) or rows.churned[own].sum() < rules.min_churners:
            continue
        shift, *more = _posterior_mode(points[own], card.intercept, rows.churned[own], weight[own])
        factors = {family: 1 + each for family, each in zip(FAMILIES, more, strict=True)}
        found.append(Departure(segment=name.removeprefix(SEGMENT), shift=shift, factors=factors))
    return card.model_copy(update={"departures": tuple(found)})


def _posterior_mode(points: "np.ndarray", intercept: float, churned: "np.ndarray", weight: "np.ndarray") -> list[float]:
    """Shift, and what each family's factor exceeds 1 by, that are likeliest under the normal prior of `SPREAD`.

    No factor is negative, so that curves keep their directions.
    """
    import numpy as np
    from scipy.optimize import minimize

    common = intercept + points.sum(axis=1)
    design = np.column_stack([np.ones(len(points)), points])

    def loss(departure: "np.ndarray") -> "tuple[float, np.ndarray]":
        odds = common + design @ departure
        told = weight * (np.logaddexp(0, odds) - churned * odds)
        slope = design.T @ (weight * (1 / (1 + np.exp(-odds)) - churned)) + departure / SPREAD**2
        return float(told.sum() + (departure**2).sum() / (2 * SPREAD**2)), slope

    bounds = [(None, None), *[(-1, None)] * points.shape[1]]
    return [float(each) for each in minimize(loss, np.zeros(design.shape[1]), jac=True, bounds=bounds).x]
