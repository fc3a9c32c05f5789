"""Population: which customers a scan day holds, with the attributes that were known by then."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import DayRange, number_of_time, to_date

FAR = 2_000_000
"""A day number later than any."""


def population(customers: ir.Table, days: DayRange) -> ir.Table:
    """One row per customer and scan day (number `day`), attributes from the newest version known by that day.

    A customer belongs to the scans from the day of sign-up to the day before leaving. `customers` are validated
    versions with `known_on`. A first version counts from sign-up, whenever it was recorded; but its `churned_at` may
    have been filled in since, so it is unknown until it happens, where a later version's is a notice (`leaves_on`).
    """
    versions = _with_intervals(customers)
    versions = versions.filter(_.from_day <= days.stop, _.to_day >= days.start)
    start = ibis.greatest(versions.from_day, days.start).cast("int64")
    stop = ibis.least(versions.to_day, days.stop).cast("int64")
    spans = versions.mutate(day=ibis.range(start, stop + 1, 1).unnest())
    present = spans.mutate(day=spans.day.cast("int32")).filter(
        _.churn_day.isnull() | (_.day < _.churn_day), _.day >= _.sign_up_day
    )
    announced = present.churn_day.notnull() & ~present.first
    renewal_known = present.renews_at.isnull() | (number_of_time(present.renews_at) >= present.day)
    return present.mutate(
        scan_day=to_date(present.day),
        leaves_on=announced.ifelse(present.churned_at.date(), ibis.null("date")),
        renews_at=renewal_known.ifelse(present.renews_at, ibis.null("timestamp")),
    ).drop("first", "from_day", "to_day", "churn_day", "churned_at", "known_on")


def _with_intervals(customers: ir.Table) -> ir.Table:
    """Days on which each version is the newest: from when it was known to the day before the next one was."""
    order = ibis.window(group_by="customer_id", order_by=[customers.valid_from.asc(nulls_first=True)])
    first = ibis.row_number().over(order) == 0
    known = number_of_time(customers.known_on.cast("timestamp"))
    sign_up = number_of_time(customers.signed_up_at)
    following = known.lead().over(order)
    return customers.mutate(
        first=first,
        sign_up_day=sign_up,
        churn_day=number_of_time(customers.churned_at),
        from_day=(first | known.isnull()).ifelse(sign_up, known),
        to_day=(following - 1).fill_null(FAR),
    )
