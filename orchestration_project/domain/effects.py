"""Effects: what treatment changed against a control group, and how small a change could have been seen."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from orchestration_project.domain import ranges
from orchestration_project.domain.proportions import wilson

if TYPE_CHECKING:
    from orchestration_project.domain.ranges import Numbers

POWER = 0.8
ALPHA = 0.05
FEWEST = 20
"""Customers per group below which intervals of proportions can't be trusted."""
MISMATCH = 0.001
"""Probability below which a split is no accident (Fabijan et al. 2019)."""


@dataclass(frozen=True)
class Difference:
    """A difference with its interval; all three are None where the data are not enough."""

    difference: float | None
    low: float | None
    high: float | None

    @property
    def enough(self) -> bool:
        """Whether the data are enough to say anything."""
        return self.difference is not None

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Group:
    """Customers whose outcome is known, and how many of them left."""

    customers: int
    churners: int

    @property
    def churn(self) -> float:
        """Share that left; NaN for nobody."""
        return self.churners / self.customers if self.customers else math.nan


@dataclass(frozen=True)
class Lift(Difference):
    """Retention of the treated minus that of the control group, as a fraction.

    `relative` is the share of leaves that treatment averted; None where the data are not enough or nobody of the
    control group left. `detectable` is the smallest rise of retention that groups of this size show with 80 % power;
    None where they show none.
    """

    treated: Group
    control: Group
    relative: float | None
    detectable: float | None


@dataclass(frozen=True)
class SampleRatio:
    """Whether the groups have the sizes that the assignment gives them; a mismatch makes any lift worthless."""

    treated: int
    control: int
    expected_share: float
    p_value: float

    @property
    def mismatch(self) -> bool:
        """Whether the split is no accident."""
        return self.p_value < MISMATCH


def lift(treated_outcomes: "Numbers", control_outcomes: "Numbers", confidence: float = 0.95) -> Lift:
    """The effect of treatment on retention, from one outcome per customer: 1 who left, 0 who stayed.

    The interval is the hybrid score interval of Newcombe (1998, method 10), from Wilson's for each group. Not enough
    are groups under `FEWEST`, or so small that they would not even show that leaves as frequent as in both together
    had ceased. Raises ValueError for other outcomes, such as those that have not matured.
    """
    confidence = ranges.between("confidence", confidence)
    treated, control = _group("treated_outcomes", treated_outcomes), _group("control_outcomes", control_outcomes)
    sizes = treated.customers, control.customers
    # Of both together: the churn of one group would let its luck decide whether, and so which, effects are told.
    everyone = Group(sum(sizes), treated.churners + control.churners)
    detectable = smallest_detectable(*sizes, everyone.churn) if min(sizes) >= FEWEST else None
    if detectable is None:
        return Lift(None, None, None, treated, control, relative=None, detectable=None)
    difference = control.churn - treated.churn
    treated_low, treated_high = wilson(treated.churn, treated.customers, confidence)
    control_low, control_high = wilson(control.churn, control.customers, confidence)
    below = math.hypot(control.churn - control_low, treated_high - treated.churn)
    above = math.hypot(control_high - control.churn, treated.churn - treated_low)
    return Lift(
        difference,
        max(-1.0, difference - below),
        min(1.0, difference + above),
        treated,
        control,
        relative=difference / control.churn if control.churners else None,
        detectable=detectable,
    )


def sample_ratio(treated: int, control: int, expected_share: float) -> SampleRatio:
    """Exact binomial test of the sizes of both groups against the share that was to be in the control group.

    The p-value is twice the smaller tail, at most 1. Raises ValueError for a share that is not between 0 and 1, and for
    sizes that are no counts.
    """
    from scipy.special import bdtr, bdtrc

    expected = ranges.between("expected_share", expected_share)
    treated, control = ranges.count("treated", treated), ranges.count("control", control)
    everybody = treated + control
    tails = bdtr(control, everybody, expected), bdtrc(control - 1, everybody, expected)
    return SampleRatio(treated, control, expected, min(1.0, 2 * float(min(tails))))


def power(n_treated: int, n_control: int, base_rate: float, effect: float, alpha: float = ALPHA) -> float:
    """Probability that a two-sided test at `alpha` finds a rise of retention by `effect`, a fraction of customers.

    `base_rate` is the churn of the untreated. Normal approximation, with the variance pooled under no effect (Fleiss,
    Levin and Paik 2003, section 4.2, without correction); 0 where a group is empty. Raises ValueError for rates out
    of range, and for an effect that no churn from 0 to 1 can show.
    """
    n_treated, n_control = ranges.count("n_treated", n_treated), ranges.count("n_control", n_control)
    alpha, base = ranges.between("alpha", alpha), ranges.share("base_rate", base_rate)
    rule = f"pass one that leaves the treated a churn ({base:g} - effect) from 0 to 1"
    effect = ranges.number("effect", effect, lambda x: (x <= base) & (x >= base - 1), rule)
    return _power(n_treated, n_control, base, effect, alpha) if n_treated and n_control else 0.0


def smallest_detectable(
    n_treated: int, n_control: int, base_rate: float, power: float = POWER, alpha: float = ALPHA
) -> float | None:
    """The smallest rise of retention, a fraction of customers, that is found with that `power`.

    None where groups of this size would not even show that all churn had ceased. Raises ValueError as `power` does.
    """
    from scipy.optimize import brentq

    n_treated, n_control = ranges.count("n_treated", n_treated), ranges.count("n_control", n_control)
    alpha, base = ranges.between("alpha", alpha), ranges.share("base_rate", base_rate)
    wanted = ranges.between("power", power, alpha)

    def surplus(effect: float) -> float:
        return _power(n_treated, n_control, base, effect, alpha) - wanted

    if not (n_treated and n_control and base) or surplus(base) < 0:
        return None
    return float(brentq(surplus, 0, base))


def _group(name: str, values: "Numbers") -> Group:
    left = ranges.outcomes(name, values)
    return Group(left.size, int(left.sum()))


def _power(n_treated: int, n_control: int, base: float, effect: float, alpha: float) -> float:
    churn = base - effect
    pooled = (n_treated * churn + n_control * base) / (n_treated + n_control)
    critical = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt(pooled * (1 - pooled) * (1 / n_treated + 1 / n_control))
    spread = math.sqrt(churn * (1 - churn) / n_treated + base * (1 - base) / n_control)
    if not spread:
        return float(abs(effect) > critical)
    found = NormalDist(effect, spread)
    return found.cdf(-critical) + 1 - found.cdf(critical)
