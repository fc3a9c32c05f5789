"""Completeness: which profile fields are there, and which are missing for which reason."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.rules import CompletenessRules

PARTS = ("usage", "tickets", "payments", "engagement")
"""Fields that are whole parts of a profile, each with a reason where it is missing."""

TOO_NEW = "too_new"


def with_completeness(profiles: ir.Table, counted: Sequence[str], rules: CompletenessRules) -> ir.Table:
    """Profiles with `missing` (map of field to reason, over the `counted` fields) and `complete`.

    The facts of a customer younger than `new_customer_days` are not expected yet: `<part>_missing` says `too_new`, and
    the profile does not count as incomplete for it.
    """
    new = profiles.scan_day.delta(profiles.signed_up_at.date(), unit="day") < rules.new_customer_days
    own = {
        f"{part}_missing": (new & (profiles[f"{part}_missing"] == "no_rows")).ifelse(
            TOO_NEW, profiles[f"{part}_missing"]
        )
        for part in PARTS
    }
    profiles = profiles.mutate(**own)
    reasons = [_reason(profiles, name) for name in counted]
    pairs = [
        ibis.struct({"field": ibis.literal(name), "reason": reason})
        for name, reason in zip(counted, reasons, strict=True)
    ]
    entries = ibis.array(pairs or [ibis.struct({"field": ibis.null("string"), "reason": ibis.null("string")})])
    absent = entries.filter(lambda entry: entry.reason.notnull() & (entry.reason != TOO_NEW))
    return profiles.mutate(
        missing=ibis.map(absent.map(lambda entry: entry.field), absent.map(lambda entry: entry.reason)),
        complete=absent.length() == 0,
    )


def counted_fields(required: Sequence[str], connected: Sequence[str]) -> tuple[list[str], list[str]]:
    """The required fields that count because their source is connected, and those that don't."""
    return [name for name in required if name in connected], [name for name in required if name not in connected]


def coverage_by_field(profiles: ir.Table, fields: Sequence[str]) -> ir.Table:
    """Share of customers that have each field, and of those that are `complete`; one row, null for nobody."""
    shares = {name: _reason(profiles, name).isnull().mean() for name in fields}
    return profiles.agg(**shares, complete=profiles.complete.mean())


def _reason(profiles: ir.Table, name: str) -> ir.StringValue:
    if name in PARTS:
        return profiles[f"{name}_missing"]
    return profiles[name].isnull().ifelse("empty", ibis.null("string"))
