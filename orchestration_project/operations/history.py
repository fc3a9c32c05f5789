"""History: what was assigned, sent, answered and decided, read from the store as a whole, for measuring."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.conduct import Message, Review
from orchestration_project.operations.models import Action, Assignment, OutboxMessage, Response, ReviewItem, Task

REACHING = ("email", "task", "chat")
"""Kinds of messages by which something was done; a note is for the record."""
CLOSED = ("approved", "edited", "rejected", "expired")


@dataclass(frozen=True)
class Recorded:
    """An assignment, and when what it led to was sent or, without a message, opened as a task."""

    customer_id: str
    play: str
    arm: str
    scan_day: date
    propensity: float
    delivered_at: datetime | None


def assignments(session: orm.Session) -> list[Recorded]:
    """All assignments, in order."""
    sent = _first(session, OutboxMessage.sent_at, OutboxMessage.action_id, _sent(*REACHING))
    opened = _first(session, Task.opened_at, Task.action_id, sa.true())
    key = (Assignment.customer_id, Assignment.play, Assignment.episode_id)
    wanted = sa.select(*key, Assignment.arm, Assignment.scan_day, Assignment.propensity)
    rows = session.execute(wanted.order_by(Assignment.scan_day, Assignment.customer_id, Assignment.play)).all()
    return [
        Recorded(
            row.customer_id, row.play, row.arm, row.scan_day, row.propensity,
            sent.get(tuple(row[:3]), opened.get(tuple(row[:3]))),
        )
        for row in rows
    ]  # fmt: skip


def messages(session: orm.Session) -> list[Message]:
    """All e-mails that were sent, with what came back for them."""
    answers: dict[str | None, list[tuple[str, datetime]]] = {}
    heard = sa.select(Response.outbox_id, Response.kind, Response.received_at).where(Response.outbox_id.is_not(None))
    for outbox_id, kind, received_at in session.execute(heard.order_by(Response.received_at, Response.id)):
        answers.setdefault(outbox_id, []).append((kind, received_at))
    wanted = sa.select(OutboxMessage.id, Action.play, Action.variant, OutboxMessage.sent_at).join(
        Action, Action.id == OutboxMessage.action_id
    )
    rows = session.execute(wanted.where(_sent("email")).order_by(OutboxMessage.sent_at, OutboxMessage.id))
    return [Message(row.play, row.variant, row.sent_at, tuple(answers.get(row.id, ()))) for row in rows]


def reviews(session: orm.Session) -> list[Review]:
    """All drafts that were put before people and are decided or expired."""
    closed_at = sa.func.coalesce(ReviewItem.decided_at, ReviewItem.expires_at, type_=ReviewItem.decided_at.type)
    wanted = sa.select(Action.play, ReviewItem.state, closed_at.label("at"), ReviewItem.edit_distance).join(
        Action, Action.id == ReviewItem.action_id
    )
    drafts = wanted.where(ReviewItem.body.is_not(None), ReviewItem.state.in_(CLOSED))
    return [Review(row.play, row.state, row.at, row.edit_distance) for row in session.execute(drafts)]


def _sent(*kinds: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        OutboxMessage.state == "sent", OutboxMessage.sent_at.is_not(None), OutboxMessage.kind.in_(kinds)
    )  # fmt: skip


def _first(
    session: orm.Session, when: orm.InstrumentedAttribute, action_id: orm.InstrumentedAttribute,
    which: sa.ColumnElement[bool],
) -> dict[tuple[str, ...], datetime]:  # fmt: skip
    """When it first happened, by customer, play and episode of the action that it belongs to."""
    key = (Action.customer_id, Action.play, Action.episode_id)
    wanted = sa.select(*key, sa.func.min(when).label("at")).join(Action, Action.id == action_id).where(which)
    rows: Iterable[sa.Row] = session.execute(wanted.group_by(*key))
    return {tuple(row[:3]): row.at for row in rows}
