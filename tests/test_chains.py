"""Chains: which way a customer takes, and what each step hands over, of rows alone."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration_project.chains import RESULTS, Scan, chain
from orchestration_project.contracts.handoff import Envelope, Failure, HandoffError, Profile, UsageTrend, parsed
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.manifest import AGENTS, Manifest
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home

DAY = date(2026, 11, 22)
COLLECTOR, ANALYSER, ASSESSOR = "customer_data_collector", "usage_pattern_analyser", "risk_assessor"
OUTREACH, ALERT = "outreach_agent", "account_manager_alert"
SCANNED, SCORED = datetime(2026, 11, 23, 7, tzinfo=UTC), datetime(2026, 11, 23, 7, 5, tzinfo=UTC)
WORKFLOW = manifest(Home(Path("/nowhere")), HEALTH)
TABLES = ("customer_profiles", "usage_trends", "risk_scores", "outreach_drafts", "account_alerts")


def scan(workflow: Manifest = WORKFLOW, tables: tuple[str, ...] = TABLES, **more: Any) -> Scan:
    return Scan(workflow, DAY, dict.fromkeys(tables, SCANNED), "abc", {"risk_scores": "run-1"}, **more)


def row(table: str, **values: Any) -> dict[str, Any]:
    """A row with all columns of a table, null where no value is given."""
    return {column.name: values.get(column.name) for column in LAKE_TABLES[table]}


def facts(**changed: Mapping[str, Any] | list[Any] | None) -> dict[str, Any]:
    """What the lake has of C1: whole, down, at medium risk and written to."""
    signed_up = datetime(2025, 1, 1)  # noqa: DTZ001 - as the lake has it
    whole: dict[str, Any] = {
        "customer_profiles": {"signed_up_at": signed_up, "missing": [], "complete": True, "name": "Acme"},
        "usage_trends": {"trend": "down", "decline_pct": 38.5, "overlap_decline_pct": 25.0, "significant": True},
        "risk_scores": {
            "score": 5.0, "band": "medium", "confidence": 0.9, "next_action": "outreach", "factors": ["usage_decline"],
            "contributions": [("usage_decline", 4.0)], "weights_version": "prior-1",
            "scored_at": SCORED.replace(tzinfo=None),
        },
        "outreach_drafts": {
            "play": "check_in", "factor": "usage_decline", "language": "en", "subject": "Hello", "body": "How are you?",
            "state": "verified", "problems": [], "written_by": "template check_in.en-1",
        },
        "account_alerts": None,
    }  # fmt: skip
    rows = {name: values and row(name, **values | (changed.get(name) or {})) for name, values in whole.items()}
    return {"customer_id": "C1", **rows, **{name: changed[name] for name in changed if changed[name] is None},
            **{name: changed[name] for name in ("escalations", "quarantine") if name in changed}}  # fmt: skip


def ways(told: list[Envelope]) -> list[tuple[str, str, str | None]]:
    return [(each.step, each.status, each.next_step) for each in told]


def escalation(about: str = "support_tickets", **changed: Any) -> dict[str, Any]:
    calls = [{"number": n, "at_seconds": n * 1.0, "seconds": 0.5, "error": "status 503"} for n in (1, 2, 3)]
    return {
        "key": "k1", "step": COLLECTOR, "error_class": "tool_failure", "reason": "status 503", "pathway": "retry",
        "cases": 7, "attempts": json.dumps(calls), "queue": "customer_success", "owner": "team:customer-success",
        "raised_at": datetime(2026, 11, 20, 9), "deadline": datetime(2026, 11, 21, 9),  # noqa: DTZ001
        "expires_at": datetime(2026, 12, 4, 9), "about": about,  # noqa: DTZ001
    } | changed  # fmt: skip


def test_a_chain_hands_on_from_the_first_step_to_the_last_that_the_customer_takes() -> None:
    told = chain(facts(), scan())
    assert ways(told) == [
        (COLLECTOR, "ok", ANALYSER), (ANALYSER, "ok", ASSESSOR), (ASSESSOR, "ok", OUTREACH), (OUTREACH, "ok", None),
    ]  # fmt: skip
    assert [each.data.kind for each in told if each.data] == ["profile", "usage_trend", "risk_assessment", "draft"]
    assert [each.timestamp for each in told] == [SCANNED, SCANNED, SCORED, SCANNED]
    assert [each.run_id for each in told] == [None, None, "run-1", None]
    assert [each.config_version for each in told] == [
        "manifest:customer_health-1; rules:abc",
        "manifest:customer_health-1; rules:abc",
        "manifest:customer_health-1; rules:abc; weights:prior-1",
        "manifest:customer_health-1; writer:template check_in.en-1",
    ]
    assert {(each.workflow_id, each.customer_id, each.as_of, each.attempt) for each in told} == {(HEALTH, "C1", DAY, 1)}
    assert len({each.idempotency_key for each in told}) == len(told)


def test_the_same_rows_give_the_same_chain_which_is_read_back_as_it_is() -> None:
    told = chain(facts(), scan())
    assert chain(facts(), scan()) == told
    assert [parsed(each.model_dump_json()) for each in told] == told


@pytest.mark.parametrize(
    ("score", "to"),
    [(1.0, "monitor"), (3.9999, "monitor"), (4.0, OUTREACH), (7.9999, OUTREACH), (8.0, ALERT), (10.0, ALERT)],
)
def test_a_range_of_scores_holds_its_beginning_and_not_its_end(score: float, to: str) -> None:
    assert chain(facts(risk_scores={"score": score}), scan())[2].next_step == to


def test_the_ranges_are_those_of_the_manifest() -> None:
    ranges = [{"at_least": 4, "below": 6}, {"at_least": 6}]
    content = WORKFLOW.model_dump(mode="json", by_alias=True)
    content["connections"][3]["when"]["score"], content["connections"][4]["when"]["score"] = ranges
    told = chain(facts(risk_scores={"score": 6.0}), scan(Manifest.model_validate(content)))
    assert told[2].next_step == ALERT


def test_a_customer_without_score_goes_to_review_with_the_reason() -> None:
    none = {"score": None, "no_score_reason": "insufficient_data", "contributions": None, "band": None,
            "next_action": "data_quality_review", "confidence": 0.0}  # fmt: skip
    last = chain(facts(risk_scores=none), scan())[-1]
    assert (last.step, last.status, last.next_step, last.reasons) == (
        ASSESSOR,
        "missing",
        "review",
        ("insufficient_data",),
    )


def test_a_customer_whose_score_rests_on_little_goes_to_a_person_whatever_the_score() -> None:
    last = chain(facts(risk_scores={"next_action": "human_review", "confidence": 0.3}), scan())[-1]
    assert (last.step, last.status, last.next_step, last.reasons) == (
        ASSESSOR,
        "partial",
        "review",
        ("low_confidence",),
    )


def test_what_is_missing_in_a_profile_is_told_and_handed_on() -> None:
    lacking = {"complete": False, "missing": [("tickets", "no_rows"), ("mrr", "empty")]}
    first = chain(facts(customer_profiles=lacking), scan())[0]
    assert (first.status, first.reasons, first.next_step) == ("partial", ("tickets: no_rows", "mrr: empty"), ANALYSER)
    assert isinstance(first.data, Profile)
    assert first.data.missing == {"tickets": "no_rows", "mrr": "empty"}


@pytest.mark.parametrize(
    ("trend", "missing", "status", "reasons", "factors"),
    [
        ("down", None, "ok", (), ("usage_decline",)),
        ("stopped", None, "ok", (), ("usage_decline",)),
        ("up", None, "ok", (), ()),
        ("unknown", "source_stale", "missing", ("source_stale",), ()),
        ("insufficient_history", None, "missing", ("insufficient_history",), ()),
    ],
)
def test_a_trend_names_its_risk_factors_or_why_there_is_none(trend, missing, status, reasons, factors) -> None:
    told = chain(facts(usage_trends={"trend": trend, "usage_missing": missing}), scan())[1]
    assert isinstance(told.data, UsageTrend)
    assert (told.status, told.reasons, told.data.risk_factors) == (status, reasons, factors)
    assert (told.data.usage_trend, told.next_step) == (trend, ASSESSOR)


def test_a_text_that_says_what_its_facts_do_not_goes_to_a_person() -> None:
    last = chain(facts(outreach_drafts={"state": "review", "problems": ["number 40 is no fact"]}), scan())[-1]
    assert (last.status, last.next_step, last.reasons) == ("partial", "review", ("number 40 is no fact",))


@pytest.mark.parametrize(("opted_out", "reason"), [(True, "opted_out"), (None, "not_written")])
def test_where_nothing_was_written_the_chain_says_why_and_ends(opted_out: bool | None, reason: str) -> None:
    last = chain(facts(customer_profiles={"opted_out": opted_out}, outreach_drafts=None), scan())[-1]
    assert (last.step, last.status, last.data, last.next_step, last.reasons) == (
        OUTREACH,
        "missing",
        None,
        None,
        (reason,),
    )


def planned(action: str, stopped_at: str | None = None) -> dict[str, Any]:
    return row("action_plan", action=action, state="medium", stopped_at=stopped_at)


def test_who_stays_in_a_band_below_its_edge_goes_where_the_plan_says() -> None:
    low = facts(risk_scores={"score": 3.9, "band": "low", "next_action": "monitor"})
    assert chain(low, scan())[-1].next_step == "monitor"
    told = chain(low | {"action_plan": planned("outreach")}, scan())
    assert ways(told)[-2:] == [(ASSESSOR, "ok", OUTREACH), (OUTREACH, "ok", None)]


@pytest.mark.parametrize("stage", ["control_group", "over_cap"])
def test_where_the_plan_stopped_the_chain_says_at_which_stage(stage: str) -> None:
    held = facts(outreach_drafts=None) | {"action_plan": planned("outreach", stage)}
    assert (chain(held, scan())[-1].status, chain(held, scan())[-1].reasons) == ("missing", (stage,))


def test_a_step_that_was_not_computed_ends_the_chain() -> None:
    told = chain(facts(usage_trends=None), scan(tables=("customer_profiles",)))
    assert ways(told) == [(COLLECTOR, "ok", ANALYSER), (ANALYSER, "missing", None)]
    assert (told[-1].reasons, told[-1].timestamp) == (("not_computed",), SCANNED)


def test_a_failed_collection_is_told_before_its_step_with_all_attempts() -> None:
    told = chain(facts(customer_profiles={"tickets_missing": "not_collected"}, escalations=[escalation()]), scan())
    failed, profile = told[:2]
    assert (failed.step, failed.status, failed.next_step, failed.reasons) == (
        COLLECTOR,
        "failed",
        "review",
        ("status 503",),
    )
    assert (failed.attempt, profile.attempt, told[2].attempt) == (3, 3, 1)
    assert (failed.timestamp, failed.run_id) == (datetime(2026, 11, 20, 9, tzinfo=UTC), None)
    assert isinstance(failed.data, Failure)
    assert [each.error for each in failed.data.attempts] == ["status 503"] * 3
    assert failed.idempotency_key != profile.idempotency_key


def test_a_call_that_was_never_made_counts_no_attempt() -> None:
    late = escalation(attempts="[]", reason="the deadline passed")
    told = chain(facts(customer_profiles={"tickets_missing": "not_collected"}, escalations=[late]), scan())
    assert [each.attempt for each in told[:2]] == [0, 0]


@pytest.mark.parametrize(
    ("about", "known"),
    [("support_tickets", None), ("usage_events.2026-11", "no_rows"), ("outreach_drafts.2026-11-21", None)],
)
def test_an_escalation_that_the_day_does_not_suffer_from_is_not_its(about: str, known: str | None) -> None:
    profile = {"tickets_missing": known, "usage_missing": known}
    told = chain(facts(customer_profiles=profile, escalations=[escalation(about)]), scan())
    assert "failed" not in {each.status for each in told}


def test_a_failure_about_the_days_texts_stands_before_the_draft() -> None:
    failed = escalation(f"outreach_drafts.{DAY}", step=OUTREACH, error_class="unexpected_output", attempts=None)
    told = chain(facts(escalations=[failed]), scan())
    assert ways(told)[-2:] == [(OUTREACH, "failed", "review"), (OUTREACH, "ok", None)]
    assert told[-2].attempt == 1


def test_a_failure_of_a_step_that_the_customer_did_not_come_to_is_told_last() -> None:
    told = chain(facts(escalations=[escalation(f"account_alerts.{DAY}", step=ALERT)]), scan())
    assert ways(told)[-2:] == [(OUTREACH, "ok", None), (ALERT, "failed", "review")]


def test_quarantined_rows_are_told_with_their_number() -> None:
    bad = {"source": "invoices", "reason": "amount is below 0", "rows": 3, "written_at": datetime(2026, 11, 23, 6)}  # noqa: DTZ001
    told = chain(facts(quarantine=[bad]), scan())[0]
    assert (told.step, told.status, told.next_step, told.reasons) == (
        COLLECTOR,
        "missing",
        None,
        ("amount is below 0",),
    )
    assert isinstance(told.data, Failure)
    assert (told.data.cases, told.data.about, told.data.queue) == (3, "invoices", None)
    nobody = chain({"customer_id": None, "quarantine": [bad]}, scan())
    assert [(each.customer_id, each.status) for each in nobody] == [(None, "missing")]


def test_the_order_of_failures_does_not_depend_on_that_of_their_rows() -> None:
    several = [escalation(key=key, reason=key) for key in ("b", "a", "c")]
    profile = {"tickets_missing": "not_collected"}
    orders = [chain(facts(customer_profiles=profile, escalations=each), scan()) for each in (several, several[::-1])]
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"risk_scores": {"score": 11.0}}, "score: Input should be less than or equal to 10"),
        ({"risk_scores": {"no_score_reason": "x"}}, "either a score or a reason"),
        ({"customer_profiles": {"mrr": float("nan")}}, "mrr: Input should be"),
        (
            {"customer_profiles": {"tickets_missing": "not_collected"}, "escalations": [escalation(attempts="[")]},
            "no JSON",
        ),
    ],
)
def test_a_row_that_does_not_fit_the_contract_is_refused_with_customer_and_cause(wrong, cause) -> None:
    with pytest.raises(HandoffError) as refused:
        chain(facts(**wrong), scan())
    assert "customer 'C1' on 2026-11-22" in str(refused.value)
    assert cause in str(refused.value)


def test_every_agent_has_handoffs() -> None:
    assert {output for output, _ in AGENTS.values()} <= RESULTS.keys()
