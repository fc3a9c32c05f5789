"""Audit: who did what, when and why; and the masking of what it says about a customer who is erased."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.operations.models import (
    Action,
    AuditEntry,
    OutboxMessage,
    Override,
    Response,
    ReviewItem,
    Suppression,
    Task,
)
from orchestration_project.operations.store import Transaction

MASK, MASKED = "[masked]", {"masked": True}


def trail(session: orm.Session, entity: str, entity_id: str) -> Sequence[AuditEntry]:
    """What was done to one row, in order; `entity` is the name of its table."""
    found = sa.select(AuditEntry).where(AuditEntry.entity == entity, AuditEntry.entity_id == entity_id)
    return session.scalars(found.order_by(AuditEntry.id)).all()


def of_customer(session: orm.Session, customer_id: str) -> Sequence[AuditEntry]:
    """What was done about one customer, in order."""
    return session.scalars(
        sa.select(AuditEntry).where(AuditEntry.customer_id == customer_id).order_by(AuditEntry.id)
    ).all()


def mask(tx: Transaction, customer_id: str, why: str) -> int:
    """Masks for good every text and address that the store holds about a customer, and stops what was under way.

    Identifiers, times and states stay, so that figures and the ledger remain right. Addresses of suppressions stay
    too, so that nobody writes there again. Returns the number of audit entries that were masked.
    """
    _stop(tx, customer_id)
    own = sa.select(Action.id).where(Action.customer_id == customer_id)
    _set(tx, ReviewItem, ReviewItem.customer_id == customer_id, title=MASK, context=MASKED)
    for name in ("subject", "body", "decision_reason", "decided_subject", "decided_body"):
        _set(tx, ReviewItem, ReviewItem.customer_id == customer_id, name, **{name: MASK})
    _set(tx, OutboxMessage, OutboxMessage.action_id.in_(own), recipient=MASK, payload=MASKED)
    for name, value in {"receipt": MASKED, "error": MASK}.items():
        _set(tx, OutboxMessage, OutboxMessage.action_id.in_(own), name, **{name: value})
    _set(tx, Action, Action.customer_id == customer_id, "state_reason", state_reason=MASK)
    _set(tx, Task, Task.customer_id == customer_id, title=MASK, details=MASKED)
    _set(tx, Task, Task.customer_id == customer_id, "close_reason", close_reason=MASK)
    _set(tx, Response, Response.customer_id == customer_id, "excerpt", excerpt=MASK)
    _set(tx, Override, Override.customer_id == customer_id, reason=MASK)
    _set(tx, Suppression, Suppression.customer_id == customer_id, reason=MASK)
    entries = _set(tx, AuditEntry, AuditEntry.customer_id == customer_id, before=MASKED, after=MASKED, why=MASK)
    tx.note("masked", "customers", customer_id, why, {"audit entries": entries})
    return entries


def _stop(tx: Transaction, customer_id: str) -> None:
    """Ends what is open: a text that is masked can't be sent. A message that was claimed stops with its action."""
    own = sa.select(Action.id).where(Action.customer_id == customer_id)
    _set(tx, OutboxMessage, OutboxMessage.action_id.in_(own) & (OutboxMessage.state == "pending"), state="cancelled")
    _set(tx, ReviewItem, (ReviewItem.customer_id == customer_id) & (ReviewItem.state == "open"), state="expired")
    undone = Action.state.in_(("drafted", "in_review", "approved", "queued"))
    _set(tx, Action, (Action.customer_id == customer_id) & undone, state="cancelled")
    _set(tx, Task, (Task.customer_id == customer_id) & (Task.state == "open"), state="closed", closed_at=tx.now)


def _set(tx: Transaction, model: Any, where: sa.ColumnElement[bool], present: str | None = None, **values: Any) -> int:
    """Sets columns of the rows that fulfil a condition, and where `present` is named, only where it has a value."""
    if present:
        where = where & getattr(model, present).is_not(None)
    changed = tx.session.execute(
        sa.update(model).where(where).values(**values).execution_options(synchronize_session=False)
    )
    return changed.rowcount  # type: ignore[attr-defined, no-any-return]
