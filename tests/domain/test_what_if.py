"""What if: moved bands and alerts of two ways of scoring."""

from datetime import date

import pyarrow as pa
import pytest

from orchestration_project.domain.what_if import alerts, moved_bands

SCHEMA = pa.schema({"customer_id": pa.string(), "scan_day": pa.date32(), "band": pa.string()})
MONDAY, TUESDAY, THURSDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 5)


@pytest.fixture
def bands(engine):
    """A table of bands, as `customer, day, band`."""

    def of(*rows):
        return engine.arrow(pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA))

    with engine.scope():
        yield of


def test_every_customer_day_is_counted_once_with_its_band_before_and_after(engine, bands) -> None:
    before = bands(("a", MONDAY, "low"), ("b", MONDAY, "high"), ("c", MONDAY, None), ("d", MONDAY, "low"))
    after = bands(("a", MONDAY, "high"), ("b", MONDAY, "high"), ("c", MONDAY, "low"), ("e", MONDAY, "low"))
    found = {(row["before"], row["after"]): row["customer_days"] for row in engine.rows(moved_bands(before, after))}
    assert found == {
        ("low", "high"): 1, ("high", "high"): 1, ("none", "low"): 2, ("low", "none"): 1,
    }  # fmt: skip


def test_an_alert_is_new_where_the_scan_before_told_another_band(engine, bands) -> None:
    told = bands(
        ("a", MONDAY, "high"), ("a", TUESDAY, "high"), ("a", THURSDAY, "low"),
        ("b", MONDAY, "low"), ("b", TUESDAY, "high"), ("b", THURSDAY, "high"),
        ("c", MONDAY, "high"), ("c", TUESDAY, None), ("c", THURSDAY, "high"),
    )  # fmt: skip
    found = [(row["scan_day"], row["high"], row["new"]) for row in engine.rows(alerts(told))]
    assert found == [(MONDAY, 2, None), (TUESDAY, 2, 1), (THURSDAY, 2, 1)]
