"""Bandit: which variant of a play a customer gets, with what probability, and what another choice would have earned."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING

from orchestration_project.domain import ranges
from orchestration_project.domain.control import digest_below

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy as np

    from orchestration_project.domain.ranges import Numbers

FLOOR = 0.05
LEVELS = 1000
"""Steps of equal probability, per variant, over which choices are integrated; exact to about one in a million."""
FEWEST = 20
"""Effective rows below which an estimate from other choices can't be trusted."""


@dataclass(frozen=True)
class Variant:
    """A way to carry out a play, and how often it did and did not succeed so far."""

    name: str
    successes: float
    failures: float


@dataclass(frozen=True)
class Estimate:
    """What a policy would have earned per row, with its interval; None where too few rows, or all the same, tell of it.

    `effective` is the number of equally weighted rows that would tell as much (Kish 1965).
    """

    value: float | None
    low: float | None
    high: float | None
    rows: int
    effective: float

    @property
    def enough(self) -> bool:
        """Whether the rows are enough to say anything."""
        return self.value is not None


def chosen(address: "ir.StringValue", salt: str, shares: Mapping[str, float]) -> "ir.StringValue":
    """The variant that each row gets, by `shares` (from `propensities`); the same address always gets the same one.

    `address` is customer, play and episode in one text: whoever repeats it repeats the choice, and every other address
    has luck of its own. On any engine with SHA-256. Raises ValueError without variants.
    """
    import ibis

    if not shares:
        raise ValueError("There is no variant to choose from; declare at least one for the play.")
    digest = (ibis.literal(f"{salt}/variant/") + address).hexdigest("sha256")
    *others, last = zip(shares, accumulate(shares.values()), strict=True)
    # The last share is what remains, for rounded ones may add up to a little less than 1.
    cases = [(digest < digest_below(min(1.0, reached)), name) for name, reached in others]
    return ibis.cases(*cases, else_=last[0]) if cases else ibis.literal(last[0])


def propensities(variants: Sequence[Variant], floor: float = FLOOR) -> dict[str, float]:
    """The probability with which each variant is chosen, by name in order of names; they sum to 1.

    That is the probability that its success rate is the highest, under independent uniform priors, mixed with equal
    shares so that none is below `floor`. Raises ValueError without variants, for equal names, counts that are
    negative or unknown, and a floor that is not above 0 and at most an equal share.
    """
    ordered = sorted(variants, key=lambda variant: variant.name)
    names = [variant.name for variant in ordered]
    if not names:
        raise ValueError("There is no variant to choose from; declare at least one for the play.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"Variant {twice} is there {names.count(twice)} times; add up its counts.")
    most = 1 / len(names)
    rule = f"pass a number above 0 and, with {len(names)} variants, of at most {most:.3g}"
    least = ranges.number("floor", floor, lambda x: (x > 0) & (x <= most), rule)
    best = _best(tuple((_times(each.name, each.successes), _times(each.name, each.failures)) for each in ordered))
    return {name: least + (1 - least * len(names)) * share for name, share in zip(names, best, strict=True)}


def inverse_propensity(
    reward: "Numbers", propensity: "Numbers", target: "Numbers", confidence: float = 0.95
) -> Estimate:
    """What a policy would have earned, unbiased, from what another one chose (Horvitz and Thompson 1952).

    Per row: `reward` of the variant that was chosen, the `propensity` with which it was, and the probability with
    which the `target` policy chooses it. Normal interval. Raises ValueError for unknown numbers, propensities that are
    not above 0 and up to 1, and lengths that differ.
    """
    earned, weight = _logged(reward, propensity, target)
    return _estimate(weight * earned, weight, confidence)


def self_normalised(reward: "Numbers", propensity: "Numbers", target: "Numbers", confidence: float = 0.95) -> Estimate:
    """Like `inverse_propensity`, divided by the mean weight (Swaminathan and Joachims 2015).

    Always within the range of the rewards and steadier, with a bias that fades as rows grow; interval by the delta
    method.
    """
    earned, weight = _logged(reward, propensity, target)
    if not weight.any():
        return _estimate(weight, weight, confidence)
    value = (weight * earned).sum() / weight.sum()
    return _estimate(value + weight * (earned - value) / weight.mean(), weight, confidence)


def doubly_robust(
    reward: "Numbers",
    propensity: "Numbers",
    target: "Numbers",
    predicted: "Numbers",
    predicted_target: "Numbers",
    confidence: float = 0.95,
) -> Estimate:
    """Like `inverse_propensity`, of what a model of rewards left over (Dudik, Langford and Li 2011).

    Per row the model says what the chosen variant earns (`predicted`), and what the target policy earns on average
    over its choices (`predicted_target`). Right if either the propensities or the model are; the better the model,
    the narrower the interval.
    """
    import numpy as np

    earned, weight = _logged(reward, propensity, target)
    rule = "let the model predict every row"
    chosen = ranges.accepted("predicted", predicted, np.isfinite, rule)
    policy = ranges.accepted("predicted_target", predicted_target, np.isfinite, rule)
    ranges.same_length(reward=earned, predicted=chosen, predicted_target=policy)
    return _estimate(policy + weight * (earned - chosen), weight, confidence)


def _times(name: str, value: float) -> float:
    import numpy as np

    return ranges.number(f"A count of variant {name}", value, lambda x: (x >= 0) & np.isfinite(x), "count it again")


@lru_cache(maxsize=256)
def _best(counts: tuple[tuple[float, float], ...]) -> tuple[float, ...]:
    """Probability of each rate to be the highest: the integral of its density times the others' distributions.

    Between points at equal steps of every posterior no distribution rises by more than a step, however narrow it is.
    """
    import numpy as np
    from scipy.special import betainc, betaincinv

    steps = np.arange(1, LEVELS) / LEVELS
    posteriors = [(1 + successes, 1 + failures) for successes, failures in counts]
    points = np.unique(np.concatenate([[0.0, 1.0], *(betaincinv(*each, steps) for each in posteriors)]))
    below = np.stack([betainc(*each, points) for each in posteriors])
    shares = []
    for n, own in enumerate(below):
        others = np.delete(below, n, axis=0).prod(axis=0)
        shares.append(float((np.diff(own) * (others[1:] + others[:-1]) / 2).sum()))
    return tuple(share / sum(shares) for share in shares)


def _logged(reward: "Numbers", propensity: "Numbers", target: "Numbers") -> "tuple[np.ndarray, np.ndarray]":
    """Rewards, and by how much more or less often than the logged policy the target chooses the same."""
    import numpy as np

    earned = ranges.accepted("reward", reward, np.isfinite, "leave out rows whose outcome has not matured")
    rule = "log the probability, above 0 and up to 1, with which the variant was chosen"
    chance = ranges.accepted("propensity", propensity, lambda x: (x > 0) & (x <= 1), rule)
    rule = "pass the probability, from 0 to 1, with which the policy chooses the variant that was chosen"
    wanted = ranges.accepted("target", target, lambda x: (x >= 0) & (x <= 1), rule)
    ranges.same_length(reward=earned, propensity=chance, target=wanted)
    return earned, wanted / chance


def _estimate(parts: "np.ndarray", weight: "np.ndarray", confidence: float) -> Estimate:
    """Mean of the rows' parts, with a normal interval; parts that are all the same tell nothing of the error."""
    z = NormalDist().inv_cdf(0.5 + ranges.between("confidence", confidence) / 2)
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0
    if effective < FEWEST or math.isclose(parts.min(), parts.max()):
        return Estimate(None, None, None, weight.size, effective)
    value, reach = float(parts.mean()), z * float(parts.std(ddof=1)) / math.sqrt(parts.size)
    return Estimate(value, value - reach, value + reach, weight.size, effective)
