"""Ledger: episodes, the actions decided in them, who was assigned to what, and the tasks that people have."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.operations.models import Action, Assignment, Episode, OutboxMessage, Task
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Transaction, in_parts

BANDS = {"medium": 1, "high": 2}
NOT_YET_OUT = ("drafted", "in_review", "approved", "queued")
"""States of an action of which nothing has left the system."""


@dataclass(frozen=True)
class Standing:
    """In which band a customer is, after hysteresis; who has no score has no standing, and an episode goes on."""

    customer_id: str
    band: str | None
    """`medium` or `high`; None below."""
    end_reason: str = "recovered"
    """Why an episode ends where `band` is None, for example `churned`."""


@dataclass(frozen=True)
class NewAction:
    """An action that is to be recorded."""

    workflow: str
    customer_id: str
    kind: str
    play: str
    cause: str
    episode_id: str | None
    autonomy: str
    state: str
    state_reason: str | None = None
    variant: str | None = None
    propensity: float | None = None
    expected_loss: float | None = None
    owner: str | None = None

    @property
    def key(self) -> str:
        """What makes it the same action: customer, play, cause and episode."""
        return action_key(self.customer_id, self.play, self.cause, self.episode_id)


@dataclass(frozen=True)
class NewAssignment:
    """Who is to be treated, or kept as control, and with which probability."""

    customer_id: str
    play: str
    episode_id: str
    arm: str
    propensity: float
    salt: str
    variant: str | None = None


@dataclass(frozen=True)
class NewTask:
    """What a person is to do about a customer."""

    customer_id: str
    cause: str
    title: str
    deadline: datetime
    action_id: str | None = None
    owner: str | None = None
    score: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


def action_key(customer_id: str, play: str, cause: str, episode_id: str | None) -> str:
    """The key of the one action that a customer, play, cause and episode may have."""
    parts = (customer_id, play, cause, episode_id or "")
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace")).hexdigest()


def sync_episodes(tx: Transaction, permit: Permit, standings: Sequence[Standing]) -> dict[str, Episode]:
    """Opens, continues and closes episodes by where customers stand, and returns the open ones by customer.

    A change of band ends an episode and begins another. A scan that runs again changes nothing, and takes up again
    what its first run has ended if that is how the customer stands now.
    """
    customers = [standing.customer_id for standing in standings]
    known = _episodes(tx, permit, customers)
    going_on: list[Episode] = []
    beginning: list[dict[str, Any]] = []
    for standing in standings:
        latest = known.get(standing.customer_id)
        if latest and latest.band == standing.band:
            if latest.ended_on:
                tx.change(latest, "episode taken up again", ended_on=None, end_reason=None)
            going_on.append(latest)
            continue
        if latest and latest.ended_on is None:
            reason = _end_reason(latest.band, standing)
            tx.change(latest, "episode ended", reason, ended_on=permit.scan_day, end_reason=reason)
        if standing.band:
            day = permit.scan_day
            beginning.append({"customer_id": standing.customer_id, "band": standing.band, "started_on": day,
                              "last_seen_on": day, "ended_on": None, "end_reason": None})  # fmt: skip
    tx.session.flush()
    begun = _begun(tx, permit, beginning)
    _continue(tx, permit, [episode for episode in going_on if episode.last_seen_on != permit.scan_day])
    return {episode.customer_id: episode for episode in (*going_on, *begun)}


def _begun(tx: Transaction, permit: Permit, beginning: Sequence[dict[str, Any]]) -> list[Episode]:
    """Begins episodes; where another scan has begun one at the same moment, that one is it.

    Without it the action would have another key here than there, and be done twice.
    """
    rows = sorted(beginning, key=lambda row: str(row["customer_id"]))
    begun = tx.insert_new(Episode, rows, "episode begun", None)
    missing = {row["customer_id"] for row in rows} - {episode.customer_id for episode in begun}
    others = _episodes(tx, permit, missing).values()
    return [*begun, *(episode for episode in others if episode.ended_on is None)]


def _episodes(tx: Transaction, permit: Permit, customers: Iterable[str]) -> dict[str, Episode]:
    """The open episode of each customer, or else the one that was ended on this scan day, locked."""
    found: dict[str, Episode] = {}
    for part in in_parts(sorted(customers)):
        current = sa.or_(Episode.ended_on.is_(None), Episode.ended_on == permit.scan_day)
        wanted = sa.select(Episode).where(Episode.customer_id.in_(part), current)
        for episode in tx.session.scalars(wanted.order_by(Episode.customer_id, Episode.id).with_for_update()):
            if episode.customer_id not in found or episode.ended_on is None:
                found[episode.customer_id] = episode
    return found


def _end_reason(band: str, standing: Standing) -> str:
    if standing.band is None:
        return standing.end_reason
    return "worsened" if BANDS[standing.band] > BANDS[band] else "eased"


def _continue(tx: Transaction, permit: Permit, episodes: Sequence[Episode]) -> None:
    """Notes that episodes were seen; one entry in the audit trail for all, as nothing is decided by it."""
    for episode in episodes:
        episode.last_seen_on = permit.scan_day
    if episodes:
        tx.note("episodes went on", Episode.__tablename__, permit.run_id, None, {"episodes": len(episodes)})


def record(tx: Transaction, permit: Permit, actions: Sequence[NewAction]) -> list[Action]:
    """Records actions and returns those that are new; one that was recorded before stays as it is.

    What follows from a new action, its review item or message, belongs into the same transaction: nobody asks twice.
    """
    rows = [asdict(action) | {"key": action.key, "scan_day": permit.scan_day} for action in actions]
    return tx.insert_new(Action, sorted(rows, key=lambda row: str(row["key"])), "action recorded", None)


def assign(tx: Transaction, permit: Permit, assignments: Sequence[NewAssignment]) -> list[Assignment]:
    """Records who was assigned to which arm and returns what is new; the first assignment in an episode stays."""
    rows = [asdict(assignment) | {"scan_day": permit.scan_day} for assignment in assignments]
    rows.sort(key=lambda row: (row["customer_id"], row["play"], row["episode_id"]))
    return tx.insert_new(Assignment, rows, "assigned", None)


def set_state(tx: Transaction, action_id: str, state: str, why: str | None = None) -> Action:
    """Moves an action on."""
    action = tx.locked(Action, action_id)
    if action is None:
        raise LookupError(f"there is no action {action_id}")
    if action.state != state:
        tx.change(action, f"action {state}", why, state=state, state_reason=why)
    return action


def cancel(tx: Transaction, action_id: str, why: str) -> bool:
    """Cancels an action of which nothing has left the system, with its pending messages; False where it is too late."""
    waiting = sa.select(OutboxMessage).where(OutboxMessage.action_id == action_id, OutboxMessage.state == "pending")
    messages = tx.session.scalars(waiting.with_for_update()).all()
    action = tx.locked(Action, action_id)
    if action is None or action.state not in NOT_YET_OUT:
        return False
    for message in messages:
        tx.change(message, "message cancelled", why, state="cancelled", error=why)
    tx.change(action, "action cancelled", why, state="cancelled", state_reason=why)
    return True


def waiting(session: orm.Session, workflow: str, kind: str) -> Sequence[Action]:
    """Actions of a kind of which nothing has left the system."""
    found = sa.select(Action).where(Action.workflow == workflow, Action.kind == kind, Action.state.in_(NOT_YET_OUT))
    return session.scalars(found.order_by(Action.id)).all()


def raise_tasks(tx: Transaction, permit: Permit, tasks: Sequence[NewTask]) -> list[Task]:
    """Opens tasks and returns the new ones; an open one of the same customer and cause gets the new facts."""
    rows = [asdict(task) | {"state": "open", "opened_at": permit.now, "updated_at": permit.now} for task in tasks]
    rows.sort(key=lambda row: (row["customer_id"], row["cause"]))
    opened = tx.insert_new(Task, rows, "task opened", None)
    new = {(task.customer_id, task.cause) for task in opened}
    by_key = {(task.customer_id, task.cause): task for task in tasks}
    for part in in_parts(sorted({task.customer_id for task in tasks})):
        known = sa.select(Task).where(Task.customer_id.in_(part), Task.state == "open").order_by(Task.id)
        for row in tx.session.scalars(known.with_for_update()):
            task = by_key.get((row.customer_id, row.cause))
            if task and (row.customer_id, row.cause) not in new:
                facts: dict[str, Any] = {"score": task.score, "title": task.title, "details": task.details}
                tx.change(row, "task updated", None, **facts, updated_at=permit.now)
    return opened


def open_tasks(session: orm.Session, owner: str | None = None, limit: int = 1000) -> Sequence[Task]:
    """Open tasks, the most pressing first."""
    found = sa.select(Task).where(Task.state == "open")
    if owner is not None:
        found = found.where(Task.owner == owner)
    return session.scalars(found.order_by(Task.deadline, Task.id).limit(limit)).all()


def close_task(tx: Transaction, task_id: str, reason: str) -> bool:
    """Closes a task; False where it is not open."""
    task = tx.locked(Task, task_id)
    if task is None or task.state != "open":
        return False
    tx.change(task, "task closed", reason, state="closed", closed_at=tx.now, close_reason=reason)
    return True
