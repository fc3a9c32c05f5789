"""Impact: whether what was done helped, by comparing those who were to be treated with those who were held back.

Intention to treat: a customer counts in the arm of the first assignment, whatever then became of the message. What
comes after an assignment, such as approval or an answer, may be a sign of the customer and never divides the groups.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from orchestration_project.domain.effects import Group, Lift, SampleRatio, lift, power, sample_ratio
from orchestration_project.domain.rules import ImpactRules

Arm = Literal["treated", "control"]
Verdict = Literal["helps", "harms", "no effect shown", "not enough data", "assignment broken"]
POWER = 0.8
MOST = 10_000_000
"""Customers above which it is not told how many would be enough."""


@dataclass(frozen=True)
class Assigned:
    """A customer who was assigned to a play, and what became of it."""

    customer_id: str
    play: str
    arm: Arm
    scan_day: date
    propensity: float
    """Probability with which the customer was to be treated and not held back."""
    mrr: float | None = None
    """Monthly revenue on the scan day."""
    matured_on: date | None = None
    """Last day of the horizon."""
    churned: bool | None = None
    """Whether the customer left within the horizon; None where that does not count."""
    delivered_at: datetime | None = None
    """When the first message was sent or, without one, a task opened."""
    hours: float | None = None
    """From the cut-off of the scan day to then."""


@dataclass(frozen=True)
class Revenue:
    """Monthly revenue kept by treatment: the lift, with its interval, of what the treated paid when assigned.

    None where the lift is not known, or nobody's revenue is. Treated customers of `unknown` revenue are left out.
    """

    saved: float | None
    low: float | None
    high: float | None
    known: int
    unknown: int


@dataclass(frozen=True)
class Effect:
    """What treatment changed, for one play or for all, and what may be said of it."""

    verdict: Verdict
    lift: Lift
    ratio: SampleRatio | None
    """None where nobody was assigned, or nobody was to be held back."""
    revenue: Revenue
    waiting: int
    """Assigned customers whose horizon is not over."""
    uncounted: int
    """Assigned customers whose outcome does not count."""
    needed: int | None
    """Customers with known outcomes, of both groups together, that would be enough to say that there is no effect."""


def verdict(found: Lift, early: Lift, ratio: SampleRatio | None, least_of_interest: float) -> Verdict:
    """What may be said of a lift, with its interval and the much wider one that counts `early`.

    - `assignment broken`: the groups do not have the sizes that were declared, so that no lift means anything;
    - `helps`, `harms`: the interval lies above, or below, zero. While groups are too small to show, with 80 % power,
      that `least_of_interest` of all leaves were averted, it is the wider one: who looks every day would else see an
      effect by chance sooner or later (as O'Brien and Fleming 1979);
    - `no effect shown`: it holds zero, and the groups are large enough;
    - `not enough data`: everything else. Absence of evidence is not taken for evidence of absence.
    """
    if ratio is not None and ratio.mismatch:
        return "assignment broken"
    if found.detectable is None:
        return "not enough data"
    enough = found.detectable <= least_of_interest * everyone(found).churn
    decisive = found if enough else early
    if decisive.low is not None and decisive.significant:
        return "helps" if decisive.low > 0 else "harms"
    return "no effect shown" if enough else "not enough data"


def everyone(found: Lift) -> Group:
    """Both groups together."""
    groups = (found.treated, found.control)
    return Group(sum(each.customers for each in groups), sum(each.churners for each in groups))


def first_of_each(assigned: Iterable[Assigned]) -> list[Assigned]:
    """The first assignment of each customer: only that one was made before anything was done."""
    found: dict[str, Assigned] = {}
    for row in sorted(assigned, key=lambda each: (each.scan_day, each.play)):
        found.setdefault(row.customer_id, row)
    return list(found.values())


def by_play(first: Iterable[Assigned]) -> dict[str, list[Assigned]]:
    """First assignments by their play. Later ones are left out: who comes to them, earlier plays have decided."""
    found: dict[str, list[Assigned]] = {}
    for row in sorted(first, key=lambda each: each.play):
        found.setdefault(row.play, []).append(row)
    return found


def effect(first: Sequence[Assigned], rules: ImpactRules) -> Effect:
    """What treatment changed for customers, told of first assignments."""
    found, ratio = _lift(first), _ratio(first)
    told = verdict(found, _lift(first, rules.early_confidence), ratio, rules.least_of_interest)
    return Effect(
        verdict=told,
        lift=found,
        ratio=ratio,
        revenue=_revenue(first, found if told != "assignment broken" else None),
        waiting=sum(row.matured_on is None for row in first),
        uncounted=sum(row.matured_on is not None and row.churned is None for row in first),
        needed=_needed(everyone(found), ratio, rules.least_of_interest),
    )


def plays_to_switch_off(plays: Mapping[str, Sequence[Assigned]], rules: ImpactRules) -> dict[str, str]:
    """Plays that harm, with the reason in one sentence, from first assignments by play.

    A play is switched off where each group has `fewest_to_switch_off` known outcomes, the assignment holds, and the
    interval of `switch_off_confidence`, wider than that of the verdict because it is looked at every day, is below 0.
    """
    found: dict[str, str] = {}
    for play, rows in plays.items():
        told, ratio = _lift(rows, rules.switch_off_confidence), _ratio(rows)
        fewest = min(told.treated.customers, told.control.customers)
        if fewest < rules.fewest_to_switch_off or (ratio is not None and ratio.mismatch):
            continue
        if told.high is not None and told.high < 0:
            found[play] = (
                f"of {told.treated.customers} treated customers {told.treated.churn:.1%} left, of "
                f"{told.control.customers} held back {told.control.churn:.1%}: with {rules.switch_off_confidence:.0%} "
                "confidence it harms."
            )
    return found


def _outcomes(rows: Iterable[Assigned], arm: Arm) -> list[float]:
    return [float(row.churned) for row in rows if row.arm == arm and row.churned is not None]


def _lift(rows: Sequence[Assigned], confidence: float = 0.95) -> Lift:
    return lift(_outcomes(rows, "treated"), _outcomes(rows, "control"), confidence)


def _ratio(rows: Sequence[Assigned]) -> SampleRatio | None:
    """Of everybody assigned, whatever is known of them, against what was declared when they were."""
    if not rows:
        return None
    share = 1 - math.fsum(row.propensity for row in rows) / len(rows)
    control = sum(row.arm == "control" for row in rows)
    return sample_ratio(len(rows) - control, control, share) if 0 < share < 1 else None


def _revenue(rows: Sequence[Assigned], found: Lift | None) -> Revenue:
    treated = [row.mrr for row in rows if row.arm == "treated" and row.churned is not None]
    known = [mrr for mrr in treated if mrr is not None]
    counts = {"known": len(known), "unknown": len(treated) - len(known)}
    if found is None or found.difference is None or found.low is None or found.high is None or not known:
        return Revenue(None, None, None, **counts)
    of = sum(known)
    return Revenue(found.difference * of, found.low * of, found.high * of, **counts)


def _needed(everyone: Group, ratio: SampleRatio | None, least: float) -> int | None:
    """The fewest customers of both groups that show, with `POWER`, that a share of all leaves was averted."""
    if ratio is None or not everyone.churners:
        return None

    def enough(customers: int) -> bool:
        control = round(customers * ratio.expected_share)
        return power(customers - control, control, everyone.churn, least * everyone.churn) >= POWER

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
