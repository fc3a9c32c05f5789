"""Completeness: which profiles have all that counts, and whether they are enough."""

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from orchestration_project.domain.completeness import (
    counted_fields,
    coverage_by_field,
    with_completeness,
)
from orchestration_project.domain.rules import CompletenessRules

DAY = date(2024, 2, 29)
COUNTED = ("name", "usage", "tickets")
SCHEMA = {
    "customer_id": pa.string(), "scan_day": pa.date32(), "signed_up_at": pa.timestamp("us"), "name": pa.string(),
    **dict.fromkeys(("usage_missing", "tickets_missing", "payments_missing", "engagement_missing"), pa.string()),
}  # fmt: skip
BASE = {"customer_id": "c", "scan_day": DAY, "signed_up_at": datetime.fromisoformat("2023-01-01"), "name": "Ada"}


@pytest.fixture
def told(engine):
    """What `with_completeness` says of one profile."""

    def of(counted=COUNTED, **override):
        with engine.scope():
            table = engine.arrow(pa.Table.from_pylist([BASE | override], pa.schema(list(SCHEMA.items()))))
            row = engine.rows(with_completeness(table, counted, CompletenessRules()))[0]
        return {**row, "missing": dict(row["missing"])}

    return of


def test_a_profile_with_every_counted_field_is_complete(told) -> None:
    row = told()
    assert (row["complete"], row["missing"]) == (True, {})


def test_an_incomplete_profile_says_which_fields_are_missing_and_why(told) -> None:
    row = told(name=None, tickets_missing="source_stale")
    assert (row["complete"], row["missing"]) == (False, {"name": "empty", "tickets": "source_stale"})


def test_a_field_that_does_not_count_is_not_missed(told) -> None:
    assert told(payments_missing="no_rows")["complete"]


@pytest.mark.parametrize("age", [0, 29])
def test_a_new_customer_without_rows_is_too_new_and_not_incomplete(told, age) -> None:
    row = told(usage_missing="no_rows", signed_up_at=datetime.combine(DAY, datetime.min.time()) - timedelta(age))
    assert (row["complete"], row["usage_missing"], row["missing"]) == (True, "too_new", {})


def test_from_the_thirtieth_day_on_rows_are_expected(told) -> None:
    row = told(usage_missing="no_rows", signed_up_at=datetime.combine(DAY, datetime.min.time()) - timedelta(30))
    assert (row["complete"], row["missing"]) == (False, {"usage": "no_rows"})


def test_a_stale_source_is_missed_even_for_a_new_customer(told) -> None:
    row = told(usage_missing="source_stale", signed_up_at=datetime.combine(DAY, datetime.min.time()))
    assert (row["complete"], row["missing"]) == (False, {"usage": "source_stale"})


def test_where_no_field_counts_every_profile_is_complete(told) -> None:
    row = told((), name=None)
    assert (row["complete"], row["missing"]) == (True, {})


def test_only_fields_of_connected_sources_count() -> None:
    assert counted_fields(("name", "usage", "tickets"), ["usage", "name"]) == (["name", "usage"], ["tickets"])


def test_coverage_is_told_per_field_and_of_whole_profiles(engine) -> None:
    rows = [
        BASE,
        BASE | {"customer_id": "d", "name": None},
        BASE | {"customer_id": "c", "scan_day": DAY + timedelta(1), "usage_missing": "source_stale"},
        BASE | {"customer_id": "d", "scan_day": DAY + timedelta(1)},
    ]
    with engine.scope():
        table = engine.arrow(pa.Table.from_pylist(rows, pa.schema(list(SCHEMA.items()))))
        profiles = with_completeness(table, COUNTED, CompletenessRules())
        shares = engine.rows(coverage_by_field(profiles, COUNTED))
        nobody = engine.rows(coverage_by_field(profiles.limit(0), COUNTED))
    assert shares == [{"name": 0.75, "usage": 0.75, "tickets": 1.0, "complete": 0.5}]
    assert nobody == [{"name": None, "usage": None, "tickets": None, "complete": None}]
