"""Handoffs: what is written can be read again and nothing else, and what a version promised holds."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from docs import generate
from orchestration_project.contracts.compatibility import incompatibilities
from orchestration_project.contracts.handoff import (
    SCHEMA_VERSION,
    TABLES,
    Draft,
    Envelope,
    Failure,
    HandoffError,
    UsageTrend,
    enveloped,
    parsed,
    schemas,
)
from orchestration_project.contracts.lake_tables import LAKE_TABLES

TREND = UsageTrend(
    kind="usage_trend", usage_trend="down", decline_percentage=38.5, risk_factors=("usage_decline",),
    overlap_decline_percentage=25.0, significant=True, decline_z=-2.5, usage_30d=40.0, usage_prior_60d=130.0,
    rate_30d=1.33, rate_prior_60d=2.17, active_days_30d=9, active_days_prior_60d=31, last_used_on=date(2026, 11, 20),
    days_since_use=2, typical_gap_days=2.5, observed_days=365, usage_missing=None,
)  # fmt: skip
FAILURE = Failure(
    kind="failure", key="k1", about="support_tickets", error_class="tool_failure", reason="no answer", pathway="retry",
    cases=1, attempts=(), queue="customer_success", owner="team:customer-success", deadline=None, expires_at=None,
)  # fmt: skip


def envelope(**changed: Any) -> Envelope:
    fields: dict[str, Any] = {
        "workflow_id": "customer_health", "step": "usage_pattern_analyser", "customer_id": "C1",
        "as_of": date(2026, 11, 22), "data": TREND, "next_step": "risk_assessor",
        "timestamp": datetime(2026, 11, 23, 7, tzinfo=UTC), "run_id": "r1", "attempt": 1, "status": "ok", "reasons": (),
        "config_version": "manifest:customer_health-1",
    }  # fmt: skip
    return enveloped(**fields | changed)


def changed(**fields: Any) -> str:
    """The JSON of the envelope, with other fields than it was written with."""
    return json.dumps(json.loads(envelope().model_dump_json()) | fields)


def test_an_envelope_has_the_fields_that_were_asked_for_and_those_of_the_design() -> None:
    told = json.loads(envelope().model_dump_json())
    assert list(told) == [
        "schema_version", "workflow_id", "step", "customer_id", "as_of", "data", "next_step", "timestamp", "run_id",
        "attempt", "status", "reasons", "config_version", "idempotency_key",
    ]  # fmt: skip
    assert (told["schema_version"], told["timestamp"]) == (SCHEMA_VERSION, "2026-11-23T07:00:00Z")
    named = {"usage_trend": "down", "decline_percentage": 38.5, "risk_factors": ["usage_decline"]}
    assert told["data"].items() >= named.items()


def test_what_was_written_is_read_as_the_same() -> None:
    for each in (
        envelope(),
        envelope(data=None, status="missing", reasons=("not_computed",), next_step=None),
        envelope(data=FAILURE, status="failed", reasons=("no answer",), customer_id=None, run_id=None),
    ):
        assert parsed(each.model_dump_json()) == each


def test_a_field_that_a_later_release_added_is_ignored() -> None:
    assert parsed(changed(mood="fine")) == envelope()


@pytest.mark.parametrize("version", [2, 0, None, "1", True, 1.0])
def test_a_version_that_is_not_known_is_refused_with_a_sentence(version: Any) -> None:
    with pytest.raises(HandoffError) as refused:
        parsed(changed(schema_version=version))
    assert f"has schema_version {version!r}, and this release reads 1 only; use the release" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "The handoff is no JSON"),
        ("[" * 100_000, "The handoff is no JSON"),
        (b"\xff{}", "The handoff is no JSON"),
        (changed().replace("38.5", "NaN"), "The handoff is no JSON"),
        ("[]", "has schema_version None"),
        (changed(step="risk_assessor"), "idempotency_key is not that of the other fields"),
        (changed(attempt="1"), "attempt: Input should be a valid integer"),
        (changed(status="failed", reasons=["x"]), "status failed can't have usage_trend data"),
        (changed(status="missing"), "there are reasons exactly where the status is not ok"),
        (changed(data={"kind": "rumour"}), "data: Input tag 'rumour'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_place_and_the_cause(text: str | bytes, sentence: str) -> None:
    with pytest.raises(HandoffError) as refused:
        parsed(text)
    assert sentence in str(refused.value)
    assert str(refused.value).endswith("again." if "schema_version None" not in sentence else "this one.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "ok", "data": None},
        {"status": "partial", "data": FAILURE, "reasons": ("x",)},
        {"status": "ok", "reasons": ("x",)},
        {"status": "failed", "data": TREND, "reasons": ("x",)},
    ],
)
def test_an_envelope_that_contradicts_itself_can_not_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        envelope(**wrong)


@pytest.mark.parametrize(
    "other",
    [{"workflow_id": "w"}, {"step": "s"}, {"customer_id": "C2"}, {"customer_id": None}, {"as_of": date(2026, 11, 21)},
     {"config_version": "manifest:customer_health-2"}, {"data": FAILURE, "status": "failed", "reasons": ("x",)}],
)  # fmt: skip
def test_the_idempotency_key_is_another_for_another_handoff(other: dict[str, Any]) -> None:
    assert envelope(**other).idempotency_key != envelope().idempotency_key


def test_the_idempotency_key_is_the_same_whoever_computed_it_and_when() -> None:
    again = envelope(run_id="r2", timestamp=datetime(2026, 12, 1, tzinfo=UTC), attempt=2)
    assert again.idempotency_key == envelope().idempotency_key
    assert envelope(customer_id="None").idempotency_key != envelope(customer_id=None).idempotency_key


def test_every_field_of_every_schema_says_what_it_means() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in schemas().items()
        for field, told in schema["properties"].items()
        if "description" not in told and field not in ("kind", "data", "attempts")
    ]
    assert silent == []


def test_a_field_that_is_called_after_a_column_is_one() -> None:
    own = {
        "usage_trend", "decline_percentage", "risk_factors", "overlap_decline_percentage", "attempts", "kind",
    }  # fmt: skip
    strangers = {
        model.__name__: unknown
        for model, table in TABLES.items()
        if (unknown := model.model_fields.keys() - own - {column.name for column in LAKE_TABLES[table]})
    }
    assert strangers == {}


def test_the_schemas_break_no_promise_of_their_version() -> None:
    assert (generate.FOLDER / "schemas" / f"v{SCHEMA_VERSION}").is_dir()
    assert list(generate.broken_promises(generate.FOLDER)) == []


def test_a_promise_that_is_broken_is_told_with_file_and_cause(tmp_path: Path) -> None:
    for name, text in generate.schema_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(generate.broken_promises(tmp_path)) == []
    file = tmp_path / "schemas" / "v1" / "draft.json"
    file.write_text(file.read_text().replace('"subject"', '"headline"'))
    (file.parent / "visit.json").write_text("{}")
    assert list(generate.broken_promises(tmp_path)) == [
        "draft.json: the document has no field headline any more",
        "draft.json: the document must have a field subject now",
        "visit.json: the whole schema is gone",
    ]


def test_the_schema_of_the_envelope_holds_those_of_all_data() -> None:
    whole = schemas()["envelope"]
    for name, schema in schemas().items():
        if name != "envelope":
            inner = {**whole["$defs"][schema["title"]], "$defs": whole["$defs"]}
            assert incompatibilities(schema, inner) == incompatibilities(inner, schema) == []
    assert whole["$defs"]["Draft"]["properties"].keys() == Draft.model_fields.keys()
