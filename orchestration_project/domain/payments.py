"""Payments: what is overdue, since when, and which payments failed."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import DayRange, number, number_of_time
from orchestration_project.domain.population import FAR
from orchestration_project.domain.windows import Counted, exact, window_sums

FAILED_DAYS = 90
TYPICAL_DAYS = 365


def payment_facts(people: ir.Table, invoices: ir.Table, days: DayRange) -> ir.Table:
    """Payment facts per row of `people` (`customer_id, day`).

    `invoices_known` (of the last 365 days), `overdue_count`, `overdue_amount`, `overdue_days` (of the oldest unpaid;
    0 where none), `failed_payments_90d`, `typical_invoice`. Void invoices do not count; one that
    is paid nobody knows when counts as paid when due.
    """
    rows = invoices.filter(_.status.fill_null("open") != "void")
    paid_when_due = (rows.status == "paid").ifelse(number_of_time(rows.due_at), ibis.null("int32"))
    rows = rows.mutate(
        known=number(rows.known_on),
        due=number_of_time(rows.due_at),
        paid=ibis.coalesce(number_of_time(rows.paid_at), paid_when_due, FAR),
        owed=exact(rows.amount.fill_null(0)),
        failed=(rows.status == "failed").fill_null(False),
    )
    asked = people.select("customer_id", "day")
    sums = window_sums(
        asked,
        [
            Counted(
                rows,
                _.known,
                ibis.greatest(_.known, _.due) + TYPICAL_DAYS - 1,
                {"invoices_known": 1, "billed": _.owed, "priced": (_.owed > 0).cast("int32")},
            ),
            Counted(
                rows,
                ibis.greatest(_.known, _.due + 1),
                _.paid - 1,
                {"overdue_count": 1, "overdue_amount": _.owed},
            ),
            Counted(
                rows.filter(_.failed),
                ibis.greatest(_.known, _.due),
                _.due + FAILED_DAYS - 1,
                {"failed_payments_90d": 1},
            ),
        ],
        days,
    )
    facts = asked.inner_join(sums, ["customer_id", "day"]).left_join(_oldest(rows, days), ["customer_id", "day"])
    return facts.select(
        "customer_id",
        "day",
        *(facts[name].cast("int64").name(name) for name in ("invoices_known", "overdue_count", "failed_payments_90d")),
        overdue_amount=facts.overdue_amount,
        overdue_days=(facts.day - facts.oldest_due).cast("int64").fill_null(0),
        typical_invoice=facts.billed / facts.priced.nullif(0),
    )


def _oldest(rows: ir.Table, days: DayRange) -> ir.Table:
    """Due day of the oldest unpaid invoice, for the customers and days that have one."""
    first = ibis.greatest(_.known, _.due + 1, days.start).cast("int64")
    last = ibis.least(_.paid - 1, days.stop).cast("int64")
    unpaid = rows.mutate(first=first, last=last).filter(_.first <= _.last)
    spread = unpaid.mutate(day=ibis.range(unpaid.first, unpaid.last + 1, 1).unnest())
    return spread.mutate(day=spread.day.cast("int32")).group_by(["customer_id", "day"]).agg(oldest_due=_.due.min())
