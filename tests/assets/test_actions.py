"""Drafts and alerts through Dagster: whatever the language model does, there is a text, and a person is told why."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.escalations import open_items

DAYS = DayRange(date(2026, 6, 27), date(2026, 6, 29))
DRAFTS, ALERTS = "outreach_drafts", "account_alerts"
EVERYBODY = "<facts>"
PLANNED = {"stopped_at": None, "autonomy": "approve", "cause": "usage_decline", "control": False, "assigned": True,
           "propensity": 0.9}  # fmt: skip
OUTREACH = PLANNED | {"action": "outreach", "state": "medium", "play": "check_in", "variant": "check_in",
                      "variant_propensity": 1.0}  # fmt: skip
ALERT = PLANNED | {"action": "alert", "state": "high", "play": "account_alert", "variant": None}
MONITOR = {"action": "monitor", "state": "low", "stopped_at": "low_risk", "play": None, "cause": None, "variant": None,
           "autonomy": None, "assigned": False}  # fmt: skip
PRICES = {"usd_per_million_input": 3, "usd_per_million_output": 15}
FAILURES = [
    (429, "tool_failure", "status 429", 2),
    (529, "tool_failure", "status 529", 2),
    (500, "tool_failure", "status 500", 2),
    (400, "missing_or_invalid_data", "status 400", 1),
    ("hang", "tool_failure", "no answer within 3 s", 2),
    ("truncate", "unexpected_output", "cut off at the limit of tokens", 2),
    ("cut", "unexpected_output", "does not have the shape", 2),
    ("shape", "unexpected_output", "does not have the shape", 2),
    ("prose", "unexpected_output", "does not have the shape", 2),
    ("refuse", "human_needed", "refused to write this text", 1),
]
"""What a model does, and the class, reason and attempts that a person is told."""


@dataclass
class Actions:
    """A company whose texts are written by a model."""

    company: Any

    def model(self, url: str, **settings: Any) -> None:
        told = {"name": "claude-test", "base_url": url, "timeout_seconds": 3, "attempts": 2, **settings}
        self.company.configure(language_model=told)

    def written(self, table: str = DRAFTS) -> tuple[pd.DataFrame, dict[str, Any], Any]:
        """The rows of the newest scan, what the asset told, and its check."""
        result = self.company.scan(DAYS.last, only=table)
        assert result.success
        told = self.company.written(result)[table][str(DAYS.last)]
        return self.company.rows(table, DAYS.last), told, self.company.checks(result)[f"{table}.verified"]

    def escalated(self) -> list[dict[str, Any]]:
        with self.company.workspace.lake() as lake:
            return [item for item in open_items(lake) if item["about"].startswith((DRAFTS, ALERTS))]


@pytest.fixture
def actions(copy: Any, monkeypatch: pytest.MonkeyPatch) -> Actions:
    """Seven customers are to be written to and two to be spoken about, the day after the last scan."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    file = copy.file("action_plan", DAYS.last)
    plan = pq.read_table(file, partitioning=None)
    chosen = plan["customer_id"].to_pylist()[:9]
    wanted = dict.fromkeys(chosen[:7], OUTREACH) | dict.fromkeys(chosen[7:], ALERT)
    rows = [row | wanted.get(row["customer_id"], MONITOR) for row in plan.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, plan.schema), file)
    return Actions(replace(copy, now=datetime(2026, 6, 30, 8, tzinfo=UTC)))


@pytest.fixture
def victim(actions: Actions) -> Any:
    """The profile of a customer who is to be written to, and whom the model does not serve."""
    plan = actions.company.rows("action_plan", DAYS.last)
    profiles = actions.company.rows("customer_profiles", DAYS.last)
    return profiles.merge(plan[plan.action == "outreach"][["customer_id"]]).iloc[3]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks after batches at once."""
    monkeypatch.setattr("orchestration_project.agents.anthropic_model.FIRST_LOOK_SECONDS", 0.01)


def by_model(rows: pd.DataFrame) -> pd.Series:
    return rows.written_by.str.startswith("claude-test ")


def test_texts_of_the_model_come_with_what_they_took(actions: Actions, messages_server: Any) -> None:
    actions.model(messages_server(latency_ms=20).url, **PRICES)
    rows, told, check = actions.written()
    assert by_model(rows).all() and set(rows.state) == {"verified"} and check.passed
    assert told["texts"] == told["asked of the model"] == len(rows)
    assert told["answers from before"] == 0
    assert told["input tokens"] > told["of these read from the model's cache"] >= 700
    assert told["output tokens"] > 0
    assert told["cost in USD at most"] == pytest.approx(
        (3 * told["input tokens"] + 15 * told["output tokens"]) / 1e6, abs=1e-4
    )
    assert told["slow seconds (95 %)"] >= told["median seconds"] >= 0.02
    assert actions.escalated() == []


def test_a_second_run_asks_nothing_and_writes_the_same(actions: Actions, messages_server: Any) -> None:
    server = messages_server()
    actions.model(server.url)
    first, _, _ = actions.written()
    asked = len(server.answered())
    server.stop()
    again, told, _ = actions.written()
    assert again.equals(first)
    assert (told["asked of the model"], told["answers from before"], asked) == (0, len(first), len(first))


@pytest.mark.parametrize(("does", "error_class", "reason", "attempts"), FAILURES)
def test_who_the_model_does_not_serve_gets_a_template_and_a_person_is_told(
    actions: Actions,
    messages_server: Callable[..., Any],
    victim: Any,
    does: Any,
    error_class: str,
    reason: str,
    attempts: int,
) -> None:
    actions.model(messages_server(behaviours={victim["name"]: does}).url)
    rows, told, check = actions.written()
    (spoilt,) = rows[~by_model(rows)].to_dict("records")
    assert spoilt["customer_id"] == victim.customer_id
    assert spoilt["written_by"].startswith("template ") and spoilt["state"] == "verified"
    assert reason in spoilt["model_failure"]
    assert told["written by a template in the model's place"] == 1
    assert check.passed
    (item,) = actions.escalated()
    assert (item["about"], item["error_class"]) == (f"{DRAFTS}.{DAYS.last}", error_class)
    assert item["step"] == "outreach_agent"
    assert reason in item["reason"]
    (case,) = item["customers"]
    assert case["customer_id"] == victim.customer_id
    assert [each["number"] for each in json.loads(case["attempts"])] == list(range(1, attempts + 1))
    assert all(reason in each["error"] for each in json.loads(case["attempts"]))


def test_what_passes_is_waited_out_and_nobody_is_bothered(actions: Actions, messages_server: Any) -> None:
    actions.model(messages_server(first=[429, 529, 500]).url, attempts=4)
    rows, _, _ = actions.written()
    assert by_model(rows).all()
    assert actions.escalated() == []


def test_a_key_that_is_refused_is_one_item_for_a_person(
    actions: Actions, messages_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong")
    actions.model(messages_server().url)
    rows, _, _ = actions.written()
    assert not by_model(rows).any()
    (item,) = actions.escalated()
    assert (item["error_class"], item["cases"]) == ("human_needed", len(rows))


def test_a_text_that_says_what_is_no_fact_is_kept_for_a_person(
    actions: Actions, messages_server: Any, victim: Any
) -> None:
    actions.model(messages_server(behaviours={victim["name"]: "obey"}).url)
    rows, told, check = actions.written()
    (held,) = rows[rows.state == "review"].to_dict("records")
    assert held["customer_id"] == victim.customer_id
    assert told["for a person to look at"] == 1
    assert not check.passed
    assert {item["error_class"] for item in actions.escalated()} == {"unexpected_output"}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("does", ["errored", "expired"])
def test_entries_of_a_batch_that_failed_are_asked_for_one_by_one(
    actions: Actions, messages_server: Any, victim: Any, does: str
) -> None:
    server = messages_server(behaviours={victim["name"]: does})
    actions.model(server.url, batch_from=2)
    rows, _, _ = actions.written()
    assert by_model(rows).all()
    assert ["batch" in each for each in server.answered()] == [True, False]
    assert actions.escalated() == []


@pytest.mark.usefixtures("no_waiting")
def test_an_entry_of_a_batch_that_was_refused_is_for_a_person(
    actions: Actions, messages_server: Any, victim: Any
) -> None:
    actions.model(messages_server(behaviours={victim["name"]: "refuse"}).url, batch_from=2)
    rows, _, _ = actions.written()
    assert list(rows[~by_model(rows)].customer_id) == [victim.customer_id]
    assert [item["error_class"] for item in actions.escalated()] == ["human_needed"]


@pytest.mark.usefixtures("no_waiting")
def test_a_late_batch_is_bridged_by_templates_and_picked_up_by_the_next_run(
    actions: Actions, messages_server: Any
) -> None:
    server = messages_server(batch_polls=2)
    actions.model(server.url, batch_from=2, batch_wait_minutes=0)
    rows, _, _ = actions.written()
    assert not by_model(rows).any()
    (item,) = actions.escalated()
    assert (item["error_class"], item["cases"]) == ("tool_failure", len(rows))
    assert "a later run picks up what it answers" in item["reason"]
    actions.model(server.url, batch_from=2, batch_wait_minutes=1)
    rows, _, _ = actions.written()
    assert by_model(rows).all()
    assert [each.get("requests") for each in server.answered()] == [len(rows)]
    assert actions.escalated() == []


def test_an_alert_whose_texts_the_model_refuses_says_why_by_template(actions: Actions, messages_server: Any) -> None:
    actions.model(messages_server(behaviours={EVERYBODY: "refuse"}).url)
    rows, _, _ = actions.written(ALERTS)
    assert len(rows) and rows.written_by.str.startswith("template ").all()
    assert rows.narrative.str.startswith("Risk ").all()
    (item,) = actions.escalated()
    assert (item["error_class"], item["cases"]) == ("human_needed", 2 * len(rows))


def test_a_day_that_is_over_has_no_texts(actions: Actions) -> None:
    result = actions.company.scan(DAYS.first, only=DRAFTS)
    assert result.success
    assert actions.company.rows(DRAFTS, DAYS.first).empty


def test_a_model_without_a_key_is_an_error_that_says_so(
    actions: Actions, messages_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    actions.model(messages_server().url)
    result = actions.company.scan(DAYS.last, only=DRAFTS)
    assert not result.success
    assert "ANTHROPIC_API_KEY is not set" in str(result.get_step_failure_events()[0].step_failure_data.error)
