"""Terms: texts and addresses that have been kept for long enough are masked, in the rows and in the audit trail.

Rows themselves stay: they are what forbids doing a thing twice, and what figures are made of.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orchestration_project.operations import audit
from orchestration_project.operations.models import (
    Action,
    AuditEntry,
    DeliveryAttempt,
    OutboxMessage,
    Response,
    ReviewItem,
    Task,
)
from orchestration_project.operations.store import Transaction


def messages(tx: Transaction, before: datetime, dry_run: bool) -> int:
    """Recipients and texts of messages that were over by then."""
    over = OutboxMessage.state.in_(("sent", "failed", "cancelled")) & (OutboxMessage.created_at < before)
    over &= sa.or_(OutboxMessage.sent_at.is_(None), OutboxMessage.sent_at < before)
    return _masked(tx, OutboxMessage, over & (OutboxMessage.recipient != audit.MASK), dry_run)


def responses(tx: Transaction, before: datetime, dry_run: bool) -> int:
    """Words of what came back by then."""
    return _masked(tx, Response, (Response.received_at < before) & _unmasked(Response.excerpt), dry_run)


def reviews(tx: Transaction, before: datetime, dry_run: bool) -> int:
    """Texts of reviews that were decided by then, or expired, and of tasks that were closed."""
    # What a person decided and nobody has carried on yet is still needed.
    done = ReviewItem.state.in_(("rejected", "expired", "resolved")) | ReviewItem.carried_on_at.is_not(None)
    over = done & (sa.func.coalesce(ReviewItem.decided_at, ReviewItem.expires_at) < before)
    over &= ReviewItem.title != audit.MASK
    # What was said of a decision stands with its action too.
    decided = Action.id.in_(sa.select(ReviewItem.action_id).where(over)) & _unmasked(Action.state_reason)
    _masked(tx, Action, decided, dry_run)
    found = _masked(tx, ReviewItem, over, dry_run)
    closed = (Task.state == "closed") & (Task.closed_at < before) & (Task.title != audit.MASK)
    return found + _masked(tx, Task, closed, dry_run)


def entries(tx: Transaction, before: datetime, dry_run: bool) -> int:
    """Reasons and values in the audit trail from before then."""
    return _masked_entries(tx, AuditEntry.at < before, dry_run)


def _unmasked(column: Any) -> sa.ColumnElement[bool]:
    return sa.and_(column.is_not(None), column != audit.MASK)


def _masked(tx: Transaction, model: Any, over: sa.ColumnElement[bool], dry_run: bool) -> int:
    number = tx.session.scalar(sa.select(sa.func.count()).select_from(model).where(over)) or 0
    if dry_run or not number:
        return number
    ids = list(tx.session.scalars(sa.select(model.id).where(over)))
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        _masked_entries(tx, (AuditEntry.entity == model.__tablename__) & AuditEntry.entity_id.in_(some), dry_run)
        _mask_texts(tx, model, model.id.in_(some))
        if model is OutboxMessage:
            _mask_texts(tx, DeliveryAttempt, DeliveryAttempt.outbox_id.in_(some))
    return number


def _mask_texts(tx: Transaction, model: Any, where: sa.ColumnElement[bool]) -> None:
    for name, value in audit.TEXTS[model].items():
        audit.assign(tx, model, where & getattr(model, name).is_not(None), **{name: value})


def _masked_entries(tx: Transaction, where: sa.ColumnElement[bool], dry_run: bool) -> int:
    told = where & sa.or_(
        _unmasked(AuditEntry.why), *(_says_something(column) for column in (AuditEntry.before, AuditEntry.after))
    )
    if dry_run:
        return tx.session.scalar(sa.select(sa.func.count()).select_from(AuditEntry).where(told)) or 0
    return audit.assign(tx, AuditEntry, told, before=audit.MASKED, after=audit.MASKED, why=audit.MASK)


def _says_something(column: Any) -> sa.ColumnElement[bool]:
    return sa.and_(column.is_not(None), sa.not_(sa.cast(column, sa.Text).contains('"masked"')))
