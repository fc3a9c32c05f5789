"""Drafting: texts about the customers of a scan day, for those who are to be written to or spoken about."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project.agents import facts
from orchestration_project.agents.model import Actions, Draft, LanguageModel, Narrative, Request
from orchestration_project.agents.replies import Replies
from orchestration_project.agents.templates_model import TEMPLATE, Templates
from orchestration_project.agents.writer import Result, Written, write
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.domain.days import DayRange
from orchestration_project.escalations import Case
from orchestration_project.lake import Lake
from orchestration_project.quarantine import CheckedStep
from orchestration_project.resources import Workspace
from orchestration_project.settings import SettingsError
from orchestration_project.sources.collected import case_of

DRAFTS, ALERTS = "outreach_drafts", "account_alerts"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
Row = dict[str, Any]


@dataclass(frozen=True)
class Drafted:
    """What the texts of one scan day took."""

    figures: Mapping[str, Any]
    review: int
    """Texts that a person must look at, because they say what their facts don't."""
    left_out: int
    """Customers without a text, because a row of theirs breaks a contract."""


class Drafting:
    """Has the texts of a scan day written."""

    def __init__(self, lake: Lake, workspace: Workspace, workflow: Manifest, log: Callable[[str], None]) -> None:
        self._lake, self._workspace, self._workflow, self._log = lake, workspace, workflow, log

    def write(self, table: str, day: date) -> Drafted:
        """Writes a day of `outreach_drafts` or `account_alerts`; who could not be served by the model is escalated."""
        step = CheckedStep(DayRange(day, day), self._lake, self._workspace)
        people = self._people(step, table)
        plays = self._workflow.roles[self._workflow.step("outreach")].plays
        if table == DRAFTS:
            requests = [facts.outreach(row, plays) for row in people]
        else:
            requests = [request for row in people for request in (facts.narrative(row), facts.actions(row))]
        templates = Templates()
        with self._model() as model:
            result = write(requests, model, templates, self._strangers(step))
        rows = _drafts(result, day) if table == DRAFTS else _alerts(result, people, day)
        step.write(table, _table(rows, table, self._lake), _cases(result))
        review = sum(text.state == "review" for text in result.written)
        return Drafted(self._figures(result, model), review, step.left_out[day])

    @contextmanager
    def _model(self) -> Iterator[LanguageModel]:
        settings = self._workspace.settings.language_model
        if settings.name is None:
            yield Templates()
            return
        key = os.environ.get(KEY_VARIABLE)
        if not key:
            raise SettingsError(
                f"`language_model.name` in {self._workspace.home.settings_file} is {settings.name}, but {KEY_VARIABLE} "
                "is not set; export it, or remove the name to write by templates."
            )
        from orchestration_project.agents.anthropic_model import Anthropic

        with Replies(self._workspace.home.replies) as replies:
            yield Anthropic(settings, replies, key, self._log)

    def _people(self, step: CheckedStep, table: str) -> list[Row]:
        """The customers whom a table is about, with all that texts are made of.

        A message is written where one is planned; an alert also where it was given before, to bring it up to date.
        """
        scores, profiles, trends, plan = (step.read(name).select(*columns) for name, columns in facts.COLUMNS.items())
        if table == DRAFTS:
            wanted = plan.filter(plan.action == "outreach", plan.stopped_at.isnull(), plan.autonomy != "shadow")
        else:
            going_on = plan.stopped_at.isnull() | (plan.stopped_at == "already_acted")
            wanted = plan.filter(plan.action == "alert", going_on)
        joined = wanted.inner_join(scores, "customer_id").inner_join(profiles, "customer_id")
        joined = joined.left_join(trends, "customer_id")
        return self._lake.engine.rows(joined.order_by(joined.score.desc(), joined.customer_id))

    def _strangers(self, step: CheckedStep) -> facts.Strangers:
        columns = ("name", "contact_name", "owner", "plan")
        return facts.strangers(self._lake.engine.rows(step.read("customer_profiles").select(*columns).distinct()))

    def _figures(self, result: Result, model: LanguageModel) -> dict[str, Any]:
        spent, taken = model.spent, sorted(model.spent.seconds)
        cost = self._workspace.settings.language_model.cost_usd(spent.input_tokens, spent.output_tokens)
        return {
            "texts": len(result.written),
            "for a person to look at": sum(text.state == "review" for text in result.written),
            "written by a template in the model's place": sum(text.failure is not None for text in result.written),
            "asked of the model": 0 if isinstance(model, Templates) else spent.requests,
            "answers from before": spent.kept, "input tokens": spent.input_tokens,
            "of these read from the model's cache": spent.cached_tokens, "output tokens": spent.output_tokens,
            "cost in USD at most": "unknown" if cost is None and spent.input_tokens else round(cost or 0.0, 4),
            "median seconds": round(taken[len(taken) // 2], 3) if taken else 0.0,
            "slow seconds (95 %)": round(taken[int(0.95 * len(taken))], 3) if taken else 0.0,
        }  # fmt: skip


def nothing(table: str, lake: Lake) -> ir.Table:
    """No rows: texts are about the newest scan only."""
    return _table([], table, lake)


def _cases(result: Result) -> list[Case]:
    said = [
        Case(
            text.request.customer_id,
            "unexpected_output",
            f"a text with a {text.problems[0].split()[0]} that may not be in it",
        )
        for text in result.written
        if text.problems
    ]
    failed = [
        case_of(text.request.customer_id, result.failed[text.request.key])
        for text in result.written
        if text.request.key in result.failed
    ]
    return [*failed, *said]


def _drafts(result: Result, day: date) -> list[Row]:
    rows = []
    for text in result.written:
        assert isinstance(text.output, Draft)
        told = {"subject": text.output.subject, "body": text.output.body}
        about = {
            "play": text.request.facts["play"],
            "variant": text.request.template,
            "factor": text.request.facts["factor"],
            "language": text.request.language,
        }
        rows.append({"customer_id": text.request.customer_id, **about, **told, **_provenance(text), "scan_day": day})
    return rows


def _alerts(result: Result, people: Sequence[Row], day: date) -> list[Row]:
    texts: dict[str, dict[str, Written]] = {}
    for text in result.written:
        texts.setdefault(text.request.customer_id, {})[text.request.kind] = text
    rows = []
    for person in people:
        why, what = (texts[person["customer_id"]][kind] for kind in ("narrative", "actions"))
        assert isinstance(why.output, Narrative) and isinstance(what.output, Actions)
        rows.append(
            {
                "customer_id": person["customer_id"],
                "owner": person["owner"],
                "score": person["score"],
                "narrative": why.output.text,
                "recommended_actions": list(what.output.actions),
                **of_both(why, what),
                "scan_day": day,
            }
        )
    return rows


def of_both(why: Written, what: Written) -> Row:
    """Where a narrative and its actions come from: what a model wrote is told, and what is wrong with either."""
    model = next((text for text in (why, what) if not text.written_by.startswith(TEMPLATE)), why)
    unsure = next((text for text in (why, what) if text.state != "verified"), why)
    return _provenance(why) | {
        "state": unsure.state, "problems": [*why.problems, *what.problems], "written_by": model.written_by,
        "model_failure": why.failure or what.failure,
    }  # fmt: skip


def _provenance(text: Written) -> Row:
    return {
        "state": text.state, "problems": list(text.problems), "written_by": text.written_by,
        "model_failure": text.failure, "facts": _json(text.request),
    }  # fmt: skip


def _json(request: Request) -> str:
    return json.dumps(dict(request.facts), ensure_ascii=False, default=str, sort_keys=True)


def _table(rows: Sequence[Row], table: str, lake: Lake) -> ir.Table:
    types = {column.name: column.type for column in LAKE_TABLES[table]}
    return lake.engine.keep(ibis.memtable([{name: row[name] for name in types} for row in rows], schema=types))
