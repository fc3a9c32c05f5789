"""History: what was once known of a customer stays known."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

from datetime import datetime, timedelta

import pytest

from orchestration_project.sources.history import with_history

FIRST = datetime(2026, 3, 1, 6)
LATER = FIRST + timedelta(days=10)
NO_COLUMN = "customer_id,name,mrr,signed_up_at"
VERSIONS = "customer_id,name,mrr,signed_up_at,valid_from"


@pytest.fixture
def see(home):
    """Ingests customers at a time, on top of what was stored."""

    def ingested(stored, now, header, *lines):
        home.csv("customers", "\n".join([header, *lines]) + "\n")
        fresh = home.ingest("customers")
        return home.engine.keep(with_history(fresh.table, stored, now, "valid_from" in fresh.present))

    return ingested


def versions(home, table):
    rows = home.engine.rows(table.select("customer_id", "name", "mrr", "valid_from"))
    return sorted(
        (row["customer_id"], row["name"], row["mrr"], row["valid_from"]) for row in rows if row["valid_from"]
    ), {(row["customer_id"], row["name"], row["mrr"]) for row in rows if not row["valid_from"]}


def test_at_first_sight_nobody_knows_since_when_it_was_so(home, see):
    stored = see(None, FIRST, NO_COLUMN, "C1,Ada,5,2025-01-01")
    assert versions(home, stored) == ([], {("C1", "Ada", 5.0)})


def test_a_change_is_kept_as_a_version_from_when_it_was_seen(home, see):
    stored = see(None, FIRST, NO_COLUMN, "C1,Ada,5,2025-01-01", "C2,Bob,,2025-01-01")
    stored = see(stored, LATER, NO_COLUMN, "C1,Ada,7,2025-01-01", "C2,Bob,3,2025-01-01")
    first = {("C1", "Ada", 5.0), ("C2", "Bob", None)}
    assert versions(home, stored) == ([("C1", "Ada", 7.0, LATER), ("C2", "Bob", 3.0, LATER)], first)
    assert {row["known_on"] for row in home.engine.rows(stored) if row["valid_from"]} == {LATER.date()}


def test_a_value_that_changes_back_is_a_third_version(home, see):
    stored = see(None, FIRST, NO_COLUMN, "C1,Ada,5,2025-01-01")
    stored = see(stored, LATER, NO_COLUMN, "C1,Ada,7,2025-01-01")
    stored = see(stored, LATER + timedelta(days=1), NO_COLUMN, "C1,Ada,5,2025-01-01")
    seen, first = versions(home, stored)
    assert [(mrr, since) for _, _, mrr, since in seen] == [(5.0, LATER + timedelta(days=1)), (7.0, LATER)]
    assert first == {("C1", "Ada", 5.0)}


def test_what_did_not_change_adds_nothing(home, see):
    lines = ("C1,Ada,5,2025-01-01", "C2,,,2025-01-01")
    stored = see(None, FIRST, NO_COLUMN, *lines)
    again = see(stored, LATER, NO_COLUMN, *lines)
    assert home.engine.value(again.count()) == 2


def test_a_customer_who_vanishes_is_kept_and_a_new_one_added(home, see):
    stored = see(None, FIRST, NO_COLUMN, "C1,Ada,5,2025-01-01")
    stored = see(stored, LATER, NO_COLUMN, "C2,Bob,3,2026-03-05")
    assert versions(home, stored) == ([], {("C1", "Ada", 5.0), ("C2", "Bob", 3.0)})


def test_a_source_with_versions_of_its_own_keeps_exactly_these(home, see):
    stored = see(None, FIRST, VERSIONS, "C1,Ada,5,2025-01-01,2025-01-01", "C3,Cyd,1,2025-01-01,2025-01-01")
    lines = ("C1,Ada,5,2025-01-01,2025-01-01", "C1,Ada,9,2025-01-01,2026-02-01")
    stored = see(stored, LATER, VERSIONS, *lines)
    seen, _ = versions(home, stored)
    assert [(name, mrr, since) for _, name, mrr, since in seen] == [
        ("Ada", 5.0, datetime(2025, 1, 1)),
        ("Ada", 9.0, datetime(2026, 2, 1)),
        ("Cyd", 1.0, datetime(2025, 1, 1)),
    ]
