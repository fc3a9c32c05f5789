"""Handoffs: what is read of the lake for one customer and for all, from tables as they are written."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest

from orchestration_project.contracts.handoff import HandoffError, parsed
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.engine import ROWS_AT_A_TIME
from orchestration_project.escalations import Case, escalate
from orchestration_project.handoffs import Handoffs
from orchestration_project.lake import Lake, LakeError
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home

DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
STEP = "customer_data_collector"


@pytest.fixture(scope="module")
def workflow() -> Manifest:
    return manifest(Home(Path("/nowhere")), HEALTH)


@pytest.fixture
def lake(engine, tmp_path) -> Iterator[Lake]:
    found = Lake(tmp_path / "lake", engine)
    yield found
    found.close()


def write(lake: Lake, table: str, rows: list[dict[str, Any]], key: str = str(DAY), column: str = "scan_day") -> None:
    types = {each.name: each.type for each in LAKE_TABLES[table] if each.name != column}
    values = [{name: row.get(name) for name in types} for row in rows]
    written = lake.engine.keep(ibis.memtable(values, schema=types))
    lake.replace(table, written.mutate(**{column: ibis.literal(key)}), [key], column)


def scanned(lake: Lake, names: list[str], not_collected: tuple[str, ...] = ()) -> None:
    """A day on which all are well, but for tickets that could not be collected."""
    signed_up, at = datetime(2025, 1, 1), NOW.replace(tzinfo=None)  # noqa: DTZ001 - as the lake has it
    profiles = [
        {"customer_id": name, "signed_up_at": signed_up, "missing": {}, "complete": True,
         "tickets_missing": "not_collected" if name in not_collected else None}
        for name in names
    ]  # fmt: skip
    write(lake, "customer_profiles", profiles)
    write(lake, "usage_trends", [{"customer_id": name, "trend": "flat", "significant": False} for name in names])
    write(lake, "risk_factors", [{"customer_id": name, "rules_version": "abc"} for name in names])
    score = {"score": 2.0, "band": "low", "confidence": 0.9, "next_action": "monitor", "factors": [],
             "contributions": {"base": 1.0}, "weights_version": "prior-1", "scored_at": at}  # fmt: skip
    write(lake, "risk_scores", [{"customer_id": name} | score for name in names])


def test_all_handoffs_are_those_of_each_customer_one_after_the_other(lake: Lake, workflow: Manifest) -> None:
    names = [f"C{n:04}" for n in range(ROWS_AT_A_TIME + 5)]
    scanned(lake, names[::-1])
    handoffs = Handoffs(lake, workflow, DAY)
    told = list(handoffs.each())
    assert [each.customer_id for each in told] == [name for name in names for _ in range(3)]
    assert [each.next_step for each in told[:3]] == ["usage_pattern_analyser", "risk_assessor", "monitor"]
    for name in (names[0], names[-1]):
        assert handoffs.of(name) == [each for each in told if each.customer_id == name]
    assert "rules:abc; weights:prior-1" in told[2].config_version
    assert [parsed(each.model_dump_json()) for each in told[:3]] == told[:3]


def test_a_customer_of_whom_nothing_is_known_that_day_has_none(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"])
    assert Handoffs(lake, workflow, DAY).of("C2") == []


def test_a_day_that_was_not_scanned_is_refused_with_a_sentence(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"])
    with pytest.raises(LakeError, match="no customer_profiles for scan_day 2026-11-21; run `orchestrate backfill`"):
        Handoffs(lake, workflow, DAY - timedelta(days=1))


def test_who_could_not_be_collected_has_a_failure_with_its_attempts(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1", "C2", "C3"], not_collected=("C1", "C2"))
    calls = '[{"number": 1, "at_seconds": 0.0, "seconds": 30.0, "error": "no answer within 30 s"}]'
    cases = [Case(name, "tool_failure", "no answer within 30 s", calls) for name in ("C1", "C2", "C3")]
    escalate("support_tickets", STEP, cases, lake, workflow, NOW)
    told = list(Handoffs(lake, workflow, DAY).each())
    failed = [each for each in told if each.status == "failed"]
    assert [(each.customer_id, each.step, each.attempt) for each in failed] == [("C1", STEP, 1), ("C2", STEP, 1)]
    assert failed[0].timestamp == NOW
    assert Handoffs(lake, workflow, DAY).of("C1")[0] == failed[0]


def test_escalations_of_another_workflow_are_not_told(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"], not_collected=("C1",))
    other = workflow.model_copy(update={"workflow": "support_inbox"})
    escalate("support_tickets", STEP, [Case("C1", "tool_failure", "away")], lake, other, NOW)
    assert [each.status for each in Handoffs(lake, workflow, DAY).each()] == ["ok"] * 3


def test_quarantined_rows_are_counted_per_customer_source_and_reason(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"])
    bad = [
        {"customer_id": name, "reason": "amount is below 0", "original": "x", "rows": 1}
        for name in ("C1", "C1", "C9", None)
    ]
    write(lake, "quarantine", bad, "invoices", "source")
    write(lake, "quarantine", [], "customers", "source")
    told = [each for each in Handoffs(lake, workflow, DAY).each() if each.data and each.data.kind == "failure"]
    assert [(each.customer_id, each.data.cases) for each in told if each.data] == [(None, 1), ("C1", 2), ("C9", 1)]
    assert {(each.status, each.timestamp) for each in told} == {
        ("missing", lake.written_at("quarantine", "invoices", "source"))
    }
    assert [each.status for each in Handoffs(lake, workflow, DAY).of("C9")] == ["missing"]


@pytest.mark.parametrize(
    ("month", "told"), [("2026-12", 0), ("2026-11", 1), ("2025-11", 1), ("2025-10", 0), ("undated", 1)]
)
def test_usage_that_was_quarantined_counts_in_months_that_the_day_looks_back_on(lake, workflow, month, told) -> None:
    scanned(lake, ["C1"])
    write(lake, "quarantine", [{"customer_id": "C1", "reason": "bad", "rows": 1}], f"usage_events.{month}", "source")
    assert len(Handoffs(lake, workflow, DAY).of("C1")) == 3 + told


def test_months_that_an_earlier_release_quarantined_name_nobody(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"])
    old = lake.engine.keep(ibis.memtable({"reason": ["bad"], "original": ["x"], "rows": [1]}))
    lake.replace("quarantine", old.mutate(source=ibis.literal("invoices")), ["invoices"], "source")
    assert [each.customer_id for each in Handoffs(lake, workflow, DAY).each()] == [None, "C1", "C1", "C1"]


def test_the_runs_that_wrote_are_asked_for_once_and_told(lake: Lake, workflow: Manifest) -> None:
    scanned(lake, ["C1"])
    asked: list[list[str]] = []

    def runs(tables: Any) -> dict[str, str]:
        asked.append(list(tables))
        return {"risk_scores": "r1"}

    told = list(Handoffs(lake, workflow, DAY, runs).each())
    assert [each.run_id for each in told] == [None, None, "r1"]
    assert asked == [["customer_profiles", "usage_trends", "risk_scores"]]


def test_a_workflow_whose_tables_are_not_of_scan_days_is_refused(lake: Lake, workflow: Manifest) -> None:
    role = workflow.roles[STEP].model_copy(update={"output": "tickets_sorted"})
    other = workflow.model_copy(update={"roles": workflow.roles | {STEP: role}})
    with pytest.raises(HandoffError, match="customer_health writes tickets_sorted, which has no handoffs per scan day"):
        Handoffs(lake, other, DAY)
