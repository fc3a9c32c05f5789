"""Change: why a score differs between two scans, split exactly into data, missing-data and configuration parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.factors import FAMILY_SIGNALS, MISSING, SIGNALS, with_severities
from orchestration_project.domain.rules import FAMILIES, RiskRules
from orchestration_project.domain.scorecard import Scorecard
from orchestration_project.domain.scoring import score

STEPS = ("then", "common_then", "common_now", "now_old_rules", "now")
"""Path from one score to the other; each step changes one thing only.

`then`; only the families present both times; their new values; all families now present; the new rules.
"""


@dataclass(frozen=True)
class Configuration:
    """What turned signals into a score: rules, and the scorecard that was in force; None for the prior weights."""

    rules: RiskRules
    scorecard: Scorecard | None = None
    override: float | None = None
    """The score that a person had set in its place."""

    def score(self, signals: ir.Table, connected: Sequence[str], strict: bool) -> ir.Table:
        """Scores of rows with severities."""
        return score(signals, self.rules.scoring, connected, self._overrides(signals), strict, self.scorecard)

    def _overrides(self, signals: ir.Table) -> ir.Table | None:
        if self.override is None:
            return None
        told = {"override_score": ibis.literal(self.override), "override_reason": ibis.null("string")}
        return signals.select("customer_id", "scan_day", **told)


@dataclass(frozen=True)
class Change:
    """A score's change and its three parts, which add up to it exactly."""

    then: float
    now: float
    data: float
    missing: float
    configuration: float

    @property
    def total(self) -> float:
        """The whole change, in points."""
        return self.now - self.then


def split(scores: Mapping[str, float | None]) -> Change | None:
    """The change from the scores of all `STEPS`; None where one of the two days has no score.

    Where no family is present both times, nothing can be compared: the whole of it is missing data.
    """
    then, now, old_rules = scores["then"], scores["now"], scores["now_old_rules"]
    if then is None or now is None or old_rules is None:
        return None
    before, after = scores["common_then"], scores["common_now"]
    data = 0.0 if before is None or after is None else after - before
    return Change(then, now, data=data, missing=old_rules - then - data, configuration=now - old_rules)


def path(
    then: ir.Table,
    now: ir.Table,
    old: Configuration,
    new: Configuration,
    connected_then: Sequence[str],
    connected_now: Sequence[str],
) -> dict[str, ir.Table]:
    """Scores of every step, as one-row tables; `then` and `now` are one row each of signals.

    Between the ends of the path a score that only lacks present weight is told all the same.
    """
    columns = ("customer_id", "scan_day", *SIGNALS, *MISSING)
    before = with_severities(then.select(*columns), old.rules.severities)
    after = with_severities(now.select(*columns), old.rules.severities)
    after_new = with_severities(now.select(*columns), new.rules.severities)
    return {
        "then": old.score(before, connected_then, strict=True),
        "common_then": old.score(_restricted(before, after), connected_then, strict=False),
        "common_now": old.score(_restricted(after, before), connected_then, strict=False),
        "now_old_rules": old.score(after, connected_then, strict=False),
        "now": new.score(after_new, connected_now, strict=True),
    }


def _restricted(table: ir.Table, other: ir.Table) -> ir.Table:
    """The row with only the families that `other` has too, and what follows from them."""
    flags = other.select(**{f"has_{family}": other[family].notnull() for family in FAMILIES})
    both = table.cross_join(flags)
    kept = {
        name: both[f"has_{family}"].ifelse(both[name], ibis.null(both[name].type()))
        for family in FAMILIES
        for name in (family, *FAMILY_SIGNALS[family])
    }
    stopped = ~both.has_usage_decline & (both.exception == "usage_stopped").fill_null(False)
    exception = stopped.ifelse(ibis.null("string"), both.exception)
    return both.mutate(**kept, exception=exception).drop(*(f"has_{family}" for family in FAMILIES))
