"""Factors: from facts to signals, and from signals to severities in [0, 1] per factor family."""

import ibis
import ibis.expr.types as ir

from orchestration_project.domain.rules import FAMILIES, SeverityRules

INSUFFICIENT_HISTORY = "insufficient_history"
RENEWAL_DAYS = 90

FAMILY_SIGNALS = {
    "usage_decline": (
        "decline_pct", "decline_z", "days_since_use", "typical_gap_days", "active_days_7d", "active_days_30d",
        "active_days_prior_60d", "active_days_180d", "active_days_365d", "user_days_30d", "user_days_prior_60d",
        "kinds_30d", "kinds_prior_60d", "kind_rates_30d", "kind_rates_prior_60d", "usage_30d", "usage_year_ago",
    ),
    "support_tickets": (
        "tickets_30d", "tickets_prior_monthly", "tickets_open", "tickets_urgent_open", "tickets_open_days",
        "satisfaction_90d",
    ),
    "payment_issues": ("overdue_days", "overdue_amount", "typical_invoice", "failed_payments_90d", "invoices_known"),
    "engagement_drop": (
        "engagement_decline_pct", "engagement_days_since", "engagement_typical_gap_days", "engagement_30d",
        "engagement_kinds_30d", "engagement_kinds_prior_60d",
    ),
    "context": ("days_to_renewal",),
}  # fmt: skip
"""Columns of `risk_factors` that are unknown where a family is."""

ATTRIBUTES = ("tenure_days", "observed_days", "mrr", "employee_count", "plan", "segment", "notice_given")

SIGNALS = (*(name for names in FAMILY_SIGNALS.values() for name in names), *ATTRIBUTES)
"""Columns of `risk_factors` that severities are computed from, and scorecards learn from."""

MISSING = tuple(f"{part}_missing" for part in ("usage", "tickets", "payments", "engagement"))


def signals(profiles: ir.Table, trends: ir.Table) -> ir.Table:
    """One row of signals per customer and scan day, with the reasons of parts that are missing."""
    own = profiles.drop("usage_missing").inner_join(trends, ["customer_id", "scan_day"])
    own = own.mutate(
        days_to_renewal=own.renews_at.date().delta(own.scan_day, unit="day"),
        tenure_days=own.scan_day.delta(own.signed_up_at.date(), unit="day"),
        notice_given=own.leaves_on.notnull() | own.notice_given.fill_null(False),
    )
    return own.select("customer_id", "scan_day", *SIGNALS, *MISSING)


def with_severities(table: ir.Table, rules: SeverityRules) -> ir.Table:
    """Adds a severity column per family, null where it can't be told, `<family>_reason` why, `exception` and `silence`.

    `silence` is the probability that a customer will not use within the horizon.
    """
    table = table.mutate(silence=_silence(table, rules))
    severities = {
        "usage_decline": _larger(_declined(table.decline_pct, rules) * _beyond_chance(table, rules), table.silence),
        "support_tickets": _tickets(table, rules),
        "payment_issues": _payments(table, rules),
        "engagement_drop": _engagement(table, rules),
        "context": _clip((RENEWAL_DAYS - table.days_to_renewal) / RENEWAL_DAYS),
    }
    parts = dict(zip(FAMILIES, (*(table[name] for name in MISSING), ibis.null("string")), strict=True))
    known = {
        family: parts[family].isnull().ifelse(severity, ibis.null("float64")) for family, severity in severities.items()
    }
    reasons = {
        f"{family}_reason": ibis.cases(
            (parts[family].notnull(), parts[family]),
            (severities[family].isnull(), INSUFFICIENT_HISTORY),
            else_=ibis.null("string"),
        )
        for family in FAMILIES
    }
    return table.mutate(**known, **reasons, exception=_exception(table, rules))


def _clip(value: ir.NumericValue) -> ir.NumericValue:
    return value.cast("float64").clip(0, 1)


def _larger(one: ir.NumericValue, other: ir.NumericValue) -> ir.NumericValue:
    """The larger of two, or the one that is known."""
    return ibis.greatest(ibis.coalesce(one, other), ibis.coalesce(other, one))


def _declined(decline: ir.NumericColumn, rules: SeverityRules) -> ir.NumericValue:
    return _clip((decline - rules.decline_threshold_pct) / rules.decline_span_pct)


def _beyond_chance(table: ir.Table, rules: SeverityRules) -> ir.NumericValue:
    """How far a decline is more than chance: 0 up to the significance threshold, 1 from twice that."""
    return _clip(-table.decline_z / rules.significance_z - 1)


def _gone(silent_days: ir.NumericColumn, gap: ir.NumericColumn, rules: SeverityRules) -> ir.NumericValue:
    """How far silence speaks for having left already: r^2 / (r^2 + gap_half^2) for r typical gaps without a sign."""
    gaps = silent_days / ibis.greatest(gap, ibis.literal(rules.gap_floor_days))
    return gaps.pow(2) / (gaps.pow(2) + rules.gap_half**2)


def _silence(table: ir.Table, rules: SeverityRules) -> ir.NumericValue:
    """Gone already, or there still and without a use in the horizon.

    The second is the chance of no event in `horizon_days` of a Poisson process whose rate has the gamma posterior of
    `typical_gap_days`: (1 + h / (g (n + w)))^-(n + w), the zero term of the negative binomial (Ehrenberg 1959; Fader,
    Hardie and Lee 2005).
    """
    events = table.active_days_365d + rules.gap_prior_weight
    none = (1 + rules.horizon_days / (table.typical_gap_days * events)).pow(-events)
    return 1 - (1 - _gone(table.days_since_use, table.typical_gap_days, rules)) * (1 - none)


def _tickets(table: ir.Table, rules: SeverityRules) -> ir.NumericValue:
    ratio = table.tickets_30d / ibis.greatest(table.tickets_prior_monthly, ibis.literal(rules.ticket_floor))
    return table.tickets_prior_monthly.isnull().ifelse(
        ibis.null("float64"), _clip((ratio - 1) / rules.ticket_ratio_span)
    )


def _payments(table: ir.Table, rules: SeverityRules) -> ir.NumericValue:
    """Overdue days, halved towards small amounts, and failed payments, joined as independent causes."""
    weight = 0.5 + 0.5 * _clip(table.overdue_amount / table.typical_invoice.nullif(0)).fill_null(1.0)
    overdue = _clip(table.overdue_days / rules.overdue_days_full) * weight
    failed = _clip(table.failed_payments_90d / rules.failed_payments_full)
    return 1 - (1 - overdue) * (1 - failed)


def _engagement(table: ir.Table, rules: SeverityRules) -> ir.NumericValue:
    """The larger of decline and silence, or half the share of kinds of contact that ceased where that is more."""
    silent = _gone(table.engagement_days_since, table.engagement_typical_gap_days, rules)
    contact = _larger(_declined(table.engagement_decline_pct, rules), silent)
    ceased = 1 - table.engagement_kinds_30d / table.engagement_kinds_prior_60d.nullif(0)
    narrowed = table.engagement_decline_pct.isnull().ifelse(ibis.null("float64"), _clip(ceased) / 2)
    return ibis.greatest(contact, ibis.coalesce(narrowed, contact))


def _exception(table: ir.Table, rules: SeverityRules) -> ir.StringValue:
    silence = ibis.greatest(ibis.literal(float(rules.stopped_min_days)), rules.stopped_gaps * table.typical_gap_days)
    stopped = (
        table.usage_missing.isnull()
        & (table.active_days_365d >= rules.stopped_min_active_days)
        & (table.days_since_use >= silence)
    )
    return ibis.cases(
        (table.notice_given, "cancellation_notice"),
        (stopped.fill_null(False), "usage_stopped"),
        else_=ibis.null("string"),
    )
