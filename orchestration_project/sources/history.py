"""History: versions of customers, kept even where the source only ever shows the present."""

from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.contracts.tables import CUSTOMERS

ATTRIBUTES = tuple(name for name in CUSTOMERS.names if name not in ("customer_id", "valid_from"))


def with_history(new: ir.Table, stored: ir.Table | None, now: datetime, source_has_versions: bool) -> ir.Table:
    """The customers to store: with versions from the source, or else with changes seen since the last ingestion.

    A customer that the source no longer shows is kept. A first sight has no `valid_from`: nobody knows since when
    it was so. A changed row is added with `valid_from = now` and counts from the day of `now`.
    """
    if stored is not None:
        # Rows that were stored before a column was known do not have it.
        absent = {name: ibis.null(kind) for name, kind in new.schema().items() if name not in stored.columns}
        stored = stored.mutate(**absent) if absent else stored
    if source_has_versions:
        gone = _gone(stored, new)
        return new if gone is None else ibis.union(new, gone.select(*new.columns))
    if stored is None:
        return new
    known = stored.select(*new.columns)
    order = ibis.window(group_by="customer_id", order_by=known.valid_from.desc(nulls_first=False))
    newest = known.mutate(age=ibis.row_number().over(order)).filter(_.age == 0).drop("age")
    fresh = new.anti_join(known, "customer_id")
    joined = new.inner_join(newest, "customer_id", rname="{name}_before")
    differs = ibis.or_(*(~joined[name].identical_to(joined[f"{name}_before"]) for name in ATTRIBUTES))
    moment = ibis.timestamp(now.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds"))
    changed = joined.filter(differs).select(*new.columns).mutate(valid_from=moment, known_on=moment.date())
    return ibis.union(known, fresh.select(*new.columns), changed.select(*new.columns).cast(dict(known.schema())))


def _gone(stored: ir.Table | None, new: ir.Table) -> ir.Table | None:
    return None if stored is None else stored.anti_join(new, "customer_id")
