"""Formats: the same content gives the same rows, whatever it is stored in."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

from datetime import UTC, datetime

import pytest

TYPES = {
    "customers": {
        "customer_id": "text", "name": "text", "employee_count": "integer", "mrr": "numeric(12,2)",
        "signed_up_at": "timestamptz", "churned_at": "timestamp", "opted_out": "boolean",
    },
    "usage_events": {
        "customer_id": "text", "occurred_at": "timestamptz", "event": "text", "quantity": "double precision",
        "user_id": "text", "recorded_at": "timestamptz",
    },
    "invoices": {
        "invoice_id": "bigint", "customer_id": "text", "due_at": "date", "paid_at": "timestamp", "amount": "real",
        "status": "text",
    },
}  # fmt: skip
ROWS = {
    "customers": [
        {"customer_id": " C1\t", "name": "Zoë, \"the\" 1st", "employee_count": 12, "mrr": 10.25,
         "signed_up_at": datetime(2025, 1, 1, 10, tzinfo=UTC), "churned_at": None, "opted_out": True},
        {"customer_id": "C2", "name": "null", "employee_count": None, "mrr": None,
         "signed_up_at": datetime(2025, 6, 1, 23, 59, 59, tzinfo=UTC), "churned_at": datetime(2026, 6, 30, 12),
         "opted_out": False},
        {"customer_id": "C3", "name": "x", "employee_count": -1, "mrr": 1.0,
         "signed_up_at": datetime(2025, 6, 1, tzinfo=UTC), "churned_at": None, "opted_out": None},
    ],
    "usage_events": [
        {"customer_id": "C1", "occurred_at": datetime(2026, 3, day, hour, tzinfo=UTC), "event": event,
         "quantity": quantity,
         "user_id": user, "recorded_at": datetime(2026, 3, day + late, hour, tzinfo=UTC)}
        for day in (1, 2) for hour in (0, 7, 23) for late in (0, 1) for user in ("u1", None)
        for event, quantity in (("login", 1.0), ("export", 0.1), ("bad", -1.0))
    ],
    "invoices": [
        {"invoice_id": 7, "customer_id": "C1", "due_at": datetime(2026, 3, 1).date(),
         "paid_at": datetime(2026, 3, 2, 1, 2, 3, 456000), "amount": 0.5, "status": "Paid"},
        {"invoice_id": 8, "customer_id": "C9", "due_at": datetime(2026, 3, 1).date(), "paid_at": None, "amount": 1.0,
         "status": "open"},
    ],
}  # fmt: skip


def _text(value) -> str:
    return "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)


def _store(home, kind: str, name: str, request) -> None:
    rows = ROWS[name]
    if kind == "csv":
        lines = [",".join('"' + _text(row[column]).replace('"', '""') + '"' for column in TYPES[name]) for row in rows]
        home.csv(name, "\n".join([",".join(TYPES[name]), *lines]))
    elif kind == "jsonl":
        written = [{key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
                   for row in rows]  # fmt: skip
        home.jsonl(name, written)
    elif kind == "parquet":
        home.parquet(name, rows)
    else:
        postgres = request.getfixturevalue("postgres")
        postgres.load(f"same_{name}", TYPES[name], rows)
        home.connect(name, connector="sql", url=postgres.url, table=f"same_{name}")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "postgres"])
def test_every_format_gives_the_rows_that_parquet_gives(home, make_home, tmp_path_factory, request, kind):
    other = make_home(tmp_path_factory.mktemp(kind))
    for name in TYPES:
        _store(home, "parquet", name, request)
        _store(other, kind, name, request)
    for name in TYPES:
        one, two = (each.usage() if name == "usage_events" else each.ingest(name) for each in (home, other))
        assert one.table.schema() == two.table.schema()
        assert home.rows(one, *one.table.columns) == other.rows(two, *two.table.columns)
        assert one.kept and one.reasons
        assert (one.read, one.reasons, one.present) == (two.read, two.reasons, two.present)
