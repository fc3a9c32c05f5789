"""Discontinuity: the jump of churn at a band edge, where customers who hardly differ are treated differently."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from orchestration_project.domain import ranges
from orchestration_project.domain.effects import Difference

if TYPE_CHECKING:
    import numpy as np

    from orchestration_project.domain.ranges import Numbers

CONFIDENCE = 0.95
FEWEST = 30
FEWEST_OF_EACH = 5
"""Rows on a side of the edge, and leavers and stayers among them, below which no line is trusted."""
MOST_LEVERAGE = 0.5
"""Influence of a row on its own fitted value above which the line rests on that row."""


@dataclass(frozen=True)
class Jump(Difference):
    """Churn just above an edge minus churn just below. `below` and `above` are the rows within the bandwidth."""

    below: int
    above: int


def discontinuity(score: "Numbers", outcome: "Numbers", edge: float, bandwidth: float) -> Jump:
    """Sharp regression discontinuity at `edge`, with a 95 % interval, from a score and an outcome per customer.

    Outcomes are 1 who left, 0 who stayed. A line is fitted on each side with a triangular kernel over `bandwidth`
    points (Imbens and Lemieux 2008) and HC3 errors (MacKinnon and White 1985); a bend within the bandwidth is taken
    for a part of the jump. Rows are to be independent, so one per customer; leave out those whose score was set and
    not computed (override, exception's floor), for they pile up on an edge. Raises ValueError for unknown scores,
    other outcomes and a bandwidth that is not positive.
    """
    import numpy as np

    rule = "pass a positive number of points"
    width = ranges.number("bandwidth", bandwidth, lambda x: (x > 0) & np.isfinite(x), rule)
    middle = ranges.number("edge", edge, np.isfinite, "pass the score at which a band begins")
    scores = ranges.accepted("score", score, np.isfinite, "leave out rows without a score")
    left = ranges.outcomes("outcome", outcome)
    ranges.same_length(score=scores, outcome=left)
    distance = (scores - middle) / width
    is_below, is_above = (distance > -1) & (distance < 0), (distance >= 0) & (distance < 1)
    rows = int(is_below.sum()), int(is_above.sum())
    below, above = (_end_of_line(distance[side], left[side]) for side in (is_below, is_above))
    if below is None or above is None:
        return Jump(None, None, None, *rows)
    difference = above[0] - below[0]
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * math.sqrt(above[1] + below[1])
    return Jump(difference, difference - reach, difference + reach, *rows)


def _end_of_line(distance: "np.ndarray", left: "np.ndarray") -> tuple[float, float] | None:
    """Value at the edge, and its HC3 variance, of a line through rows weighted by nearness; None if not to be trusted.

    Without leavers and stayers there is no residual, and the variance would be a false nothing.
    """
    import numpy as np

    churners = int(left.sum())
    if len(left) < FEWEST or min(churners, len(left) - churners) < FEWEST_OF_EACH:
        return None
    line = np.stack([np.ones_like(distance), distance], axis=1)
    weighted = line * (1 - np.abs(distance))[:, None]
    if np.linalg.cond(line.T @ weighted) > 1e9:
        return None
    solved = weighted @ np.linalg.inv(line.T @ weighted)
    fitted, leverage = left @ solved, (solved * line).sum(axis=1)
    if leverage.max() > MOST_LEVERAGE:
        return None
    errors = (left - line @ fitted) / (1 - leverage)
    return float(fitted[0]), float(((solved[:, 0] * errors) ** 2).sum())
