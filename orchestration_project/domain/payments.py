"""Payments: what is overdue, since when, and which payments failed."""

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.domain.days import DayRange, number, number_of_time
from orchestration_project.domain.population import FAR
from orchestration_project.domain.windows import Counted, exact

FAILED_DAYS = 90
TYPICAL_DAYS = 365


def payment_rows(invoices: ir.Table) -> ir.Table:
    """Invoices with day numbers (`known`, `due`, `paid`) and what is `owed`.

    Void invoices do not count; one that is paid nobody knows when counts as paid when due.
    """
    rows = invoices.filter(_.status.fill_null("open") != "void")
    paid_when_due = (rows.status == "paid").ifelse(number_of_time(rows.due_at), ibis.null("int32"))
    return rows.select(
        "customer_id",
        known=number(rows.known_on),
        due=number_of_time(rows.due_at),
        paid=ibis.coalesce(number_of_time(rows.paid_at), paid_when_due, FAR),
        owed=exact(rows.amount.fill_null(0)),
        failed=(rows.status == "failed").fill_null(False),
    )


def payment_windows(rows: ir.Table) -> list[Counted]:
    """What of each row of `payment_rows` counts when, for `window_sums`."""
    return [
        Counted(
            rows,
            _.known,
            ibis.greatest(_.known, _.due) + TYPICAL_DAYS - 1,
            {"invoices_known": 1, "billed": _.owed, "priced": (_.owed > 0).cast("int32")},
        ),
        Counted(rows, ibis.greatest(_.known, _.due + 1), _.paid - 1, {"overdue_count": 1, "overdue_amount": _.owed}),
        Counted(
            rows.filter(_.failed),
            ibis.greatest(_.known, _.due),
            _.due + FAILED_DAYS - 1,
            {"failed_payments_90d": 1},
        ),
    ]


def payment_facts(sums: ir.Table) -> dict[str, ir.Value]:
    """Payment facts, by column, of the sums of `payment_windows` with `oldest_due`.

    `invoices_known` (of the last 365 days), `overdue_count`, `overdue_amount`, `overdue_days` (of the oldest unpaid;
    0 where none), `failed_payments_90d`, `typical_invoice`.
    """
    return {
        "invoices_known": sums.invoices_known.cast("int64"),
        "overdue_count": sums.overdue_count.cast("int64"),
        "overdue_amount": sums.overdue_amount,
        "overdue_days": (sums.day.cast("int64") - sums.oldest_due).fill_null(0),
        "failed_payments_90d": sums.failed_payments_90d.cast("int64"),
        "typical_invoice": sums.billed / sums.priced.nullif(0),
    }


def oldest_unpaid(rows: ir.Table, days: DayRange) -> ir.Table:
    """Due day of the oldest unpaid invoice, for the customers and days that have one."""
    first = ibis.greatest(_.known, _.due + 1, days.start).cast("int64")
    last = ibis.least(_.paid - 1, days.stop).cast("int64")
    unpaid = rows.mutate(first=first, last=last).filter(_.first <= _.last)
    spread = unpaid.mutate(day=ibis.range(unpaid.first, unpaid.last + 1, 1).unnest())
    return (
        spread.mutate(day=spread.day.cast("int32"))
        .group_by(["customer_id", "day"])
        .agg(oldest_due=_.due.min().cast("int64"))
    )
