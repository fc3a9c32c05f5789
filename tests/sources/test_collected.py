"""Collected: who could not be asked keeps what was known, and is unknown from then on, never zero."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pytest

from orchestration_project.agents.errors import ToolFailure
from orchestration_project.agents.runtime import Attempt, CallFailed
from orchestration_project.lake import Lake
from orchestration_project.sources.collected import EVER, cases, record, unknown, with_earlier

MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 18)
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
FAILED = CallFailed(ToolFailure("no answer"), (Attempt(1, 0.1, 30.0, "no answer"),))


@pytest.fixture
def lake(engine, tmp_path) -> Iterator[Lake]:
    yield Lake(tmp_path / "lake", engine)


def gaps(lake: Lake, part: str = "tickets") -> list[tuple[Any, ...]]:
    found = unknown(lake, ["support_tickets", "usage_events"]).get(part)
    rows = [] if found is None else lake.engine.rows(found)
    return sorted((row["customer_id"], row["unknown_from"], row["unknown_to"]) for row in rows)


def test_who_was_never_collected_is_unknown_on_any_day(lake: Lake) -> None:
    record("support_tickets", {"C1": FAILED}, lake, MONDAY)
    assert gaps(lake) == [("C1", EVER, None)]


def test_who_was_collected_before_is_unknown_from_that_day_on(lake: Lake) -> None:
    record("support_tickets", {}, lake, MONDAY)
    record("support_tickets", {"C1": FAILED}, lake, TUESDAY)
    record("support_tickets", {"C1": FAILED, "C2": FAILED}, lake, WEDNESDAY)
    assert gaps(lake) == [("C1", MONDAY, None), ("C2", TUESDAY, None)]


def test_who_is_collected_again_is_known_again(lake: Lake) -> None:
    record("support_tickets", {"C1": FAILED}, lake, MONDAY)
    record("support_tickets", {}, lake, TUESDAY)
    assert gaps(lake) == []


def test_a_month_that_was_over_when_it_was_collected_stays_known(lake: Lake) -> None:
    record("usage_events.2026-11", {}, lake, date(2026, 12, 5), NOVEMBER)
    record("usage_events.2026-11", {"C1": FAILED}, lake, date(2026, 12, 6), NOVEMBER)
    assert gaps(lake, "usage") == []


def test_of_a_month_the_days_since_its_collection_are_unknown(lake: Lake) -> None:
    record("usage_events.2026-11", {}, lake, MONDAY, NOVEMBER)
    record("usage_events.2026-11", {"C1": FAILED}, lake, TUESDAY, NOVEMBER)
    record("usage_events.2026-10", {"C1": FAILED}, lake, TUESDAY, (date(2026, 10, 1), date(2026, 10, 31)))
    assert gaps(lake, "usage") == [
        ("C1", date(2026, 10, 1), date(2026, 10, 31)), ("C1", MONDAY, date(2026, 11, 30)),
    ]  # fmt: skip


def test_tables_that_are_read_whole_are_not_noted(lake: Lake) -> None:
    record("support_tickets", None, lake, MONDAY)
    assert not lake.has("collections")


def test_a_table_that_is_read_whole_from_now_on_knows_everybody(lake: Lake) -> None:
    record("support_tickets", {"C1": FAILED}, lake, MONDAY)
    record("support_tickets", None, lake, TUESDAY)
    assert gaps(lake) == []


def test_rows_of_those_who_failed_stay_and_no_others(lake: Lake) -> None:
    stored = ibis.memtable({"customer_id": ["C1", "C2", "C2"], "n": [1, 2, 3]})
    read = ibis.memtable({"customer_id": ["C1"], "n": [9]})
    found = with_earlier(read, stored, {"C2": FAILED}, lake)
    assert sorted((row["customer_id"], row["n"]) for row in lake.engine.rows(found)) == [
        ("C1", 9),
        ("C2", 2),
        ("C2", 3),
    ]


def test_a_case_carries_its_attempts() -> None:
    (case,) = cases({"C1": FAILED})
    assert (case.customer_id, case.error_class, case.reason) == ("C1", "tool_failure", "no answer")
    assert case.attempts == '[{"number": 1, "at_seconds": 0.1, "seconds": 30.0, "error": "no answer"}]'
