"""Scorecards: learned, additive scores as plain values, evaluated as expressions on any engine."""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from orchestration_project.domain.rules import FAMILIES, Family, Rules

if TYPE_CHECKING:
    import ibis.expr.types as ir

PREFIX = "learned-"
"""How the versions of scorecards begin."""
SEGMENT = "segment:"
"""How the signals begin that tell who is in a segment."""


class Curve(Rules):
    """What one signal adds to the log-odds of churn: constant between `edges`, and `missing` where it is unknown.

    A value belongs to the step whose left edge is the last that does not exceed it. Points are centred: their mean
    over the training rows is 0.
    """

    signal: str
    family: Family
    direction: Literal[-1, 1]
    edges: tuple[float, ...]
    points: tuple[float, ...]
    missing: float

    @model_validator(mode="after")
    def _steps_in_order(self) -> "Curve":
        numbers = (*self.edges, *self.points, self.missing)
        if not all(math.isfinite(each) for each in numbers):
            raise ValueError(f"the curve of {self.signal} has a number that is not finite")
        if len(self.points) != len(self.edges) + 1 or any(
            low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)
        ):
            raise ValueError(f"the curve of {self.signal} needs rising edges and one point more than edges")
        steps = zip(self.points, self.points[1:], strict=False)
        if any((high - low) * self.direction < 0 for low, high in steps):
            raise ValueError(f"the curve of {self.signal} turns against its direction, {self.direction:+d}")
        return self

    @property
    def reach(self) -> float:
        """Log-odds between the step that adds least and the one that adds most."""
        return max(self.points) - min(self.points)

    def of(self, value: "ir.NumericValue") -> "ir.FloatingValue":
        """The points of a signal's value, as an expression."""
        import ibis

        steps = [(value < edge, points) for edge, points in zip(self.edges, self.points, strict=False)]
        return ibis.cases((value.isnull(), self.missing), *steps, else_=self.points[-1]).cast("float64")

    def at(self, values: Any) -> Any:
        """The points of an array of values; NaN is unknown."""
        import numpy as np

        points = np.asarray(self.points)[np.searchsorted(self.edges, values, side="right")]
        return np.where(np.isnan(values), self.missing, points)


class Departure(Rules):
    """How one segment departs from the common curves: in its level, and in how much each family counts."""

    segment: str
    shift: float = Field(allow_inf_nan=False, description="Log-odds added.")
    factors: dict[Family, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        description="What the points of a family are multiplied by."
    )


class Scorecard(Rules):
    """A learned score: log-odds of churn within the horizon, as a sum of curves."""

    trained_on: tuple[str, ...] = Field(description="Scan days learned from.")
    horizon_days: int = Field(description="Days within which leaving was learned.")
    base_rate: float = Field(gt=0, lt=1, description="Share that left, of the rows learned from.")
    intercept: float = Field(description="Log-odds where every curve adds nothing.")
    curves: tuple[Curve, ...]
    weights: dict[Family, float] = Field(description="Share of each family in what moves the score.")
    departures: tuple[Departure, ...] = Field((), description="Segments that have curves of their own.")

    @property
    def version(self) -> str:
        """Name by content: equal scorecards have equal names, and a changed one has another."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"{PREFIX}{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def base_odds(self) -> float:
        """Odds of churn that every score is relative to."""
        return self.base_rate / (1 - self.base_rate)

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals, in the order of the curves."""
        return tuple(curve.signal for curve in self.curves)

    @property
    def strongest(self) -> tuple[Curve, ...]:
        """The curves, those with the longest reach first."""
        return tuple(sorted(self.curves, key=lambda curve: -curve.reach))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all signals that `log_odds` needs: those of the curves, and those that tell segments apart."""
        segments = (f"{SEGMENT}{each.segment}" for each in self.departures)
        return tuple(dict.fromkeys((*self.signals, *segments)))

    def of(self, family: str) -> float:
        """Weight of one family."""
        return self.weights.get(family, 0.0)  # type: ignore[call-overload]

    def family_points(self, table: "ir.Table") -> "dict[str, ir.FloatingValue]":
        """Log-odds that each family adds to the `level`, per row of `risk_factors`."""
        points = self.signal_points(table)
        return {
            family: _total([points[curve.signal] for curve in self.curves if curve.family == family])
            for family in FAMILIES
        }

    def signal_points(self, table: "ir.Table") -> "dict[str, ir.FloatingValue]":
        """Log-odds that each signal adds, per row of `risk_factors`."""
        from orchestration_project.domain.signals import signal_value

        points = {curve.signal: curve.of(signal_value(table, curve.signal)) for curve in self.curves}
        if not self.departures:
            return points
        factors = {
            family: self._own(table, 1.0, {each.segment: each.factors[family] for each in self.departures})
            for family in FAMILIES
        }
        return {curve.signal: points[curve.signal] * factors[curve.family] for curve in self.curves}

    def level(self, table: "ir.Table") -> "ir.FloatingValue":
        """Log-odds where every curve adds nothing, per row of `risk_factors`."""
        shifts = {each.segment: self.intercept + each.shift for each in self.departures}
        return self._own(table, self.intercept, shifts)

    def family_log_odds(self, matrix: Any, names: Sequence[str]) -> dict[Family, Any]:
        """Log-odds that each family adds to the level, of the rows of an array whose columns are signals `names`."""
        import numpy as np

        column = {name: n for n, name in enumerate(names)}
        totals: dict[Family, Any] = {family: np.zeros(len(matrix)) for family in FAMILIES}
        for curve in self.curves:
            totals[curve.family] = totals[curve.family] + curve.at(matrix[:, column[curve.signal]])
        for each in self.departures:
            own = matrix[:, column[f"{SEGMENT}{each.segment}"]] == 1
            totals = {family: np.where(own, points * each.factors[family], points) for family, points in totals.items()}
        return totals

    def log_odds(self, matrix: Any, names: Sequence[str]) -> Any:
        """Log-odds of the rows of an array whose columns are the signals `names`."""
        import numpy as np

        total = sum(self.family_log_odds(matrix, names).values(), np.full(len(matrix), self.intercept))
        for each in self.departures:
            total = total + each.shift * (matrix[:, list(names).index(f"{SEGMENT}{each.segment}")] == 1)
        return total

    def _own(self, table: "ir.Table", common: float, own: dict[str, float]) -> "ir.FloatingValue":
        """A number per row: its segment's own, else the common one."""
        import ibis

        cases = [(table.segment == segment, value) for segment, value in own.items()]
        return ibis.cases(*cases, else_=common).cast("float64") if cases else ibis.literal(common)


def _total(values: "Sequence[ir.FloatingValue]") -> "ir.FloatingValue":
    import ibis

    total: ir.FloatingValue = ibis.literal(0.0)
    for value in values:
        total = total + value
    return total
