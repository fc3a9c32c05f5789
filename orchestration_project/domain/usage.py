"""Usage: the trend of product use per customer and scan day."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain import activity
from orchestration_project.domain.activity import Kinds
from orchestration_project.domain.days import DayRange, number, number_of_time, to_date
from orchestration_project.domain.profiles import observed_from
from orchestration_project.domain.rules import PRIOR_DAYS, RECENT_DAYS, YEAR_AGO_DAYS, SeverityRules
from orchestration_project.domain.windows import window_sums

WEEK_DAYS = 7
REACH_DAYS = YEAR_AGO_DAYS + RECENT_DAYS
"""Days back to the oldest row that any window looks at."""

TREND_COLUMNS = {
    "usage_30d": "float64",
    "usage_prior_60d": "float64",
    "usage_year_ago": "float64",
    "rate_30d": "float64",
    "rate_prior_60d": "float64",
    "active_days_7d": "int64",
    "active_days_30d": "int64",
    "active_days_prior_60d": "int64",
    "active_days_180d": "int64",
    "active_days_365d": "int64",
    "user_days_30d": "int64",
    "user_days_prior_60d": "int64",
    "kinds_30d": "int64",
    "kinds_prior_60d": "int64",
    "kind_rates_30d": "map<string, float64>",
    "kind_rates_prior_60d": "map<string, float64>",
    "last_used_on": "date",
    "days_since_use": "int64",
    "typical_gap_days": "float64",
    "observed_days": "int64",
    "calendar_ratio": "float64",
    "decline_pct": "float64",
    "overlap_decline_pct": "float64",
    "decline_z": "float64",
}
"""Figures of `usage_trends`; all are null where usage is missing, with the reason in `usage_missing`."""


def usage_windows(profiles: ir.Table, rows: ir.Table, days: DayRange, kinds: Kinds) -> ir.Table:
    """Window sums of every customer and scan day in `profiles`; `rows` is `usage_daily` with day numbers.

    Those of `activity.activity_windows`, `week_active` days, and `year_ago_quantity` of the 30 days 52 weeks ago.
    """
    people = profiles.select(
        "customer_id",
        "usage_missing",
        day=number(profiles.scan_day),
        sign_up_day=number_of_time(profiles.signed_up_at),
    )
    counted = [
        *activity.activity_windows(rows, days, list(kinds)),
        activity.spell(rows, days, 0, WEEK_DAYS, {"week_active": activity.ACTIVE}),
        activity.spell(rows, days, YEAR_AGO_DAYS, REACH_DAYS, {"year_ago_quantity": _.quantity}),
    ]
    sums = window_sums(people.select("customer_id", "day"), counted, days)
    return people.inner_join(sums, ["customer_id", "day"])


def usage_trends(windows: ir.Table, coverage: ir.Table, days: DayRange, kinds: Kinds, rules: SeverityRules) -> ir.Table:
    """Trends from `usage_windows` and the source's `activity.coverage`.

    Rates are per day. `decline_pct` sets the last 30 days against what the 60 before and the calendar lead to expect;
    `overlap_decline_pct` is the 30-against-90-day figure that understates it. Null is unknown, never zero.
    """
    seen = windows.inner_join(coverage, "day")
    told = activity.trends(seen.mutate(observed_from=observed_from(seen), present=seen.usage_missing.isnull()), rules)
    significant = (told.decline_pct > rules.decline_threshold_pct) & (told.decline_z < -rules.significance_z)
    known = told.mutate(
        scan_day=to_date(told.day),
        usage_30d=told.recent_quantity,
        usage_prior_60d=told.prior_quantity,
        usage_year_ago=(_since(told) <= told.day - REACH_DAYS + 1).ifelse(told.year_ago_quantity, ibis.null("float64")),
        rate_30d=told.recent_quantity / RECENT_DAYS,
        rate_prior_60d=told.prior_quantity / PRIOR_DAYS,
        active_days_30d=told.recent_active,
        active_days_prior_60d=told.prior_active,
        active_days_7d=told.week_active,
        active_days_180d=told.half_year_active,
        active_days_365d=told.rhythm_active,
        user_days_30d=told.recent_users,
        user_days_prior_60d=told.prior_users,
        kinds_30d=activity.kind_count(told, "recent", kinds, days),
        kinds_prior_60d=activity.kind_count(told, "prior", kinds, days),
        kind_rates_30d=activity.kind_rates(told, "recent", RECENT_DAYS, kinds, days),
        kind_rates_prior_60d=activity.kind_rates(told, "prior", PRIOR_DAYS, kinds, days),
        last_used_on=to_date(told.last_used),
        significant=significant.fill_null(False),
        trend=_trend(told, significant, rules),
    )
    present = {
        name: known.usage_missing.isnull().ifelse(known[name], ibis.null()).cast(kind)
        for name, kind in TREND_COLUMNS.items()
    }
    return known.select("customer_id", "scan_day", **present, significant="significant", trend="trend",
                        usage_missing="usage_missing")  # fmt: skip


def trends_without_usage(profiles: ir.Table) -> ir.Table:
    """Trends where usage is not connected: every figure unknown."""
    columns = {name: ibis.null(kind) for name, kind in TREND_COLUMNS.items()}
    columns |= {"significant": ibis.literal(False), "trend": ibis.literal("unknown")}
    return profiles.select("customer_id", "scan_day", **columns, usage_missing=ibis.literal("source_not_connected"))


def _since(told: ir.Table) -> ir.IntegerColumn:
    """Since when a customer could be seen at all, however long ago (number)."""
    return ibis.greatest(told.sign_up_day, told.began)


def _trend(told: ir.Table, significant: ir.BooleanColumn, rules: SeverityRules) -> ir.StringColumn:
    silence = ibis.greatest(float(rules.stopped_min_days), told.typical_gap_days * rules.stopped_gaps)
    return ibis.cases(
        (~told.present, "unknown"),
        (told.days_since_use >= silence, "stopped"),
        (told.decline_pct.isnull(), "insufficient_history"),
        (significant, "down"),
        ((told.decline_pct < -rules.decline_threshold_pct) & (told.decline_z > rules.significance_z), "up"),
        else_="flat",
    )
