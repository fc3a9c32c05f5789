"""Suppressions: whom not to write to, or which address, since when and why."""

from collections.abc import Collection, Sequence
from datetime import datetime
from email.utils import parseaddr

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.tombstones import pseudonym
from orchestration_project.operations.models import Suppression
from orchestration_project.operations.store import Transaction


def address_of(recipient: str) -> str:
    """The bare address in lower case: `Ann <Ann@Example.com>` is `ann@example.com`."""
    return (parseaddr(recipient)[1] or recipient).strip().lower()


def add(
    tx: Transaction,
    reason: str,
    source: str,
    customer_id: str | None = None,
    address: str | None = None,
    ends_at: datetime | None = None,
) -> Suppression:
    """Suppresses a customer, an address, or an address of a customer, from now on.

    Whoever was erased is suppressed for good by what stands for them, and is not named again: that one is returned.
    """
    if customer_id is None and address is None:
        raise ValueError("a suppression names a customer or an address; name one")
    if erased := first(tx.session, customer_id, address or "", tx.now, ("erased",)):
        return erased
    row = {"customer_id": customer_id, "address": address_of(address) if address else None, "reason": reason,
           "source": source, "by": tx.who, "starts_at": tx.now, "ends_at": ends_at, "salt": None}  # fmt: skip
    return tx.insert_new(Suppression, [row], "suppressed", reason)[0]


def once(
    tx: Transaction, reason: str, source: str, customer_id: str | None = None, address: str | None = None
) -> Suppression | None:
    """What `add` does, unless exactly that is suppressed already: whoever clicks twice wants the same."""
    whom = (Suppression.customer_id.is_not_distinct_from(customer_id),
            Suppression.address.is_not_distinct_from(address_of(address) if address else None))  # fmt: skip
    known = sa.select(Suppression.id).where(*whom, Suppression.source == source, _holds(tx.now)).limit(1)
    if tx.session.scalars(known).first():
        return None
    added = add(tx, reason, source, customer_id, address)
    return None if added.source == "erased" else added


def lift(tx: Transaction, suppression_id: str, reason: str) -> bool:
    """Ends a suppression now; False where it has ended. That of an erased customer can't be lifted."""
    row = tx.locked(Suppression, suppression_id)
    if row is None or row.source == "erased" or (row.ends_at and row.ends_at <= tx.now):
        return False
    tx.change(row, "suppression lifted", reason, ends_at=tx.now)
    return True


def of(session: orm.Session, whom: str, now: datetime) -> Sequence[Suppression]:
    """Those that hold of exactly this customer, or exactly this address."""
    named = sa.or_(Suppression.customer_id == whom, Suppression.address == address_of(whom))
    return session.scalars(sa.select(Suppression).where(named, _holds(now)).order_by(Suppression.id)).all()


def active(session: orm.Session, now: datetime) -> Sequence[Suppression]:
    """All suppressions that hold at a time."""
    return session.scalars(sa.select(Suppression).where(_holds(now)).order_by(Suppression.id)).all()


def first(
    session: orm.Session,
    customer_id: str | None,
    recipient: str,
    now: datetime,
    sources: Collection[str] | None = None,
) -> Suppression | None:
    """The earliest suppression that holds for a customer or a recipient, of these sources or of any."""
    whom: sa.ColumnElement[bool] = Suppression.address.in_(_and_hashed(session, address_of(recipient)))
    if customer_id is not None:
        whom = sa.or_(whom, Suppression.customer_id.in_(_and_hashed(session, customer_id)))
    found = sa.select(Suppression).where(whom, _holds(now)).order_by(Suppression.starts_at, Suppression.id)
    if sources is not None:
        found = found.where(Suppression.source.in_(sources))
    return session.scalars(found.limit(1)).first()


def _and_hashed(session: orm.Session, text: str) -> list[str]:
    """A text, and what stands for it where somebody was erased."""
    salts = sa.select(Suppression.salt).where(Suppression.salt.is_not(None)).distinct()
    return [text, *(pseudonym(salt, text) for salt in session.scalars(salts) if salt)]


def _holds(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Suppression.starts_at <= now, sa.or_(Suppression.ends_at.is_(None), Suppression.ends_at > now))
