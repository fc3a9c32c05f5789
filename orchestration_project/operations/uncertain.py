"""Uncertain: messages of which nobody knows whether they were sent, and those that failed; a person looks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.contracts.manifest import Escalation
from orchestration_project.operations import outbox, reviews
from orchestration_project.operations.models import Action, DeliveryAttempt, OutboxMessage, ReviewItem
from orchestration_project.operations.store import Transaction

Answer = Literal["sent", "resend", "give_up"]
AT_ONCE = 1000
URGENT = 2


def sweep(tx: Transaction, to: Escalation) -> int:
    """Looks after messages whose worker has not come back before its lease ran out; returns how many are uncertain.

    Where an attempt had begun, the message is uncertain and a person is asked. Where none had, it is pending again.
    """
    messages = tx.session.scalars(_left(tx.now, AT_ONCE).with_for_update(skip_locked=True)).all()
    begun = _begun(tx, messages)
    for message in messages:
        state = "uncertain" if message.id in begun else "pending"
        why = f"the lease of {message.claimed_by} ran out"
        tx.change(message, f"message {state}", why, state=state, claimed_by=None, claimed_until=None, error=why)
    unknown = [message for message in messages if message.id in begun]
    ask(tx, to, unknown)
    return len(unknown)


def left(session: orm.Session, now: datetime, limit: int = AT_ONCE) -> Sequence[OutboxMessage]:
    """Messages that `sweep` would look after."""
    return session.scalars(_left(now, limit)).all()


def _left(now: datetime, limit: int) -> sa.Select[OutboxMessage]:
    left = sa.select(OutboxMessage).where(OutboxMessage.state == "claimed", OutboxMessage.claimed_until <= now)
    return left.order_by(OutboxMessage.claimed_until, OutboxMessage.id).limit(limit)


def _begun(tx: Transaction, messages: Sequence[OutboxMessage]) -> set[str]:
    ids = [message.id for message in messages]
    unfinished = sa.select(DeliveryAttempt.outbox_id).where(
        DeliveryAttempt.outbox_id.in_(ids), DeliveryAttempt.finished_at.is_(None)
    )
    return set(tx.session.scalars(unfinished))


def ask(tx: Transaction, to: Escalation, messages: Sequence[OutboxMessage]) -> None:
    """Asks a person what became of messages that are uncertain."""
    items = []
    for message in messages:
        action = tx.session.get(Action, message.action_id) if message.action_id else None
        outbox.follow(tx, message, "uncertain", message.error)
        items.append(reviews.NewItem(
            key=outbox.question(message), reason_code=reviews.UNCERTAIN, step="deliver",
            workflow=action.workflow if action else "delivery", queue=to.queue,
            owner=action.owner if action and action.owner else to.owner, priority=URGENT,
            title=f"Was the {message.kind} by {message.channel} sent?",
            deadline=tx.now + timedelta(hours=to.deadline_hours),
            expires_at=tx.now + timedelta(days=to.expires_after_days),
            customer_id=action.customer_id if action else None, action_id=message.action_id,
            context={"outbox_id": message.id, "channel": message.channel, "recipient": message.recipient,
                     "attempt": message.attempts, "error": message.error},
        ))  # fmt: skip
    reviews.insert_items(tx, items)


def tell(tx: Transaction, to: Escalation, message: OutboxMessage) -> None:
    """Tells a person of a message that has failed for good, though it was to be sent."""
    action = tx.session.get(Action, message.action_id) if message.action_id else None
    reviews.insert_items(tx, [reviews.NewItem(
        key=f"failed:{message.id}:{message.attempts}", reason_code="delivery_failed", step="deliver",
        workflow=action.workflow if action else "delivery", queue=to.queue,
        owner=action.owner if action and action.owner else to.owner, priority=URGENT,
        title=f"The {message.kind} by {message.channel} was not sent",
        deadline=tx.now + timedelta(hours=to.deadline_hours), expires_at=tx.now + timedelta(days=to.expires_after_days),
        customer_id=action.customer_id if action else None,
        context={"outbox_id": message.id, "channel": message.channel, "recipient": message.recipient,
                 "attempt": message.attempts, "error": message.error},
    )])  # fmt: skip


def resolve(tx: Transaction, item_id: str, answer: Answer, reason: str) -> str:
    """A person says what became of a message, and what is to become of it; returns its state.

    `sent`: it was sent. `resend`: it was not, and is to be sent again. `give_up`: it is not to be sent any more.
    Raises `reviews.Refused` where the item is not claimed by that person, or asks something else.
    """
    asked = tx.session.get(ReviewItem, item_id)
    # Workers that come late lock the message first, so it is the first one here too.
    message = tx.locked(OutboxMessage, str(asked.context.get("outbox_id"))) if asked else None
    item = reviews.claimed(tx, item_id)
    if item.reason_code != reviews.UNCERTAIN or message is None or message.state != "uncertain":
        raise reviews.Refused("this item does not ask what became of a message; approve, edit, reject or resolve it")
    state = {"sent": "sent", "resend": "pending", "give_up": "failed"}[answer]
    values = {"state": state, "not_before": tx.now} | ({"sent_at": tx.now} if state == "sent" else {})
    tx.change(message, f"message {state}", reason, **values)
    _close_attempt(tx, message, answer)
    outbox.follow(tx, message, {"pending": "queued"}.get(state, state), reason)
    decision = {"state": "resolved", "decided_by": tx.who, "decided_at": tx.now}
    tx.change(item, "review resolved", reason, **decision, decision_reason=f"{answer}: {reason}")
    return state


def _close_attempt(tx: Transaction, message: OutboxMessage, answer: Answer) -> None:
    unfinished = sa.select(DeliveryAttempt).where(
        DeliveryAttempt.outbox_id == message.id, DeliveryAttempt.finished_at.is_(None)
    )
    for attempt in tx.session.scalars(unfinished.with_for_update()):
        tx.change(attempt, "sending ended", f"{tx.who} says: {answer}", finished_at=tx.now, result="uncertain")
