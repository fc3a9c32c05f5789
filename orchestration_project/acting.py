"""Acting: what a live scan planned and wrote becomes actions, questions to people, tasks and messages, each once."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from orchestration_project import escalations
from orchestration_project.agents.templates_model import TEMPLATE
from orchestration_project.case_files import case_files
from orchestration_project.contracts.manifest import Acts, Handling, Role
from orchestration_project.drafting import ALERTS, DRAFTS
from orchestration_project.lake import Lake
from orchestration_project.operations import ledger, outbox, reviews
from orchestration_project.operations.models import Action, Episode, ReviewItem, Task
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store, Transaction
from orchestration_project.planning import PLAN
from orchestration_project.resources import Workspace

WHO = "scan"
Row = dict[str, Any]
PLANNED = ("play", "cause", "variant", "variant_propensity", "propensity", "expected_loss", "owner", "autonomy",
           "stopped_at", "action", "state", "control", "assigned")  # fmt: skip
PROFILE = ("name", "contact_name", "contact_email", "language", "timezone", "opted_out", "plan", "mrr", "segment")
TOLD = ("score", "cause", "play", "variant", "expected_loss", "plan", "mrr", "segment", "contact_name", "written_by")
"""What whoever decides is told of a customer, beside the text and its facts."""
PRIORITIES = {
    "unverified_text": 2,
    "written_by_a_model": 3,
    "consent_unknown": 3,
    "approve_outreach": 3,
    "approve_alert": 1,
}
"""Why a person is asked, and how urgent that is."""


UNSURE = {"no_score": "have no score, because too much about them is missing",
          "low_confidence": "have a score that rests on too little to act on"}  # fmt: skip
"""Stages of the funnel at which a person is to look."""
ERROR_CLASSES = tuple(Handling.model_fields)
MENDED = "what it was about is no more so"
MOST_CASES = 1000
"""Customers that a question names; it says how many there are."""


@dataclass(frozen=True)
class Desk:
    """One acting step of the workflow: its name, its role, and how far it may go."""

    step: str
    role: Role
    acts: Acts


class Acting:
    """Hands the texts of one live scan over to the operations store; whoever does it again changes nothing."""

    def __init__(self, store: Store, lake: Lake, workspace: Workspace, permit: Permit) -> None:
        self._store, self._lake, self._workspace, self._permit = store, lake, workspace, permit
        self._workflow = workspace.workflow
        self._files: dict[str, Row] = {}
        self._threads: Mapping[str, list[str]] = {}

    def queue_drafts(self) -> Counter[str]:
        """Messages to customers: sent, queued for a decision, or kept as drafts, as far as each may go by itself."""
        desk = self._desk("outreach")
        drafts = self._joined(DRAFTS)
        with self._store.transaction(WHO, self._permit.now) as tx:
            episodes = self._episodes(tx)
            withdrawn = self._withdraw(tx, "outreach")
            self._assign(tx, "outreach", desk, episodes)
            wanted = [self._action(row, "outreach", episodes, _state(row)) for row in drafts]
            new = {each.customer_id: each for each in ledger.record(tx, self._permit, wanted)}
            rows = [row for row in drafts if row["customer_id"] in new]
            self._threads = outbox.threads(tx.session, {each.episode_id for each in new.values() if each.episode_id})
            asked = [self._question(row, new[row["customer_id"]], desk) for row in rows if _state(row) == "in_review"]
            messages = [self._message(row, new[row["customer_id"]], desk) for row in rows if _state(row) == "queued"]
            reviews.raise_items(tx, asked, self._permit)
            outbox.enqueue(tx, self._permit, messages)
        return Counter({
            "new actions": len(new), "to be decided": len(asked), "queued": len(messages), "withdrawn": withdrawn,
        })  # fmt: skip

    def raise_alerts(self) -> Counter[str]:
        """Tasks for account managers: opened, brought up to date while open, closed once they are not needed."""
        desk = self._desk("account_alert")
        alerts = self._joined(ALERTS)
        day, customers = self._permit.scan_day, [row["customer_id"] for row in alerts]
        self._files = case_files(self._lake, self._workflow, day, customers)
        with self._store.transaction(WHO, self._permit.now) as tx:
            episodes = self._episodes(tx)
            self._assign(tx, "alert", desk, episodes)
            planned = [row for row in alerts if row["stopped_at"] is None and row["autonomy"] != "shadow"]
            wanted = [self._action(row, "alert", episodes, _state(row)) for row in planned]
            new = {each.customer_id: each for each in ledger.record(tx, self._permit, wanted)}
            due = self._permit.now + timedelta(hours=self._workflow.escalation.deadline_hours)
            tasks = [self._task(row, new.get(row["customer_id"]), due) for row in alerts if row["autonomy"] != "shadow"]
            opened = ledger.raise_tasks(tx, self._permit, tasks)
            closed, withdrawn = self._close_recovered(tx), self._withdraw(tx, "alert")
            rows = [row for row in planned if row["customer_id"] in new]
            asked = [self._question(row, new[row["customer_id"]], desk) for row in rows if _state(row) == "in_review"]
            messages = [self._alert(row, new[row["customer_id"]], desk, due) for row in rows if _state(row) == "queued"]
            reviews.raise_items(tx, asked, self._permit)
            outbox.enqueue(tx, self._permit, messages)
        return Counter({
            "new actions": len(new), "tasks opened": len(opened), "tasks updated": len(tasks) - len(opened),
            "tasks closed": closed, "to be decided": len(asked), "queued": len(messages), "withdrawn": withdrawn,
        })  # fmt: skip

    def ask_people(self) -> Counter[str]:
        """Questions about what went wrong and about scores that nobody may act on, one for all that are alike.

        A question that is still open is brought up to date; one whose cause is gone is closed.
        """
        now, wanted = self._permit.now, {item.key: item for item in (*self._failures(), *self._unsure())}
        with self._store.transaction(WHO, now) as tx:
            reasons = (*ERROR_CLASSES, *UNSURE)
            asked = sa.select(ReviewItem).where(ReviewItem.state == "open", ReviewItem.reason_code.in_(reasons))
            still_open = {item.key: item for item in tx.session.scalars(asked.with_for_update())}
            for key, item in still_open.items():
                if key in wanted:
                    tx.change(item, "review updated", title=wanted[key].title, context=wanted[key].context)
                elif item.workflow == self._workflow.workflow:
                    tx.change(item, "review resolved", MENDED, state="resolved", decided_by=WHO, decided_at=now,
                              decision_reason=MENDED)  # fmt: skip
            new = reviews.raise_items(tx, [item for key, item in wanted.items() if key not in still_open])
        return Counter({"questions asked": len(new)})

    def _failures(self) -> list[reviews.NewItem]:
        """What steps and sources escalated, as far as it is still so."""
        items = [row for row in escalations.open_items(self._lake) if row["workflow"] == self._workflow.workflow]
        return [
            reviews.NewItem(
                key=f"escalation:{row['key']}:{row['raised_at']:%Y%m%d%H%M%S}", reason_code=row["error_class"],
                step=row["step"],
                workflow=row["workflow"], queue=row["queue"], owner=row["owner"],
                title=f"{row['cases']:,} cases: {row['reason']}", deadline=row["deadline"].replace(tzinfo=UTC),
                expires_at=row["expires_at"].replace(tzinfo=UTC), priority=2,
                context={"about": row["about"], "pathway": row["pathway"], "cases": row["customers"][:MOST_CASES]},
            )
            for row in items
            if _is_current(row["about"], self._permit.scan_day) and not _asked_one_by_one(row)
        ]  # fmt: skip

    def _unsure(self) -> list[reviews.NewItem]:
        """Customers without a score, or with one of low confidence: one question per owner, reason and month."""
        to, now = self._workflow.escalation, self._permit.now
        groups: dict[tuple[str, str], list[str]] = {}
        for customer, row in self._plan.items():
            if row["stopped_at"] in UNSURE:
                groups.setdefault((row["stopped_at"], row["owner"] or to.owner), []).append(customer)
        return [
            reviews.NewItem(
                key=f"unsure:{self._workflow.workflow}:{reason}:{owner}:{now:%Y-%m}", reason_code=reason,
                step=self._workflow.step("risk_assessor"), workflow=self._workflow.workflow, queue=to.queue,
                owner=owner,
                title=f"{len(customers):,} customers {UNSURE[reason]}",
                deadline=now + timedelta(hours=to.deadline_hours),
                expires_at=now + timedelta(days=to.expires_after_days), priority=4,
                context={"cases": [{"customer_id": customer} for customer in customers[:MOST_CASES]]},
            )
            for (reason, owner), customers in groups.items()
        ]  # fmt: skip

    def _desk(self, agent: str) -> Desk:
        step = self._workflow.step(agent)
        role = self._workflow.roles[step]
        assert role.acts is not None, "validated in the manifest"
        return Desk(step, role, role.acts)

    @cached_property
    def _plan(self) -> dict[str, Row]:
        """The plan of the scan day, of those for whom there is anything to note."""
        table = self._lake.read(PLAN, [self._permit.scan_day.isoformat()], "scan_day")
        rows = self._lake.engine.rows(table.select("customer_id", *PLANNED))
        return {row["customer_id"]: row for row in rows}

    def _joined(self, table: str) -> list[Row]:
        """The texts of a table, each with its plan and with what is known of the customer."""
        day = [self._permit.scan_day.isoformat()]
        texts = self._lake.read(table, day, "scan_day").drop("scan_day").rename(state_of_text="state")
        profiles = self._lake.read("customer_profiles", day, "scan_day").select("customer_id", *PROFILE)
        scores = self._lake.read("risk_scores", day, "scan_day").select("customer_id", "score", "factors")
        known = [name for name in ("play", "variant", "owner", "score") if name in texts.columns]
        joined = texts.drop(*known).inner_join(profiles, "customer_id").inner_join(scores, "customer_id")
        return [row | self._plan[row["customer_id"]] for row in self._lake.engine.rows(joined)]

    def _episodes(self, tx: Transaction) -> dict[str, Episode]:
        standings = [
            ledger.Standing(row["customer_id"], None if row["state"] == "low" else row["state"])
            for row in self._plan.values()
            if row["state"] in ("medium", "high")
        ]
        open_ = tx.session.scalars(sa.select(Episode.customer_id).where(Episode.ended_on.is_(None)))
        for customer in open_:
            row = self._plan.get(customer)
            if row is None:
                standings.append(ledger.Standing(customer, None, "left"))
            elif row["state"] == "low":
                standings.append(ledger.Standing(customer, None))
        return ledger.sync_episodes(tx, self._permit, standings)

    def _withdraw(self, tx: Transaction, kind: str) -> int:
        """Cancels what has not left yet, of those for whom it is not to be done any more by what the scan found."""
        actions = ledger.waiting(tx.session, self._workflow.workflow, kind)
        consent = self._consent({action.customer_id for action in actions}) if kind == "outreach" else {}
        done = 0
        for action in actions:
            if why := _not_wanted(kind, self._plan.get(action.customer_id), consent.get(action.customer_id)):
                reviews.withdraw(tx, action.id, why)
                done += ledger.cancel(tx, action.id, why)
        return done

    def _consent(self, customers: Collection[str]) -> dict[str, Row]:
        """Whether customers want no mail, and whether they have said that they leave."""
        profiles = self._lake.read("customer_profiles", [self._permit.scan_day.isoformat()], "scan_day")
        wanted = profiles.filter(profiles.customer_id.isin(sorted(customers)))
        rows = self._lake.engine.rows(wanted.select("customer_id", "opted_out", "leaves_on")) if customers else []
        return {row["customer_id"]: row for row in rows}

    def _assign(self, tx: Transaction, action: str, desk: Desk, episodes: Mapping[str, Episode]) -> None:
        """Notes who was drawn for an action, and who against it, where anything comes of that."""
        if desk.acts.autonomy not in ("approve", "auto"):
            return
        salt = self._workspace.settings.learning.control_salt
        ledger.assign(tx, self._permit, [
            ledger.NewAssignment(
                customer, row["play"], episodes[customer].id, "control" if row["control"] else "treated",
                row["propensity"], salt, row["variant"],
            )
            for customer, row in self._plan.items()
            if row["action"] == action and row["assigned"] and customer in episodes
        ])  # fmt: skip

    def _action(self, row: Row, kind: str, episodes: Mapping[str, Episode], state: str) -> ledger.NewAction:
        episode = episodes.get(row["customer_id"])
        return ledger.NewAction(
            self._workflow.workflow, row["customer_id"], kind, row["play"], row["cause"],
            episode.id if episode else None, row["autonomy"], state, None, row["variant"], row["variant_propensity"],
            row["expected_loss"], row["owner"],
        )  # fmt: skip

    def _question(self, row: Row, action: Action, desk: Desk) -> reviews.NewItem:
        """What a person is asked before anything is done."""
        to, now = self._workflow.escalation, self._permit.now
        reason = _reason(row, action.kind)
        what = f"{action.kind} {row['name'] or row['customer_id']}: {row['play'].replace('_', ' ')}"
        text = {"subject": row["subject"], "body": row["body"]} if action.kind == "outreach" else {
            "subject": what, "body": _as_text(row)
        }  # fmt: skip
        return reviews.NewItem(
            key=f"action:{action.key}", reason_code=reason, step=desk.step, workflow=self._workflow.workflow,
            queue=to.queue, owner=row["owner"] or to.owner, title=what,
            deadline=now + timedelta(hours=to.deadline_hours), expires_at=now + timedelta(days=to.expires_after_days),
            priority=PRIORITIES[reason], customer_id=row["customer_id"], action_id=action.id, **text,
            context=_context(row), send=self._address(row, action, desk),
        )  # fmt: skip

    def _message(self, row: Row, action: Action, desk: Desk) -> outbox.NewMessage:
        return self._queued(row, action, desk, {"subject": row["subject"], "body": row["body"]})

    def _alert(self, row: Row, action: Action, desk: Desk, due: datetime) -> outbox.NewMessage:
        told = {"subject": _title(row), "body": _as_text(row), "deadline": due.isoformat(timespec="minutes")}
        return self._queued(row, action, desk, told)

    def _queued(self, row: Row, action: Action, desk: Desk, text: Row) -> outbox.NewMessage:
        send = self._address(row, action, desk)
        return outbox.NewMessage(
            f"action:{action.id}", action.id, send.channel, send.kind, send.recipient, send.payload | text,
            outbox.not_before(self._permit.now, send.quiet), send.quiet, send.recorded_by,
        )  # fmt: skip

    def _address(self, row: Row, action: Action, desk: Desk) -> outbox.Address:
        """Where it goes: to the customer, or to the account manager, and in whose absence to the step's owner."""
        payload: Row = {"customer_id": row["customer_id"], "play": row["play"], "cause": row["cause"]}
        if action.kind == "outreach":
            payload |= {"recipient_name": row["contact_name"], "language": row["language"] or "en",
                        "thread": self._threads.get(action.episode_id or "", [])}  # fmt: skip
            return outbox.Address(
                desk.acts.channel, "email", row["contact_email"], payload, self._quiet(row, desk), desk.acts.recorded_by
            )  # fmt: skip
        payload |= {"score": row["score"], "recommended_actions": list(row["recommended_actions"])}
        payload |= self._files[row["customer_id"]]
        kind = "chat" if desk.acts.channel == "slack" else "task"
        to = row["owner"] or desk.role.owner
        return outbox.Address(desk.acts.channel, kind, to, payload, recorded_by=desk.acts.recorded_by)

    def _quiet(self, row: Row, desk: Desk) -> Row | None:
        hours, usual = desk.acts.quiet_hours, self._workspace.settings.schedule.timezone
        return {**hours.model_dump(), "zone": row["timezone"], "usual": usual} if hours else None

    def _task(self, row: Row, action: Action | None, due: datetime) -> ledger.NewTask:
        return ledger.NewTask(
            row["customer_id"],
            row["cause"],
            _title(row),
            due,
            action.id if action else None,
            row["owner"],
            row["score"],
            _context(row) | self._files[row["customer_id"]]
            | {"narrative": row["narrative"], "recommended_actions": list(row["recommended_actions"])},
        )  # fmt: skip

    def _close_recovered(self, tx: Transaction) -> int:
        """Closes the tasks of those who are not at high risk any more, or who are no customers any more."""
        closed = 0
        for task in tx.session.scalars(sa.select(Task).where(Task.state == "open").order_by(Task.id)).all():
            row = self._plan.get(task.customer_id)
            reason = "left" if row is None else None if row["state"] in ("high", None) else "recovered"
            closed += bool(reason and ledger.close_task(tx, task.id, reason))
        return closed


def _not_wanted(kind: str, plan: Row | None, consent: Row | None) -> str | None:
    """Why an action that waits is not to be done any more; None where it is, and where nothing is known of it."""
    if plan is None:
        return "is no customer any more"
    if consent and consent["opted_out"]:
        return "wants no outreach any more"
    if consent and consent["leaves_on"]:
        return f"has said to leave on {consent['leaves_on']}"
    meant_for = {"outreach": "medium", "alert": "high"}[kind]
    return f"is in band {plan['state']} now" if plan["state"] not in (meant_for, None) else None


def _is_current(about: str, day: date) -> bool:
    """Whether an escalation is of this scan, or of a source or month: of an earlier scan nothing can be mended."""
    part = about.partition(".")[2]
    return part == day.isoformat() or len(part) < len(day.isoformat())


def _asked_one_by_one(row: Row) -> bool:
    """Whether each case has a question of its own: of a message that says what its facts don't."""
    return row["error_class"] == "unexpected_output" and row["about"].partition(".")[0] == DRAFTS


def _state(row: Row) -> str:
    """How far an action goes by itself: only what a template wrote and what says nothing but its facts is just sent.

    The verifier finds most false claims of a model and not all, least of all promises in words of their own.
    """
    if row["autonomy"] == "draft":
        return "drafted"
    sure = row["state_of_text"] == "verified" and row["written_by"].startswith(TEMPLATE)
    return "queued" if row["autonomy"] == "auto" and sure else "in_review"


def _reason(row: Row, kind: str) -> str:
    if row["state_of_text"] != "verified":
        return "unverified_text"
    if row["autonomy"] == "auto" and not row["written_by"].startswith(TEMPLATE):
        return "written_by_a_model"
    if kind == "outreach" and row["opted_out"] is None:
        return "consent_unknown"
    return f"approve_{kind}"


def _context(row: Row) -> Row:
    """What whoever decides must see."""
    return {name: row[name] for name in TOLD if row.get(name) is not None} | {
        "factors": list(row["factors"] or ()), "problems": list(row["problems"] or ()),
        "facts": json.loads(row["facts"]),
    }  # fmt: skip


def _title(row: Row) -> str:
    return f"{row['name'] or row['customer_id']} is at high risk"


def _as_text(row: Row) -> str:
    return "\n".join([row["narrative"], "", *(f"- {each}" for each in row["recommended_actions"])])
