"""What if: how the bands and alerts of past days differ between two ways of scoring them."""

import ibis
import ibis.expr.types as ir

NO_BAND = "none"
"""Stands for the band of a customer without a score."""


def moved_bands(before: ir.Table, after: ir.Table) -> ir.Table:
    """Customer-days by `band` before and after: columns `before`, `after` and `customer_days`.

    Both have `customer_id`, `scan_day` and `band`; a customer-day that only one of them knows has no band in the other.
    """
    keys = ["customer_id", "scan_day"]
    one, other = (_named(before).rename(before="band"), _named(after).rename(after="band"))
    both = one.outer_join(other, keys).fill_null({"before": NO_BAND, "after": NO_BAND})
    return both.group_by(["before", "after"]).agg(customer_days=both.count()).order_by(["before", "after"])


def alerts(scores: ir.Table) -> ir.Table:
    """Per scan day, customers whose band is `high`, and those of them who are `new`: whose last scan was not.

    On the first scan day nobody is known to be new: there `new` is null.
    """
    first = scores.scan_day.min().as_scalar()
    last = ibis.window(group_by="customer_id", order_by="scan_day")
    told = scores.mutate(is_high=(scores.band == "high").fill_null(False))
    told = told.mutate(new=told.is_high & ~told.is_high.lag().over(last).fill_null(False))
    return (
        told.group_by("scan_day")
        .agg(high=told.is_high.cast("int64").sum(), new=told.new.cast("int64").sum())
        .mutate(new=lambda t: (t.scan_day == first).ifelse(ibis.null("int64"), t.new))
        .order_by("scan_day")
    )


def _named(scores: ir.Table) -> ir.Table:
    return scores.select("customer_id", "scan_day", "band")
