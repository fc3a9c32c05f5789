"""Signals: what a scorecard may learn from, each with its family and the direction that its curve must keep."""

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.rules import Family

UNDECLARED = 0
"""Direction of a signal whose meaning nobody can know beforehand: learned on training days only, and then held."""


@dataclass(frozen=True)
class Signal:
    """One signal; `direction` is +1 where more of it means more risk, -1 where less, and `reason` says why."""

    name: str
    family: Family
    direction: int
    reason: str
    value: Callable[[ir.Table], ir.NumericValue]


def _column(name: str) -> Callable[[ir.Table], ir.NumericValue]:
    return lambda table: table[name].cast("float64")


def _ratio(above: str, below: str, scale: float = 1.0) -> Callable[[ir.Table], ir.NumericValue]:
    """Log of the ratio of two counts, each with one more, so that nothing is divided by zero."""
    return lambda table: ((table[above] * scale + 1) / (table[below] + 1)).ln()


def _growth(recent: str, prior: str) -> Callable[[ir.Table], ir.NumericValue]:
    return _ratio(recent, prior, 2.0)


CATALOGUE = (
    Signal("silence", "usage_decline", 1, "silent for long by its own rhythm: likely gone already", _column("silence")),
    Signal("days_since_use", "usage_decline", 1, "the longer unused, the less it is needed", _column("days_since_use")),
    Signal("gaps_since_use", "usage_decline", 1, "silence in typical gaps",
           lambda t: t.days_since_use / t.typical_gap_days.nullif(0)),
    Signal("typical_gap_days", "usage_decline", 1, "who comes rarely has less to hold on to",
           _column("typical_gap_days")),
    Signal("decline_pct", "usage_decline", 1, "use that falls goes on falling", _column("decline_pct")),
    Signal("decline_z", "usage_decline", -1, "a fall beyond chance says more", _column("decline_z")),
    Signal("active_days_7d", "usage_decline", -1, "who was here this week is still here", _column("active_days_7d")),
    Signal("active_days_30d", "usage_decline", -1, "habit", _column("active_days_30d")),
    Signal("active_days_90d", "usage_decline", -1, "habit of a quarter",
           lambda t: (t.active_days_30d + t.active_days_prior_60d).cast("float64")),
    Signal("active_days_180d", "usage_decline", -1, "habit of half a year", _column("active_days_180d")),
    Signal("active_days_365d", "usage_decline", -1, "habit of a year", _column("active_days_365d")),
    Signal("active_growth", "usage_decline", -1, "more active days than before",
           _growth("active_days_30d", "active_days_prior_60d")),
    Signal("user_growth", "usage_decline", -1, "users who stay away are the first sign in a company",
           _growth("user_days_30d", "user_days_prior_60d")),
    Signal("kinds_30d", "usage_decline", -1, "who uses much of the product needs it", _column("kinds_30d")),
    Signal("kinds_growth", "usage_decline", -1, "features given up", _ratio("kinds_30d", "kinds_prior_60d")),
    Signal("year_growth", "usage_decline", -1, "more than in the same weeks of last year",
           _ratio("usage_30d", "usage_year_ago")),
    Signal("tickets_30d", "support_tickets", 1, "trouble now", _column("tickets_30d")),
    Signal("ticket_growth", "support_tickets", 1, "more trouble than before",
           _ratio("tickets_30d", "tickets_prior_monthly")),
    Signal("tickets_open", "support_tickets", 1, "trouble not yet mended", _column("tickets_open")),
    Signal("tickets_urgent_open", "support_tickets", 1, "grave trouble not yet mended", _column("tickets_urgent_open")),
    Signal("tickets_open_days", "support_tickets", 1, "trouble that nobody mends", _column("tickets_open_days")),
    Signal("satisfaction_90d", "support_tickets", -1, "how they say they feel", _column("satisfaction_90d")),
    Signal("overdue_days", "payment_issues", 1, "who will leave stops paying", _column("overdue_days")),
    Signal("overdue_share", "payment_issues", 1, "much owed, in typical invoices",
           lambda t: t.overdue_amount / t.typical_invoice.nullif(0)),
    Signal("failed_payments_90d", "payment_issues", 1, "payments that fail", _column("failed_payments_90d")),
    Signal("engagement_decline_pct", "engagement_drop", 1, "contact that falls", _column("engagement_decline_pct")),
    Signal("engagement_gaps", "engagement_drop", 1, "silence in typical gaps",
           lambda t: t.engagement_days_since / t.engagement_typical_gap_days.nullif(0)),
    Signal("engagement_30d", "engagement_drop", -1, "who answers is there", _column("engagement_30d")),
    Signal("engagement_kinds_growth", "engagement_drop", -1, "kinds of contact given up",
           _ratio("engagement_kinds_30d", "engagement_kinds_prior_60d")),
    Signal("days_to_renewal", "context", -1, "contracts end when they could be renewed", _column("days_to_renewal")),
    Signal("tenure_days", "context", -1, "who stayed for long has reasons to", _column("tenure_days")),
    Signal("mrr", "context", UNDECLARED, "what they pay: large customers are another kind", _column("mrr")),
    Signal("employee_count", "context", UNDECLARED, "size: as above", _column("employee_count")),
    Signal("invoices_known", "context", UNDECLARED, "invoices of a year: how often they are billed, and so can stop",
           _column("invoices_known")),
)  # fmt: skip
"""The signals with a name of their own; kinds of use, plans and segments are added as they are found."""

BY_NAME = {signal.name: signal for signal in CATALOGUE}


def found(prefix: str, level: str) -> Signal:
    """The signal of one kind of use (`rate`, `growth`), or of one `plan` or `segment`."""
    return Signal(f"{prefix}:{level}", *_FOUND[prefix][:2], _FOUND[prefix][2], _FOUND[prefix][3](level))


def named(name: str) -> Signal:
    """The signal of a name."""
    prefix, colon, level = name.partition(":")
    if name in BY_NAME:
        return BY_NAME[name]
    if not colon or prefix not in _FOUND:
        raise ValueError(f"{name!r} is no signal; a scorecard that names it comes from another version of this project")
    return found(prefix, level)


def signal_value(table: ir.Table, name: str) -> ir.NumericValue:
    """A signal's value per row of `risk_factors`, null where it is unknown."""
    return named(name).value(table)


def _rate(kind: str) -> Callable[[ir.Table], ir.NumericValue]:
    def value(table: ir.Table) -> ir.NumericValue:
        known = table.kind_rates_30d.notnull()
        return known.ifelse((table.kind_rates_30d.get(kind, 0.0) + 1 / 30).ln(), ibis.null("float64"))

    return value


def _kind_growth(kind: str) -> Callable[[ir.Table], ir.NumericValue]:
    def value(table: ir.Table) -> ir.NumericValue:
        recent, prior = (table[f"kind_rates_{each}"].get(kind, 0.0) + 1 / 30 for each in ("30d", "prior_60d"))
        return table.kind_rates_30d.notnull().ifelse((recent / prior).ln(), ibis.null("float64"))

    return value


def _level(column: str) -> Callable[[str], Callable[[ir.Table], ir.NumericValue]]:
    return lambda level: lambda table: (table[column] == level).cast("float64")


_FOUND: dict[str, tuple[Family, int, str, Callable[[str], Callable[[ir.Table], ir.NumericValue]]]] = {
    "rate": ("usage_decline", UNDECLARED, "how much of one kind of use", _rate),
    "growth": ("usage_decline", UNDECLARED, "how one kind of use moved", _kind_growth),
    "plan": ("context", UNDECLARED, "what they bought", _level("plan")),
    "segment": ("context", UNDECLARED, "who they are", _level("segment")),
}
