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


def leavers(customers: ir.Table, day: date, until: date) -> ir.Table:
    """`customer_id` of those who left after `day` and by `until`, as the newest version known by then says.

    `customers` are validated versions with `known_on`; a first version counts whenever it was recorded.
    """
    order = ibis.window(group_by="customer_id", order_by=[customers.valid_from.asc(nulls_first=True)])
    known = customers.mutate(first=ibis.row_number().over(order) == 0)
    known = known.filter(_.first | (_.known_on <= ibis.date(until)))
    newest = ibis.window(group_by="customer_id", order_by=[known.valid_from.desc()])
    last = known.mutate(newest=ibis.row_number().over(newest) == 0).filter(_.newest)
    left = last.churned_at.date()
    return last.filter(left > ibis.date(day), left <= ibis.date(until)).select("customer_id")


def silent(profiles: ir.Table, usage: ir.Table, day: date, until: date) -> ir.Table:
    """`customer_id` of those in `profiles` without any use after `day` and by `until`; `usage` is `usage_daily`."""
    window = (usage.day > ibis.date(day), usage.day <= ibis.date(until), usage.known_on <= ibis.date(until))
    return profiles.select("customer_id").anti_join(usage.filter(*window), "customer_id")


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
    tenure = told.scan_day.delta(told.signed_up_at.date(), unit="day")
    censored = ibis.cases(
        (told.leaves_on.notnull() | told.notice_given.fill_null(False), "announced"),
        (tenure < min_tenure, "too_new"),
        (ibis.literal(not seen), "source_stale"),
        else_=ibis.null("string"),
    )
    return told.select(
        "customer_id",
        "scan_day",
        churned=censored.isnull().ifelse(told.left.fill_null(False), ibis.null("boolean")),
        censored=censored,
        treated=told.treated.fill_null(False),
        propensity=told.propensity.fill_null(0.0),
        matured_on=ibis.date(until),
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
