"""Outcomes: who of a scan's population had left when its horizon was over, told only of those it can be told of."""

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.rules import STALE_AFTER_DAYS, ChurnRules

CENSORED = ("announced", "too_new", "source_stale")
"""Why an outcome does not count: leaving was announced before the scan, the customer was too new to be judged, or
usage was not seen up to the end of the horizon."""


def horizon_days(churn: ChurnRules, wanted: int) -> int:
    """Days after a scan day in which leaving counts: under inactivity, those that mean churned."""
    return churn.days if churn.kind == "inactivity" else wanted


def outcome_day(month_end: date, horizon: int) -> date:
    """The one scan day whose outcomes mature with a month: its horizon ends on the month's last day."""
    return month_end - timedelta(days=horizon)


def leavers(windows: ir.Table, customers: ir.Table) -> ir.Table:
    """`customer_id` and `scan_day` of those who left after it and by `until`, as the newest version known by then says.

    `windows` has `customer_id`, `scan_day` and `until`; `customers` are validated versions with `known_on`, of which
    the first counts whenever it was recorded.
    """
    order = ibis.window(group_by="customer_id", order_by=[customers.valid_from.asc(nulls_first=True)])
    versions = customers.select("customer_id", "valid_from", "known_on", "churned_at")
    known = versions.mutate(first=ibis.row_number().over(order) == 0).inner_join(windows, "customer_id")
    known = known.filter(known.first | (known.known_on <= known.until))
    newest = ibis.window(group_by=["customer_id", "scan_day"], order_by=[known.valid_from.desc()])
    last = known.mutate(newest=ibis.row_number().over(newest) == 0).filter(_.newest)
    left = last.churned_at.date()
    return last.filter(left > last.scan_day, left <= last.until).select("customer_id", "scan_day")


def silent(windows: ir.Table, usage: ir.Table) -> ir.Table:
    """`customer_id` and `scan_day` of those without any use after it and by `until`; `usage` is `usage_daily`."""
    seen = windows.inner_join(usage.select("customer_id", "day", "known_on"), "customer_id")
    seen = seen.filter(seen.day > seen.scan_day, seen.day <= seen.until, seen.known_on <= seen.until)
    return windows.select("customer_id", "scan_day").anti_join(seen, ["customer_id", "scan_day"])


def usage_seen_until(coverage: ir.Table, until: date) -> ir.BooleanScalar:
    """Whether the usage source reaches the end of a horizon; `coverage` has each `day` with use and its `known_on`."""
    last = coverage.filter(coverage.known_on <= ibis.date(until)).day.max()
    return (last >= ibis.date(until - timedelta(days=STALE_AFTER_DAYS["usage_events"]))).fill_null(False)


def outcomes(
    profiles: ir.Table, churned: ir.Table, interventions: ir.Table, until: date, min_tenure: int, seen: bool
) -> ir.Table:
    """One row per customer of a scan day: `churned`, or null with the reason in `censored`.

    `profiles` is the scan's population; `churned` has the `customer_id` of those who left by `until`; `seen` is false
    where the source did not reach that far. `treated` says that an intervention reached the customer within the
    horizon, `propensity` how likely the likeliest of them was to (see `domain.control`).
    """
    told = profiles.left_join(churned.mutate(left=True), "customer_id").drop("customer_id_right")
    acts = _acts(profiles, interventions, until)
    told = told.left_join(acts, "customer_id").drop("customer_id_right")
    censored = censoring(told, min_tenure, ibis.literal(seen))
    return told.select(
        "customer_id",
        "scan_day",
        churned=censored.isnull().ifelse(told.left.fill_null(False), ibis.null("boolean")),
        censored=censored,
        treated=told.treated.fill_null(False),
        propensity=told.propensity.fill_null(0.0),
        matured_on=ibis.date(until),
    )


def censoring(profiles: ir.Table, min_tenure: int, seen: ir.BooleanValue) -> ir.StringValue:
    """Why the outcome of a customer of a scan does not count; null where it does. Nothing after the scan decides it
    but whether the source was `seen` up to the end of the horizon."""
    tenure = profiles.scan_day.delta(profiles.signed_up_at.date(), unit="day")
    return ibis.cases(
        (profiles.leaves_on.notnull() | profiles.notice_given.fill_null(False), "announced"),
        (tenure < min_tenure, "too_new"),
        (~seen, "source_stale"),
        else_=ibis.null("string"),
    )


def _acts(profiles: ir.Table, interventions: ir.Table, until: date) -> ir.Table:
    """What we did within the horizon, per customer.

    Whom the control group holds back, it holds back for ever: several chances to be treated are no more than the
    likeliest of them. One of which nobody logged how likely it was might have been certain.
    """
    joined = interventions.inner_join(profiles.select("customer_id", "scan_day"), "customer_id")
    within = joined.filter(joined.day > joined.scan_day, joined.day <= ibis.date(until))
    return within.group_by("customer_id").agg(
        treated=within.delivered.any(), propensity=within.propensity.fill_null(1.0).max()
    )
