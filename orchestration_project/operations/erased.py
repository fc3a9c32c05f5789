"""Erased: what becomes of a customer in the store: texts masked, identifiers replaced, and never written to again."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.tombstones import Tombstones, pseudonym
from orchestration_project.domain.traces import Traces
from orchestration_project.operations import audit
from orchestration_project.operations.models import (
    Action,
    AuditEntry,
    Base,
    Episode,
    OutboxMessage,
    Response,
    ReviewItem,
    Suppression,
    Task,
    Words,
)
from orchestration_project.operations.store import Store, Transaction
from orchestration_project.operations.suppressions import address_of

OF_CUSTOMER: Sequence[Any] = [
    mapper.class_
    for mapper in Base.registry.mappers
    if "customer_id" in mapper.columns.keys()  # noqa: SIM118
]
KEYS = ((Action, "key"), (ReviewItem, "key"), (OutboxMessage, "idempotency_key"), (Response, "source_id"))
"""Unique keys that may be made of an identifier or an address."""
MOST_AT_ONCE = 1000


def knows(session: orm.Session, customer_id: str) -> bool:
    """Whether the store has any row about a customer."""
    return any(
        session.scalar(sa.select(sa.literal(1)).where(model.customer_id == customer_id).limit(1))
        for model in OF_CUSTOMER
    )


def addresses(session: orm.Session, customer_id: str) -> set[str]:
    """Where a customer was written to, or was not to be."""
    written = sa.select(OutboxMessage.recipient).join(Action, OutboxMessage.action_id == Action.id)
    written = written.where(Action.customer_id == customer_id, OutboxMessage.kind == "email")
    suppressed = sa.select(Suppression.address).where(Suppression.customer_id == customer_id)
    found = {*session.scalars(written), *session.scalars(suppressed.where(Suppression.salt.is_(None)))}
    return {address_of(each) for each in found if each and "@" in each}


def messages(session: orm.Session, customer_id: str) -> set[str]:
    """The keys of all messages about a customer."""
    found = sa.select(OutboxMessage.idempotency_key).join(Action, OutboxMessage.action_id == Action.id)
    return set(session.scalars(found.where(Action.customer_id == customer_id)))


def erase(tx: Transaction, traces: Traces, tombstones: Tombstones, why: str) -> int:
    """Masks every text and address about a customer and replaces their identifier by its pseudonym; rows changed.

    What was under way ends, and nothing is sent to the customer or to their addresses ever again. Identifiers of
    rows, times and states stay.
    """
    customer, alias = traces.customer_id, tombstones.names(traces.customer_id)
    theirs = addresses(tx.session, customer) | {address_of(name) for name in traces.names if "@" in name}
    changed = audit.mask(tx, customer, why, alias)
    _end_episodes(tx, customer)
    _replace_keys(tx, customer, tombstones)
    _hash_suppressions(tx, customer, theirs - {address_of(each) for each in traces.shared}, tombstones)
    for model in OF_CUSTOMER:
        changed += audit.assign(tx, model, model.customer_id == customer, customer_id=alias)
    entries = (AuditEntry.entity == "customers") & (AuditEntry.entity_id == customer)
    audit.assign(tx, AuditEntry, entries, entity_id=alias)
    return changed + _mask_rest(tx, traces)


def _end_episodes(tx: Transaction, customer: str) -> None:
    open_ones = (Episode.customer_id == customer) & Episode.ended_on.is_(None)
    audit.assign(tx, Episode, open_ones, ended_on=tx.now.date(), end_reason="erased")


def _replace_keys(tx: Transaction, customer: str, tombstones: Tombstones) -> None:
    for model, name in KEYS:
        rows = tx.session.execute(sa.select(model.id, getattr(model, name)).where(audit.about(model, customer)))
        for row_id, key in rows.all():
            audit.assign(tx, model, model.id == row_id, **{name: tombstones.names(key)})
    lines = audit.about(OutboxMessage, customer) & (OutboxMessage.kind != "email")
    audit.assign(tx, OutboxMessage, lines, message_id=None)
    audit.assign(tx, Task, Task.customer_id == customer, external_ref=None)


def _hash_suppressions(tx: Transaction, customer: str, theirs: Iterable[str], tombstones: Tombstones) -> None:
    """Those that are there hold for a hash from now on, and one more for the customer and for each address."""
    salt = tombstones.salt
    wanted = [None, *sorted(theirs)]
    rows = tx.session.scalars(sa.select(Suppression).where(Suppression.salt.is_(None)).where(
        sa.or_(Suppression.customer_id == customer, Suppression.address.in_(sorted(theirs)))
    ))  # fmt: skip
    for row in rows.all():
        audit.assign(tx, Suppression, Suppression.id == row.id, salt=salt, reason=audit.MASK,
                     address=row.address and pseudonym(salt, row.address))  # fmt: skip
    alias = pseudonym(salt, customer)
    known = sa.select(Suppression.address).where(Suppression.customer_id == alias, Suppression.source == "erased")
    there = set(tx.session.scalars(known))
    new = [each and pseudonym(salt, each) for each in wanted]
    rows_new = [
        {"customer_id": alias, "address": each, "reason": "erased", "source": "erased", "by": tx.who,
         "starts_at": tx.now, "ends_at": None, "salt": salt}
        for each in new if each not in there
    ]  # fmt: skip
    tx.insert_new(Suppression, rows_new, "suppressed", "erased")


def _mask_rest(tx: Transaction, traces: Traces) -> int:
    """Masks the customer in texts that are about others too, such as an item about many customers."""
    tx.session.flush()
    changed = 0
    for model in _models():
        for row in _naming(tx.session, model, traces):
            values = {name: traces.masked_in(value) for name, value in row.values().items()}
            differ = {name: value for name, value in values.items() if value != getattr(row, name)}
            if differ and isinstance(row, AuditEntry):
                differ = {"before": audit.MASKED, "after": audit.MASKED, "why": audit.MASK}
            if differ:
                audit.assign(tx, model, model.id == row.id, **differ)
                changed += 1
    tx.session.expire_all()
    return changed


def remainders(store: Store, traces: Traces) -> Iterator[str]:
    """The tables that still name a customer, with the identifier of the row."""
    with store.reading() as session:
        for model in _models():
            for row in _naming(session, model, traces):
                if traces.found_in(list(row.values().values())):
                    yield f"{model.__tablename__} {row.id}"
        for model in OF_CUSTOMER:
            for row_id in session.scalars(sa.select(model.id).where(model.customer_id == traces.customer_id)):
                yield f"{model.__tablename__} {row_id}"


def _models() -> list[Any]:
    return [mapper.class_ for mapper in Base.registry.mappers]


def _naming(session: orm.Session, model: Any, traces: Traces) -> Iterator[Any]:
    """Rows that may name a customer: the database looks for the letters, and who asks for what they mean."""
    told = [column for column in model.__table__.columns if isinstance(column.type, Words | sa.JSON)]
    texts = [sa.func.lower(sa.cast(column, sa.Text)) for column in told]
    forms = {*traces.forms, *(each.decode() for each in traces.letters)}
    holds = [text.contains(form, autoescape=True) for text in texts for form in sorted(forms)]
    found = session.scalars(sa.select(model).where(sa.or_(*holds)).execution_options(yield_per=MOST_AT_ONCE))
    yield from found.all()
