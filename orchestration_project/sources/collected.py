"""Collected: until when each customer's facts of a source are known, where customers are asked for one by one.

Who could not be collected keeps the rows of before; scan days from then on say `not_collected`, and never zero.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from orchestration_project.agents.runtime import CallFailed
from orchestration_project.escalations import Case
from orchestration_project.lake import Lake

TABLE = "collections"
EVER = date(1970, 1, 1)
SCHEMA = pa.schema(
    {"customer_id": pa.string(), "collected_on": pa.date32(), "unknown_from": pa.date32(), "unknown_to": pa.date32()}
)
PARTS = {
    "usage_events": "usage", "support_tickets": "tickets", "invoices": "payments", "engagements": "engagement",
}  # fmt: skip
"""Source tables, and the part of a profile that each supplies."""


def with_earlier(
    rows: ir.Table, stored: ir.Table | None, missing: Mapping[str, CallFailed] | None, lake: Lake
) -> ir.Table:
    """Rows as they were read, and those stored before of customers who could not be collected."""
    if not missing or stored is None:
        return rows
    names = lake.engine.arrow(pa.table({"customer_id": list(missing)}))
    earlier = stored.semi_join(names, "customer_id").select(*rows.columns)
    return lake.engine.keep(rows.union(earlier.cast(dict(rows.schema().items()))))


def record(
    source: str, missing: Mapping[str, CallFailed] | None, lake: Lake, on: date, span: tuple[date, date] | None = None
) -> None:
    """Notes who could not be collected on a day.

    `source` is the table, with its month where it is read by months; `span` are then the month's first and last day.
    """
    known = source in lake.partitions(TABLE)
    if missing is None and not known:
        return
    failed = missing or {}
    earlier = _earlier(source, lake) if known else {}
    first, last = span or (EVER, None)
    since = {customer: max(first, earlier.get(customer, earlier.get(None, first))) for customer in failed}
    rows: list[tuple[str | None, date | None, date | None, date | None]] = [(None, on, None, None)]
    rows += [(name, None, day, last) for name, day in since.items() if last is None or day <= last]
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    table = lake.engine.arrow(pa.table(columns, schema=SCHEMA))
    lake.replace(TABLE, table.mutate(source=ibis.literal(source)), [source], "source")


def cases(missing: Mapping[str, CallFailed] | None) -> list[Case]:
    """Those who could not be collected, as cases for a person, each with its attempts."""
    return [case_of(customer, error) for customer, error in (missing or {}).items()]


def case_of(customer_id: str, failure: CallFailed) -> Case:
    """A failed call about a customer as a case for a person, with its attempts."""
    attempts = json.dumps([vars(each) for each in failure.attempts])
    return Case(customer_id, failure.error.error_class, str(failure.error), attempts)


def unknown(lake: Lake, connected: Sequence[str]) -> dict[str, ir.Table]:
    """Per part of a profile, the customers and days (`first`, `last`) for which its facts are not known."""
    found: dict[str, ir.Table] = {}
    partitions = lake.partitions(TABLE)
    for source, part in PARTS.items():
        keys = [key for key in partitions if key.partition(".")[0] == source]
        if keys and source in connected:
            rows = lake.read(TABLE, keys, "source")
            found[part] = rows.filter(rows.customer_id.notnull())
    return found


def _earlier(source: str, lake: Lake) -> dict[str | None, date]:
    """Since when each customer's facts were not known before; under None, when the others were last collected."""
    rows = lake.engine.rows(lake.read(TABLE, [source], "source"))
    return {row["customer_id"]: row["unknown_from"] or row["collected_on"] for row in rows}
