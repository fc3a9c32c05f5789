"""Every field of a manifest has an effect: what it changes is said here, field by field, and no field is left out."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from orchestration_project.agents import facts
from orchestration_project.agents.runtime import Limits
from orchestration_project.chains import takes
from orchestration_project.cli.workflows import graph_workflow, list_workflows, show_workflow
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.definitions import build
from orchestration_project.domain.plan import PlanRules
from orchestration_project.domain.rules import LearningRules
from orchestration_project.escalations import Case, escalate
from orchestration_project.planning import plan_rules
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.mcp import Collector

COLLECTOR, OUTREACH = "roles.customer_data_collector", "roles.outreach_agent"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ELSEWHERE = {
    "workflow": "the name of the file; every item, action and handoff carries it",
    "roles.*.agent": "an agent has its output and tools; another one is refused (tests/test_manifests.py)",
    "roles.*.output": "as the agent",
    "evaluation.*.step": "the table that is judged: another step has other columns (tests/test_manifests.py)",
    "evaluation.*.expression": "tests/cli/test_workflows.py scans with another one",
    "state.tables": "outputs that are not named are refused (tests/test_manifests.py)",
    "roles.*.acts.autonomy": "tests/assets/test_acting.py scans with each",
    "roles.*.acts.channel": "where messages go (tests/assets/test_acting.py)",
    "roles.*.acts.recorded_by": "tests/assets/test_acting.py delivers with and without it",
    "roles.*.acts.quiet_hours.start": "tests/assets/test_acting.py, tests/operations/test_outbox.py",
    "roles.*.acts.quiet_hours.end": "as `start`",
    "roles.*.acts.quiet_hours.weekends": "as `start`",
    "state.hysteresis": "tests/assets/test_acting.py scans with and without it",
    "handling.missing_or_invalid_data": "tests/assets/test_contracts.py scans with each pathway",
    "handling.unexpected_output": "as missing_or_invalid_data",
    "handling.human_needed": "has one pathway only",
}
"""Fields whose effect takes a scan to be seen, and where it is."""


def plan(workspace: Workspace) -> PlanRules:
    return plan_rules(workspace.workflow, LearningRules(), {})


def collector(workspace: Workspace) -> Limits:
    found = Collector.of(workspace.workflow, {}, workspace.home.path, print)
    return Limits.of(found.role, found.retry)


def asset(workspace: Workspace, name: str) -> Any:
    specs = build(workspace).resolve_all_asset_specs()
    return next(spec for spec in specs if spec.key.to_user_string() == name)


def checks(workspace: Workspace) -> dict[str, Any]:
    return {spec.name: spec for each in build(workspace).assets or () for spec in each.check_specs}


def escalated(workspace: Workspace) -> dict[str, Any]:
    with workspace.lake() as lake:
        return escalate("invoices", "s", [Case("C1", "tool_failure", "r")], lake, workspace.workflow, NOW)[0]


def request(workspace: Workspace) -> Any:
    row = {"customer_id": "C1", "play": "check_in", "variant": "check_in"}
    return facts.outreach(row, workspace.workflow.roles["outreach_agent"].plays)


def triggers(workspace: Workspace) -> set[str]:
    definitions = build(workspace)
    return {each.name for each in (*(definitions.schedules or ()), *(definitions.sensors or ()))}


def printed(show: Callable[[Home], None]) -> Callable[[Workspace, Any], str]:
    def read(workspace: Workspace, capsys: Any) -> str:
        show(workspace.home)
        return " ".join(capsys.readouterr().out.split())

    return read


LISTED = printed(lambda home: list_workflows(home, as_json=True))
SHOWN = printed(lambda home: show_workflow(home, "customer_health", as_json=True))
DRAWN = printed(lambda home: graph_workflow(home, "customer_health"))
BANDS = {f"connections.{n}.when.score": each for n, each in ((2, {"below": 3}), (3, {"at_least": 3, "below": 7.5}),
                                                             (4, {"at_least": 7.5}))}  # fmt: skip

EFFECTS: dict[str, tuple[dict[str, Any], Callable[..., Any], Any]] = {
    "version": ({"version": 7}, lambda w: w.workflow.version, 7),
    "description": ({"description": "Other words."}, LISTED, "Other words."),
    "objectives.*.description": ({"objectives.see_decline_early.description": "Otherwise."}, SHOWN, "Otherwise."),
    "objectives.*.measured_by": (
        {"objectives.see_decline_early.measured_by": ["in_range"]}, SHOWN, '"measured_by": [ "in_range" ]',
    ),
    "roles.*.responsibility": (
        {"roles.risk_assessor.responsibility": "Tell risks."}, lambda w: asset(w, "risk_scores").description,
        "Tell risks.",
    ),
    "roles.*.owner": (
        {"roles.risk_assessor.owner": "team:risk"}, lambda w: asset(w, "risk_scores").owners, "team:risk",
    ),
    "roles.*.tools": (
        {f"{OUTREACH}.tools": ["email.send"]}, lambda w: "crm.add_note" in w.workflow.tools_to_act, False,
    ),
    "roles.*.timeout_seconds": ({f"{COLLECTOR}.timeout_seconds": 7}, lambda w: collector(w).timeout_seconds, 7),
    "roles.*.deadline_seconds": ({f"{COLLECTOR}.deadline_seconds": 99}, lambda w: collector(w).deadline_seconds, 99),
    "roles.*.attempts": ({f"{COLLECTOR}.attempts": 5}, lambda w: collector(w).attempts, 5),
    "roles.*.backoff.first_seconds": (
        {f"{COLLECTOR}.backoff.first_seconds": 2}, lambda w: collector(w).backoff.first_seconds, 2,
    ),
    "roles.*.backoff.factor": ({f"{COLLECTOR}.backoff.factor": 3}, lambda w: collector(w).backoff.factor, 3),
    "roles.*.backoff.most_seconds": (
        {f"{COLLECTOR}.backoff.most_seconds": 9}, lambda w: collector(w).backoff.most_seconds, 9,
    ),
    "roles.*.concurrency": ({f"{COLLECTOR}.concurrency": 3}, lambda w: collector(w).concurrency, 3),
    "roles.*.patience_seconds": ({f"{COLLECTOR}.patience_seconds": 4}, lambda w: collector(w).patience_seconds, 4),
    "roles.*.acts.cap.actions": ({f"{OUTREACH}.acts.cap.actions": 3}, lambda w: plan(w).outreach.cap_actions, 3),
    "roles.*.acts.cap.days": ({f"{OUTREACH}.acts.cap.days": 30}, lambda w: plan(w).outreach.cap_days, 30),
    "roles.*.acts.capacity_per_owner": (
        {f"{OUTREACH}.acts.capacity_per_owner": 2}, lambda w: plan(w).outreach.capacity, 2,
    ),
    "roles.*.plays.*.factor": (
        {f"{OUTREACH}.plays.check_in.factor": "context"}, lambda w: plan(w).plays[0].factor, "context",
    ),
    "roles.*.plays.*.segments": (
        {f"{OUTREACH}.plays.check_in.segments": ["smb"]}, lambda w: plan(w).plays[0].segments, "smb",
    ),
    "roles.*.plays.*.templates": (
        {f"{OUTREACH}.plays.check_in.templates": ["check_in", "re_engage"]}, lambda w: plan(w).plays[0].variants,
        "re_engage",
    ),
    "roles.*.plays.*.promises": (
        {f"{OUTREACH}.plays.check_in.promises": ["discount"]}, lambda w: request(w).promises, "discount",
    ),
    "connections.*.from": ({"connections.1.from": "customer_data_collector", "connections.0.to": "risk_assessor",
                            "connections.0.from": "usage_pattern_analyser",
                            "connections.1.to": "usage_pattern_analyser"},
                           lambda w: w.workflow.following("customer_data_collector")[0].to, "usage_pattern_analyser"),
    "connections.*.to": ({"connections.5.to": "monitor"}, DRAWN, '"no score"| monitor'),
    "connections.*.when.score.at_least": (BANDS, lambda w: w.risk.scoring.high_from, 7.5),
    "connections.*.when.score.below": (BANDS, lambda w: takes(w.workflow.connections[3], 7.5), False),
    "handling.tool_failure": ({"handling.tool_failure": "review"}, lambda w: collector(w).attempts, 1),
    "evaluation.*.description": (
        {"evaluation.in_range.description": "Said anew."}, lambda w: checks(w)["in_range"].description, "Said anew.",
    ),
    "evaluation.*.severity": (
        {"evaluation.in_range.severity": "warn"}, lambda w: checks(w)["in_range"].blocking, False,
    ),
    "triggers": ({"triggers": ["daily_scan"]}, triggers, "daily_scan"),
    "escalation.queue": ({"escalation.queue": "desk"}, lambda w: escalated(w)["queue"], "desk"),
    "escalation.owner": ({"escalation.owner": "team:desk"}, lambda w: escalated(w)["owner"], "team:desk"),
    "escalation.deadline_hours": (
        {"escalation.deadline_hours": 5}, lambda w: escalated(w)["deadline"].replace(tzinfo=UTC) - NOW,
        timedelta(hours=5),
    ),
    "escalation.expires_after_days": (
        {"escalation.expires_after_days": 3}, lambda w: escalated(w)["expires_at"].replace(tzinfo=UTC) - NOW,
        timedelta(days=3),
    ),
}  # fmt: skip
SAME = {"connections.*.from"}
"""Changed in a way that leaves the workflow what it was: any other order of these steps is refused."""


@pytest.mark.parametrize("field", EFFECTS)
def test_a_field_changes_what_it_is_there_for(field: str, tmp_path: Any, own_manifest: Any, capsys: Any) -> None:
    changes, observe, expected = EFFECTS[field]
    takes_output = observe in (LISTED, SHOWN, DRAWN)

    def seen(home: Home) -> Any:
        workspace = Workspace(home, lambda: NOW)
        return observe(workspace, capsys) if takes_output else observe(workspace)

    before = seen(Home(tmp_path / "shipped"))
    changed = Home(tmp_path / "changed")
    own_manifest(changed, changes)
    after = seen(changed)
    assert after == before if field in SAME else after != before
    assert expected in after if isinstance(after, str | tuple | list | set | frozenset | dict) else after == expected


def fields(model: type[BaseModel] = Manifest, before: str = "") -> Iterator[str]:
    """Every field that holds a value, as a dotted place; `*` stands for names and numbers."""
    for name, field in model.model_fields.items():
        place = f"{before}{field.alias or name}"
        below, many = inner(field.annotation)
        if below is None:
            yield place
        else:
            yield from fields(below, f"{place}.*." if many else f"{place}.")


def inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model that a field holds, and whether it may hold several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin, arguments = get_origin(annotation), get_args(annotation)
    many = origin in (dict, tuple)
    if origin in (dict, tuple, Union, UnionType):
        for each in arguments:
            found, more = inner(each)
            if found is not None:
                return found, many or more
    return None, many


def test_no_field_is_left_out() -> None:
    assert set(fields()) == EFFECTS.keys() | ELSEWHERE.keys()
    assert not EFFECTS.keys() & ELSEWHERE.keys()
