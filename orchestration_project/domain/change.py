"""Change: why a score differs between two scans, split exactly into data, missing-data and configuration parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.factors import MISSING, SIGNALS, with_severities
from orchestration_project.domain.rules import FAMILIES, RiskRules
from orchestration_project.domain.scoring import score

STEPS = ("then", "common_then", "common_now", "now_old_rules", "now")
"""Path from one score to the other; each step changes one thing only.

`then`; only the families present both times; their new values; all families now present; the new rules.
"""


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
    old: RiskRules,
    new: RiskRules,
    connected_then: Sequence[str],
    connected_now: Sequence[str],
) -> dict[str, ir.Table]:
    """Scores of every step, as one-row tables; `then` and `now` are one row each of signals.

    Between the ends of the path a score that only lacks present weight is told all the same.
    """
    columns = ("customer_id", "scan_day", *SIGNALS, *MISSING)
    before = with_severities(then.select(*columns), old.severities)
    after = with_severities(now.select(*columns), old.severities)
    after_new = with_severities(now.select(*columns), new.severities)
    return {
        "then": score(before, old.scoring, connected_then),
        "common_then": score(_restricted(before, after), old.scoring, connected_then, strict=False),
        "common_now": score(_restricted(after, before), old.scoring, connected_then, strict=False),
        "now_old_rules": score(after, old.scoring, connected_then, strict=False),
        "now": score(after_new, new.scoring, connected_now),
    }


def _restricted(table: ir.Table, other: ir.Table) -> ir.Table:
    """The row with only the families that `other` has too, and what follows from them."""
    flags = other.select(**{f"has_{family}": other[family].notnull() for family in FAMILIES})
    both = table.cross_join(flags)
    kept = {family: both[f"has_{family}"].ifelse(both[family], ibis.null("float64")) for family in FAMILIES}
    stopped = ~both.has_usage_decline & (both.exception == "usage_stopped").fill_null(False)
    exception = stopped.ifelse(ibis.null("string"), both.exception)
    return both.mutate(**kept, exception=exception).drop(*(f"has_{family}" for family in FAMILIES))
