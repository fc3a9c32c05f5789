"""Responses: what came back from customers and their mail servers, and what that forbids from then on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.tombstones import PREFIX
from orchestration_project.operations import outbox, suppressions
from orchestration_project.operations.models import Action, OutboxMessage, Response
from orchestration_project.operations.response import Response as Received
from orchestration_project.operations.store import Transaction, in_parts

FORBIDS = {"bounce_hard": "bounce", "unsubscribe": "unsubscribe", "complaint": "complaint"}
"""Kinds after which nothing is sent any more, with the source of the suppression."""

NOT_OURS, STRANGER, KNOWN = "about nothing that was sent", "from a stranger who wants no mail", "known already"
"""What becomes of mails that are not recorded."""


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


def receive(tx: Transaction, told: Received) -> str:
    """Records a mail that came back; what became of it: its kind, `NOT_OURS`, `STRANGER` or `KNOWN`.

    It is about a message only where it names one that was sent: anybody can write anything. Whoever wants no more and
    names none has their address suppressed all the same, since nobody is harmed by that.
    """
    message = outbox.by_message_id(tx.session, told.in_reply_to) if told.in_reply_to else None
    customer = _customer(tx.session, message) if message else None
    if message is None or customer is None:
        source = FORBIDS.get(told.kind)
        if told.kind == "bounce_hard" or source is None or told.address is None:
            return NOT_OURS
        new = suppressions.once(tx, f"{told.kind} {told.source_id}", source, address=told.address)
        return STRANGER if new else KNOWN
    assert told.received_at is not None
    response = NewResponse(told.source_id, customer, told.kind, told.received_at, message.id, told.excerpt)
    return told.kind if record(tx, [response]) else KNOWN


def _customer(session: orm.Session, message: OutboxMessage) -> str | None:
    action = session.get(Action, message.action_id) if message.action_id else None
    return action.customer_id if action else message.payload.get("customer_id")


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
