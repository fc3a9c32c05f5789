"""Audit: who did what, when and why; and the masking of what it says about a customer who is erased."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.operations.models import (
    Action,
    AuditEntry,
    DeliveryAttempt,
    OutboxMessage,
    Override,
    Response,
    ReviewItem,
    Suppression,
    Task,
)
from orchestration_project.operations.store import Transaction

MASK, MASKED = "[masked]", {"masked": True}
TEXTS: Mapping[Any, Mapping[str, Any]] = {
    ReviewItem: {
        "title": MASK, "context": MASKED, "subject": MASK, "body": MASK, "decision_reason": MASK,
        "decided_subject": MASK, "decided_body": MASK,
    },
    DeliveryAttempt: {"error": MASK},
    OutboxMessage: {"recipient": MASK, "payload": MASKED, "receipt": MASKED, "error": MASK},
    Action: {"state_reason": MASK},
    Task: {"title": MASK, "details": MASKED, "close_reason": MASK},
    Response: {"excerpt": MASK},
    Override: {"reason": MASK},
    Suppression: {"reason": MASK},
}  # fmt: skip
"""What is masked when a customer is erased: every column that may hold words or addresses of theirs."""


def trail(session: orm.Session, entity: str, entity_id: str) -> Sequence[AuditEntry]:
    """What was done to one row, in order; `entity` is the name of its table."""
    found = sa.select(AuditEntry).where(AuditEntry.entity == entity, AuditEntry.entity_id == entity_id)
    return session.scalars(found.order_by(AuditEntry.id)).all()


def of_customer(session: orm.Session, customer_id: str) -> Sequence[AuditEntry]:
    """What was done about one customer, in order."""
    return session.scalars(
        sa.select(AuditEntry).where(AuditEntry.customer_id == customer_id).order_by(AuditEntry.id)
    ).all()


def mask(tx: Transaction, customer_id: str, why: str, alias: str) -> int:
    """Masks for good every text and address that the store holds about a customer, and stops what was under way.

    Identifiers, times and states stay, so that figures and the ledger remain right. Addresses of suppressions stay
    too, so that nobody writes there again. The trail names the customer by `alias` in this. Returns the number of audit
    entries that were masked.
    """
    _stop(tx, customer_id)
    for model, columns in TEXTS.items():
        for name, value in columns.items():
            assign(tx, model, about(model, customer_id) & getattr(model, name).is_not(None), **{name: value})
    entries = assign(tx, AuditEntry, _entries(customer_id), before=MASKED, after=MASKED, why=MASK)
    tx.note("masked", "customers", alias, why, {"audit entries": entries})
    return entries


def _stop(tx: Transaction, customer_id: str) -> None:
    """Ends what is open: a text that is masked can't be sent. A message that was claimed stops with its action."""
    undone = Action.state.in_(("drafted", "in_review", "approved", "queued"))
    assign(tx, OutboxMessage, about(OutboxMessage, customer_id) & (OutboxMessage.state == "pending"), state="cancelled")
    assign(tx, ReviewItem, about(ReviewItem, customer_id) & (ReviewItem.state == "open"), state="expired")
    assign(tx, Action, about(Action, customer_id) & undone, state="cancelled")
    assign(tx, Task, about(Task, customer_id) & (Task.state == "open"), state="closed", closed_at=tx.now)


def about(model: Any, customer_id: str) -> sa.ColumnElement[bool]:
    """The rows of a table that are about a customer, by themselves or by their action or message."""
    if model is OutboxMessage:
        return OutboxMessage.action_id.in_(sa.select(Action.id).where(Action.customer_id == customer_id))
    if model is DeliveryAttempt:
        messages = sa.select(OutboxMessage.id).where(about(OutboxMessage, customer_id))
        return DeliveryAttempt.outbox_id.in_(messages)
    return model.customer_id == customer_id


def _entries(customer_id: str) -> sa.ColumnElement[bool]:
    of_rows = [
        (AuditEntry.entity == model.__tablename__)
        & AuditEntry.entity_id.in_(sa.select(model.id).where(about(model, customer_id)))
        for model in (OutboxMessage, DeliveryAttempt)
    ]
    return sa.or_(AuditEntry.customer_id == customer_id, *of_rows)


def assign(tx: Transaction, model: Any, where: sa.ColumnElement[bool], **values: Any) -> int:
    """Gives rows other values and returns how many; whoever masks leaves one entry for all of it."""
    changed = tx.session.execute(
        sa.update(model).where(where).values(**values).execution_options(synchronize_session=False)
    )
    return changed.rowcount  # type: ignore[attr-defined]
