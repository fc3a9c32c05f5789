"""Overrides: scores that people set in the place of the computed ones, for a time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.operations.models import Override
from orchestration_project.operations.store import Transaction


def add(tx: Transaction, customer_id: str, score: float, reason: str, ends_at: datetime) -> Override:
    """Sets a customer's score, from 1 to 10, from now until `ends_at`."""
    if not 1 <= score <= 10:
        raise ValueError(f"a score is from 1 to 10, not {score:g}; correct it")
    if ends_at <= tx.now:
        raise ValueError(f"an override must end in the future, not at {ends_at:%Y-%m-%d %H:%M}; name a later time")
    if not reason.strip():
        raise ValueError("an override needs a reason; say why")
    row = {"customer_id": customer_id, "score": score, "author": tx.who, "reason": reason, "starts_at": tx.now,
           "ends_at": ends_at, "withdrawn_at": None}  # fmt: skip
    return tx.insert_new(Override, [row], "score overridden", reason)[0]


def withdraw(tx: Transaction, override_id: str, reason: str) -> bool:
    """Ends an override now; False where it does not hold."""
    row = tx.locked(Override, override_id)
    if row is None or row.withdrawn_at is not None or row.ends_at <= tx.now:
        return False
    tx.change(row, "override withdrawn", reason, withdrawn_at=tx.now)
    return True


def active(session: orm.Session, at: datetime) -> dict[str, Override]:
    """The override that held for each customer at a time; of several, the one that was set last."""
    holds = sa.and_(
        Override.starts_at <= at,
        Override.ends_at > at,
        sa.or_(Override.withdrawn_at.is_(None), Override.withdrawn_at > at),
    )
    found: Sequence[Override] = session.scalars(
        sa.select(Override).where(holds).order_by(Override.starts_at, Override.created_at, Override.id)
    ).all()
    return {row.customer_id: row for row in found}


def on_days(session: orm.Session, days: Iterable[date]) -> list[tuple[date, Override]]:
    """The overrides that held at the end of each scan day, one per customer.

    An override holds from when it was set, so one that was set after a day's end never changes that day, whenever the
    day is scanned again.
    """
    return [(day, row) for day in days for row in active(session, datetime.combine(day, time.max, UTC)).values()]
