"""What assets write has exactly the columns and types that the contract says."""

import re

import pytest

from orchestration_project.contracts.lake_tables import LAKE_TABLES

OF_ACTS = {"interventions"}
"""Tables that are there where there is an operations store only; see tests/test_impact.py."""
ON_FAILURE = {"collections", "escalations"}
"""Tables that are there where something went wrong only; see test_collection.py."""


@pytest.mark.parametrize("table", sorted(LAKE_TABLES.keys() - OF_ACTS - ON_FAILURE))
def test_a_table_has_exactly_the_columns_and_types_of_its_contract(company, table):
    with company.workspace.lake() as lake:
        found = lake.read(table).schema()
    # Ibis tells the precision of times, here microseconds, with their type.
    types = {name: re.sub(r"timestamp\(\d\)", "timestamp", str(kind)) for name, kind in found.items()}
    assert types == {column.name: column.type for column in LAKE_TABLES[table]}


def test_every_table_in_the_lake_has_a_contract(company):
    assert {
        folder.name for folder in company.home.lake.iterdir() if folder.name != ".staging"
    } == LAKE_TABLES.keys() - OF_ACTS - ON_FAILURE


def test_every_column_has_a_meaning():
    assert [column for columns in LAKE_TABLES.values() for column in columns if not column.description] == []


def test_one_row_per_customer_and_day_in_every_daily_table(company):
    people = company.rows("customer_profiles", *company.days.dates)[["customer_id", "scan_day"]]
    assert not people.duplicated().any()
    for table in ("usage_trends", "risk_factors", "risk_scores"):
        assert company.rows(table, *company.days.dates)[["customer_id", "scan_day"]].equals(people)
