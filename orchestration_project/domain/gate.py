"""Gate: what a candidate must show on days that it did not learn from before it may score anybody."""

from typing import TYPE_CHECKING

from orchestration_project.domain.champions import Check
from orchestration_project.domain.rules import LearningRules
from orchestration_project.domain.validation import Figure, Scored, population_stability, share_above_zero

if TYPE_CHECKING:
    import numpy as np

SHIFT = 0.25
"""Population stability index that is commonly called a shift (Siddiqi 2006)."""


def enough(training_churners: int, validation_churners: int, rules: LearningRules) -> Check:
    """Whether enough customers left to learn from, and to validate with."""
    missing = max(0, rules.min_churners - training_churners)
    lacking = max(0, rules.min_validation_churners - validation_churners)
    told = (
        f"{training_churners} churners to learn from, {missing} fewer than needed; "
        f"{validation_churners} to validate with, {lacking} fewer than needed"
    )
    return Check(name="enough_outcomes", passed=not missing and not lacking, told=told)


def gate(
    candidate: Scored, champion: Scored, slope: Figure, learned: "np.ndarray", rules: LearningRules
) -> tuple[Check, ...]:
    """All conditions, on the validation days.

    `learned` are the candidate's scores of the rows it learned from. Against weights that know no probability, ranking
    decides; else log loss. No champion has ever learned from days as late as these: what is promoted is the very
    scorecard that was validated, not a refit.
    """
    return _better(candidate, champion, rules), _calibrated(slope, rules), _stable(learned, candidate.score)


def _better(candidate: Scored, champion: Scored, rules: LearningRules) -> Check:
    metric = "log_loss" if champion.calibrated else "auc"
    share = share_above_zero(candidate, champion, metric)
    sure = 1 - share if metric == "log_loss" else share
    told = f"better in {metric} in {sure:.1%} of resamples, needed {1 - rules.gate_rate:.1%}"
    return Check(name="better", passed=sure >= 1 - rules.gate_rate, told=told)


def _calibrated(slope: Figure, rules: LearningRules) -> Check:
    low, high = rules.slope_within
    told = f"calibration slope {slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f}), needed {low:g} to {high:g}"
    return Check(name="calibrated", passed=slope.low <= high and slope.high >= low, told=told)


def _stable(learned: "np.ndarray", validated: "np.ndarray") -> Check:
    index, by_chance = population_stability(learned, validated)
    limit = max(SHIFT, by_chance)
    told = f"scores shifted by {index:.3f} between learning and validation (PSI), allowed {limit:.3f}"
    return Check(name="stable", passed=index <= limit, told=told)
