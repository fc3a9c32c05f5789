"""Chains: the handoffs of one customer on one scan day, along the way that it takes. Pure: rows in, envelopes out."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from orchestration_project.contracts.handoff import (
    Alert,
    Data,
    Draft,
    Envelope,
    Failure,
    HandoffError,
    Profile,
    RiskAssessment,
    Status,
    UsageTrend,
    enveloped,
    misfit,
)
from orchestration_project.contracts.manifest import Connection, Manifest
from orchestration_project.sources.collected import PARTS

PROFILES, TRENDS, SCORES = "customer_profiles", "usage_trends", "risk_scores"
PLAN = "action_plan"
TEXTS = {"outreach": "outreach_drafts", "alert": "account_alerts"}
"""What is written for each action of the plan."""
REVIEW = "review"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Scan:
    """What all handoffs of a workflow on one scan day have in common."""

    workflow: Manifest
    day: date
    written_at: Mapping[str, datetime]
    """When the day of each table was written; tables without the day are not in it."""
    rules_version: str | None = None
    run_ids: Mapping[str, str] = field(default_factory=dict)
    """The run that wrote the day of each table, where that is known."""


class Found(NamedTuple):
    """What a step found out about a customer, and what is wrong with it."""

    data: Data | None
    status: Status
    reasons: Sequence[str] = ()


def chain(facts: Row, scan: Scan) -> list[Envelope]:
    """The handoffs of a customer in the order of its steps, each step's failures first.

    `facts` are `customer_id`, one row (or None) under the name of each table that a step writes and of the plan, and
    lists of rows under `escalations` and `quarantine`. Raises `HandoffError` where a row does not fit its contract.
    """
    try:
        return list(_chain(facts, scan))
    except (ValidationError, json.JSONDecodeError) as error:
        cause = misfit(error) if isinstance(error, ValidationError) else f"attempts that are no JSON ({error})"
        raise HandoffError(
            f"What the lake has of customer {facts['customer_id']!r} on {scan.day} does not fit the handoff contract: "
            f"{cause}; scan the day again."
        ) from error


def takes(connection: Connection, score: float | None) -> bool:
    """Whether a customer with this score takes a connection: ranges hold their beginning, and not their end."""
    if connection.when is None:
        return True
    wanted = connection.when.score
    if wanted == "missing" or score is None:
        return wanted == "missing" and score is None
    first, end = wanted.ends
    return first <= score < end


def _chain(facts: Row, scan: Scan) -> Iterator[Envelope]:
    failures = [_failed(each, facts, scan) for each in _escalated(facts, scan)]
    failures += [_unusable(each, facts, scan) for each in facts.get("quarantine") or ()]
    failures.sort(key=lambda each: each.data.key if isinstance(each.data, Failure) else "")
    step = scan.workflow.first
    way: str | None = step if facts.get(scan.workflow.roles[step].output) else None
    seen = set()
    while way in scan.workflow.roles:
        own = [each for each in failures if each.step == way]
        yield from own
        result = _result(way, facts, own, scan)
        yield result
        seen.add(way)
        way = result.next_step
    yield from (each for each in failures if each.step not in seen)


def _escalated(facts: Row, scan: Scan) -> Iterator[Row]:
    """Escalations that are about the day, or about a source whose facts the day lacks for that reason."""
    profile = facts.get(PROFILES) or {}
    for each in facts.get("escalations") or ():
        about, _, of = each["about"].partition(".")
        unknown = about in PARTS and profile.get(f"{PARTS[about]}_missing") == "not_collected"
        if unknown or of == str(scan.day):
            yield each


def _failed(row: Row, facts: Row, scan: Scan) -> Envelope:
    attempts = json.loads(row["attempts"]) if row["attempts"] else None
    data = Failure.model_validate({**row, "kind": "failure", "attempts": attempts or ()})
    tried = 1 if attempts is None else len(data.attempts)
    return _enveloped(row["step"], facts, scan, Found(data, "failed", [data.reason]), row["raised_at"], tried, REVIEW)


def _unusable(row: Row, facts: Row, scan: Scan) -> Envelope:
    """Rows of a source that were quarantined for one reason: nobody waits for them."""
    workflow = scan.workflow
    step = workflow.step("collector")
    key = hashlib.sha256("\n".join((workflow.workflow, row["source"], step, row["reason"])).encode()).hexdigest()[:24]
    data = Failure(
        kind="failure", key=key, about=row["source"], error_class="missing_or_invalid_data", reason=row["reason"],
        pathway=workflow.handling.missing_or_invalid_data, cases=row["rows"], attempts=(), queue=None,
        owner=workflow.roles[step].owner, deadline=None, expires_at=None,
    )  # fmt: skip
    return _enveloped(step, facts, scan, Found(data, "missing", [data.reason]), row["written_at"])


def _result(step: str, facts: Row, failures: Sequence[Envelope], scan: Scan) -> Envelope:
    table = scan.workflow.roles[step].output
    row = facts.get(table)
    found = RESULTS[table](row) if row else _nothing(table, facts, scan)
    to = _next_step(step, row, facts.get(PLAN), scan.workflow) if row else None
    at = row["scored_at"] if row and table == SCORES else scan.written_at.get(table, max(scan.written_at.values()))
    tried = [each.attempt for each in failures if each.status == "failed"]
    return _enveloped(step, facts, scan, found, at, max(tried, default=1), to)


def _next_step(step: str, row: Row, plan: Row | None, workflow: Manifest) -> str | None:
    """Where the manifest leads; to a person, where the score or the text must not be acted on without one.

    Where there is a plan, it says what the score leads to: a stay in a band outlasts scores just beyond its edge.
    """
    if row.get("next_action") == "human_review" or row.get("state") == "review":
        return REVIEW
    if plan and workflow.roles[step].output == SCORES:
        wanted = TEXTS.get(plan["action"])
        planned = (name for name, role in workflow.roles.items() if role.output == wanted)
        if to := next(planned, None):
            return to
    return next((each.to for each in workflow.following(step) if takes(each, row.get("score"))), None)


def _enveloped(
    step: str, facts: Row, scan: Scan, found: Found, at: datetime, attempt: int = 1, to: str | None = None
) -> Envelope:
    failure = isinstance(found.data, Failure)
    # What is raised again keeps the time when it first was, so it is not of the latest run.
    run = None if failure else scan.run_ids.get(scan.workflow.roles[step].output)
    return enveloped(
        workflow_id=scan.workflow.workflow, step=step, customer_id=facts["customer_id"], as_of=scan.day,
        data=found.data, next_step=to, timestamp=at, run_id=run, attempt=attempt, status=found.status,
        reasons=tuple(found.reasons), config_version=_configuration(None if failure else step, facts, scan),
    )  # fmt: skip


def _configuration(step: str | None, facts: Row, scan: Scan) -> str:
    """The versions of what decided a step's output; of a failure, only the manifest's."""
    versions = {"manifest": f"{scan.workflow.workflow}-{scan.workflow.version}"}
    table = scan.workflow.roles[step].output if step else None
    row = facts.get(table) or {} if table else {}
    if table in (PROFILES, TRENDS, SCORES):
        versions["rules"] = scan.rules_version or ""
    versions |= {"weights": row.get("weights_version", ""), "writer": row.get("written_by", "")}
    return "; ".join(f"{name}:{version}" for name, version in versions.items() if version)


def _nothing(table: str, facts: Row, scan: Scan) -> Found:
    """Why a step has no row about a customer who came to it."""
    if table not in scan.written_at:
        return Found(None, "missing", ["not_computed"])
    stopped = (facts.get(PLAN) or {}).get("stopped_at")
    opted_out = table == TEXTS["outreach"] and (facts.get(PROFILES) or {}).get("opted_out")
    return Found(None, "missing", [stopped or ("opted_out" if opted_out else "not_written")])


def _profile(row: Row) -> Found:
    missing = dict(row["missing"] or ())
    data = Profile.model_validate({**row, "kind": "profile", "missing": missing})
    return Found(data, "ok" if data.complete else "partial", [f"{name}: {why}" for name, why in missing.items()])


def _trend(row: Row) -> Found:
    trend = row["trend"]
    data = UsageTrend.model_validate(
        {
            **row, "kind": "usage_trend", "usage_trend": trend, "decline_percentage": row["decline_pct"],
            "overlap_decline_percentage": row["overlap_decline_pct"],
            "risk_factors": ["usage_decline"] if trend in ("down", "stopped") else [],
        }
    )  # fmt: skip
    if trend in ("unknown", "insufficient_history"):
        return Found(data, "missing", [data.usage_missing or trend])
    return Found(data, "ok")


def _assessment(row: Row) -> Found:
    told = {"risk_factors": row["factors"] or (), "contributions": dict(row["contributions"] or ())}
    data = RiskAssessment.model_validate({**row, "kind": "risk_assessment", **told})
    if data.no_score_reason is not None:
        return Found(data, "missing", [data.no_score_reason])
    return Found(data, "partial", ["low_confidence"]) if data.next_action == "human_review" else Found(data, "ok")


def _draft(row: Row) -> Found:
    return _text(Draft.model_validate({**row, "kind": "draft", "problems": row["problems"] or ()}))


def _alert(row: Row) -> Found:
    return _text(Alert.model_validate({**row, "kind": "alert", "problems": row["problems"] or ()}))


def _text(data: Draft | Alert) -> Found:
    return Found(data, "ok") if data.state == "verified" else Found(data, "partial", data.problems or [REVIEW])


RESULTS: Mapping[str, Callable[[Row], Found]] = {
    PROFILES: _profile, TRENDS: _trend, SCORES: _assessment, "outreach_drafts": _draft, "account_alerts": _alert,
}  # fmt: skip
"""What is made of the row that a step wrote, by its table."""
