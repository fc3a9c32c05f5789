"""Responses: what came back from customers and their mail servers, and what that forbids from then on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.tombstones import PREFIX
from orchestration_project.operations import suppressions
from orchestration_project.operations.models import OutboxMessage, Response
from orchestration_project.operations.store import Transaction, in_parts

FORBIDS = {"bounce_hard": "bounce", "unsubscribe": "unsubscribe", "complaint": "complaint"}
"""Kinds after which nothing is sent any more, with the source of the suppression."""


@dataclass(frozen=True)
class NewResponse:
    """Something that came back."""

    source_id: str
    """Its message identifier, or a hash: what was read before adds nothing."""
    customer_id: str
    kind: str
    received_at: datetime
    outbox_id: str | None = None
    excerpt: str | None = None


def record(tx: Transaction, responses: Sequence[NewResponse]) -> list[Response]:
    """Records responses and returns the new ones; those that forbid writing suppress at once.

    A hard bounce suppresses the address that the message went to; a person's wish suppresses the customer too. What
    comes back from who was erased is not recorded.
    """
    told = [response for response in responses if not response.customer_id.startswith(PREFIX)]
    rows = sorted((asdict(response) for response in told), key=lambda row: str(row["source_id"]))
    new = tx.insert_new(Response, rows, "response recorded", None)
    recipients = _recipients(tx.session, [row.outbox_id for row in new if row.outbox_id])
    for row in new:
        source = FORBIDS.get(row.kind)
        if source is None:
            continue
        address = recipients.get(row.outbox_id or "")
        customer = None if source == "bounce" and address else row.customer_id
        suppressions.add(tx, f"{row.kind} {row.source_id}", source, customer, address)
    return new


def _recipients(session: orm.Session, messages: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in in_parts(messages):
        wanted = sa.select(OutboxMessage.id, OutboxMessage.recipient).where(OutboxMessage.id.in_(part))
        found.update((row.id, row.recipient) for row in session.execute(wanted))
    return found


def of_message(session: orm.Session, outbox_id: str) -> Sequence[Response]:
    """What came back for one message, in order."""
    found = sa.select(Response).where(Response.outbox_id == outbox_id)
    return session.scalars(found.order_by(Response.received_at, Response.id)).all()
