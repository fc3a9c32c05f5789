"""Escalations: one item for what is the same, which keeps its deadline, however often a step is run again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration_project.contracts.manifest import Manifest
from orchestration_project.escalations import MOST_REASONS, OTHER, Case, escalate, open_items
from orchestration_project.lake import Lake
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
STEP = "customer_data_collector"


@pytest.fixture
def lake(engine, tmp_path) -> Iterator[Lake]:
    yield Lake(tmp_path / "lake", engine)


@pytest.fixture(scope="module")
def workflow() -> Manifest:
    return manifest(Home(Path("/nowhere")), HEALTH)


def late(name: str, reason: str = "no answer within 30 s") -> Case:
    return Case(name, "tool_failure", reason, '[{"number": 1}]')


def test_many_cases_of_one_reason_are_one_item_with_each_of_them(lake: Lake, workflow: Manifest) -> None:
    escalate("support_tickets", STEP, [late(f"C{n}") for n in range(2000)], lake, workflow, NOW)
    (item,) = open_items(lake)
    assert (item["cases"], len(item["customers"])) == (2000, 2000)
    assert item["customers"][7] == {"customer_id": "C7", "attempts": '[{"number": 1}]'}
    assert (item["step"], item["about"], item["pathway"]) == (STEP, "support_tickets", "retry")
    assert (item["queue"], item["owner"]) == ("customer_success", "team:customer-success")
    assert item["deadline"] == NOW.replace(tzinfo=None) + timedelta(hours=24)
    assert item["expires_at"] == NOW.replace(tzinfo=None) + timedelta(days=14)


def test_reasons_and_classes_have_items_of_their_own(lake: Lake, workflow: Manifest) -> None:
    cases = [late("C1"), late("C2", "status 503"), Case("C3", "unexpected_output", "status 503")]
    assert len(escalate("support_tickets", STEP, cases, lake, workflow, NOW)) == 3


def test_a_server_with_a_new_excuse_for_everybody_does_not_flood_the_queue(lake: Lake, workflow: Manifest) -> None:
    items = escalate("invoices", STEP, [late(f"C{n}", f"failed at {n}") for n in range(500)], lake, workflow, NOW)
    assert len(items) == MOST_REASONS + 1
    assert sum(item["cases"] for item in items) == 500
    assert items[-1]["reason"] == OTHER


def test_what_is_raised_again_keeps_its_deadline_and_what_is_mended_is_gone(lake: Lake, workflow: Manifest) -> None:
    escalate("invoices", STEP, [late("C1")], lake, workflow, NOW)
    escalate("invoices", STEP, [late("C1"), late("C2")], lake, workflow, NOW + timedelta(hours=5))
    (item,) = open_items(lake)
    assert (item["cases"], item["raised_at"]) == (2, NOW.replace(tzinfo=None))
    escalate("support_tickets", STEP, [late("C1")], lake, workflow, NOW)
    escalate("invoices", STEP, [], lake, workflow, NOW + timedelta(days=1))
    assert [item["about"] for item in open_items(lake)] == ["support_tickets"]


def test_where_nothing_went_wrong_nothing_is_written(lake: Lake, workflow: Manifest) -> None:
    assert escalate("invoices", STEP, [], lake, workflow, NOW) == []
    assert not lake.has("escalations")
    assert open_items(lake) == []
