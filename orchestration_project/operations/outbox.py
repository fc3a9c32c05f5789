"""Outbox: messages on their way out, who is sending them, and how that ended. `uncertain` is for what nobody knows.

A message goes from pending to claimed to sent or failed. That an attempt begins is on disk before the channel is
called, so that after a crash it is known which messages may have left.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.quiet_hours import Quiet, allowed_from
from orchestration_project.operations import ledger, suppressions, switches
from orchestration_project.operations.channel import Message, Receipt
from orchestration_project.operations.models import Action, DeliveryAttempt, OutboxMessage, ReviewItem
from orchestration_project.operations.permit import Authority
from orchestration_project.operations.store import Transaction, in_parts

RECORDS: Mapping[str, str] = {"email": "note", "task": "chat"}
"""The kind of message that tells of one: a note in the CRM of what a customer got, a post of what a colleague got."""
Result = Literal["sent", "transient", "permanent", "uncertain"]


class LostClaim(Exception):
    """A worker that no longer has the message it works on."""


@dataclass(frozen=True)
class Address:
    """Where a message goes, and what goes there besides subject and body."""

    channel: str
    kind: str
    recipient: str
    payload: dict[str, Any]
    quiet: dict[str, Any] | None = None
    """When nothing may arrive: the hours of `domain.quiet_hours.Quiet`, the recipient's `zone`, and the `usual` one."""
    recorded_by: str | None = None
    """The channel that tells of it once it is sent."""


@dataclass(frozen=True)
class NewMessage:
    """A message that is to be sent once, for its key."""

    idempotency_key: str
    action_id: str | None
    channel: str
    kind: str
    recipient: str
    payload: dict[str, Any]
    not_before: datetime
    quiet: dict[str, Any] | None = None
    recorded_by: str | None = None
    record_of: str | None = None


def enqueue(tx: Transaction, authority: Authority, messages: Sequence[NewMessage]) -> list[OutboxMessage]:
    """Puts messages into the outbox and returns the new ones; a key that was there before is left as it is."""
    return _insert(tx, messages, _source(authority))


def _insert(tx: Transaction, messages: Sequence[NewMessage], why: str) -> list[OutboxMessage]:
    rows = [asdict(message) | {"state": "pending", "attempts": 0} for message in messages]
    rows.sort(key=lambda row: row["idempotency_key"])
    return tx.insert_new(OutboxMessage, rows, "message queued", why)


def _source(authority: Authority) -> str:
    """Why a message may go out, for the audit trail."""
    return f"run {authority.run_id}" if hasattr(authority, "run_id") else f"review item {authority.item_id}"


def claim(tx: Transaction, worker: str, channels: Collection[str], limit: int, lease: timedelta) -> list[OutboxMessage]:
    """Takes up to `limit` messages of these channels that are due; nobody else gets them until the lease runs out.

    What must not be sent any more is cancelled on the way, and the messages of plays that are switched off wait.
    """
    taken: list[OutboxMessage] = []
    while len(taken) < limit:
        wanted = _due(tx.session, tx.now, channels, limit - len(taken))
        found = tx.session.scalars(wanted.with_for_update(skip_locked=True, of=OutboxMessage)).all()
        if not found:
            break
        for message in _still_wanted(tx, found):
            until = tx.now + lease
            tx.change(message, "message claimed", state="claimed", claimed_by=worker, claimed_until=until)
            taken.append(message)
        tx.session.flush()
    return taken


def due(session: orm.Session, now: datetime, channels: Collection[str], limit: int = 1000) -> Sequence[OutboxMessage]:
    """Messages that `claim` would look at, in that order."""
    return session.scalars(_due(session, now, channels, limit)).all()


def _due(session: orm.Session, now: datetime, channels: Collection[str], limit: int) -> sa.Select[OutboxMessage]:
    due = (
        sa.select(OutboxMessage)
        .where(OutboxMessage.state == "pending", OutboxMessage.not_before <= now)
        .where(OutboxMessage.channel.in_(sorted(channels)))
    )
    off = switches.off(session)
    if switches.ALL in off:
        due = due.where(sa.false())
    elif off:
        due = due.where(~sa.exists().where(Action.id == OutboxMessage.action_id, Action.play.in_(off)))
    return due.order_by(OutboxMessage.not_before, OutboxMessage.id).limit(limit)


def _held(tx: Transaction, message: OutboxMessage) -> bool:
    action = tx.session.get(Action, message.action_id) if message.action_id else None
    off = switches.off(tx.session)
    return switches.ALL in off or (action is not None and action.play in off)


def _still_wanted(tx: Transaction, messages: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    """The messages that may go out now; in quiet hours they wait, and what must not go out any more is cancelled."""
    ids = [message.action_id for message in messages if message.action_id]
    actions = {row.id: row for row in tx.session.scalars(sa.select(Action).where(Action.id.in_(ids)))}
    wanted = []
    for message in messages:
        action = actions.get(message.action_id or "")
        why, later = _why_not(tx, message, action), not_before(tx.now, message.quiet)
        if why is None and later > tx.now:
            waiting = {"state": "pending", "claimed_by": None, "claimed_until": None, "not_before": later}
            tx.change(message, "message deferred", "quiet hours", **waiting)
            continue
        if why is None:
            wanted.append(message)
            continue
        values = {"state": "cancelled", "claimed_by": None, "claimed_until": None, "error": why}
        tx.change(message, "message cancelled", why, **values)
        if action and action.state == "queued":
            ledger.set_state(tx, action.id, "cancelled", why)
    return wanted


def _why_not(tx: Transaction, message: OutboxMessage, action: Action | None) -> str | None:
    if action and action.state in ("cancelled", "expired", "rejected", "shadow"):
        return f"its action is {action.state}"
    customer = action.customer_id if action else None
    # Only what goes to the customer is stopped by their wish; nothing at all goes out about one who was erased.
    sources = None if message.kind == "email" else ("erased",)
    found = suppressions.first(tx.session, customer, message.recipient, tx.now, sources)
    return f"suppressed since {found.starts_at:%Y-%m-%d} ({found.source})" if found else None


def not_before(moment: datetime, quiet: Mapping[str, Any] | None) -> datetime:
    """From when on a message may be sent that is ready at a moment."""
    if quiet is None:
        return moment
    hours = Quiet(quiet["start"], quiet["end"], quiet["weekends"])
    return allowed_from(moment, quiet["zone"], hours, quiet["usual"])


def renew(tx: Transaction, worker: str, messages: Collection[str], lease: timedelta) -> None:
    """Prolongs the lease of messages that a worker has claimed and not yet come to."""
    own = sa.update(OutboxMessage).where(
        OutboxMessage.id.in_(messages), OutboxMessage.state == "claimed", OutboxMessage.claimed_by == worker
    )
    renewed = tx.session.execute(own.values(claimed_until=tx.now + lease))
    tx.note("leases renewed", OutboxMessage.__tablename__, worker, None, {"messages": renewed.rowcount})  # type: ignore[attr-defined]


def begin_attempt(tx: Transaction, worker: str, message_id: str, lease: timedelta) -> Message | None:
    """Notes that sending begins; the caller commits this before it calls the channel, and gets the lease anew.

    None where the message must not be sent any more, or not now. Raises `LostClaim` where it is not the worker's.
    """
    row = _own(tx, worker, message_id)
    if _open_attempt(tx, row) is not None:
        raise LostClaim(f"message {message_id} is being sent already; a person decides what became of it")
    if not _still_wanted(tx, [row]):
        return None
    if _held(tx, row):
        tx.change(row, "message held", "its play is switched off", state="pending", claimed_by=None, claimed_until=None)
        return None
    number = row.attempts + 1
    attempt = {"outbox_id": row.id, "number": number, "worker": worker, "started_at": tx.now, "finished_at": None,
               "result": "sending", "error": None}  # fmt: skip
    tx.insert_new(DeliveryAttempt, [attempt], "sending begun", None)
    tx.change(row, "sending begun", attempts=number, claimed_until=tx.now + lease)
    return Message(row.id, row.idempotency_key, row.kind, row.recipient, row.payload)


def finish(
    tx: Transaction,
    worker: str,
    message_id: str,
    result: Result,
    receipt: Receipt | None = None,
    error: str | None = None,
    retry_at: datetime | None = None,
) -> str:
    """Notes how the attempt that a worker began has ended, and returns the message's state.

    After a transient failure the message is pending until `retry_at`, or has failed where that is None. A worker that
    comes late with its answer, when the message is uncertain already, settles it if no person has.
    """
    row = tx.locked(OutboxMessage, message_id)
    attempt = _open_attempt(tx, row) if row else None
    if row is None or attempt is None or attempt.worker != worker:
        raise LostClaim(f"worker {worker} is not sending message {message_id}; nothing was noted")
    tx.change(attempt, "sending ended", error, finished_at=tx.now, result=result, error=error)
    if row.state not in ("claimed", "uncertain"):
        return row.state
    if row.state == "uncertain":
        _withdraw_question(tx, row, result)
    state = {"transient": "pending" if retry_at else "failed", "permanent": "failed"}.get(result, result)
    values: dict[str, Any] = {"state": state, "claimed_by": None, "claimed_until": None, "error": error}
    if state == "sent":
        told = dict(receipt.details) if receipt else {}
        values |= {"sent_at": tx.now, "message_id": receipt.external_id if receipt else None, "receipt": told}
    if state == "pending":
        values |= {"not_before": retry_at}
    tx.change(row, f"message {state}", error, **values)
    follow(tx, row, state, error)
    return state


def follow(tx: Transaction, message: OutboxMessage, state: str, why: str | None) -> None:
    """What follows from where a message stands: its action stands there too, and what was sent is told of."""
    if message.action_id and message.record_of is None and state != "pending":
        ledger.set_state(tx, message.action_id, state, why)
    # The text is gone where its customer was erased while it was sent.
    told = message.kind in RECORDS and "body" in message.payload
    if state == "sent" and message.recorded_by and told:
        _insert(tx, [_record(message, message.recorded_by, tx.now)], f"message {message.id} was sent")


def _record(message: OutboxMessage, channel: str, now: datetime) -> NewMessage:
    """A note of an e-mail to a customer, or a post about the task of an account manager."""
    kind = RECORDS[message.kind]
    told = {"customer_id": message.payload["customer_id"], "body": message.payload["body"]}
    about = f"E-mail sent: {message.payload['subject']}" if kind == "note" else message.payload["subject"]
    return NewMessage(
        f"{message.idempotency_key}:{kind}", message.action_id, channel, kind, message.recipient,
        told | {"subject": about}, now, record_of=message.id,
    )  # fmt: skip


def question(message: OutboxMessage) -> str:
    """The key of the review item that asks what became of the latest attempt."""
    return f"uncertain:{message.id}:{message.attempts}"


def get(session: orm.Session, message_id: str) -> OutboxMessage:
    """A message by the identifier of its row."""
    return session.get_one(OutboxMessage, message_id)


def by_message_id(session: orm.Session, message_id: str) -> OutboxMessage | None:
    """The message that the other side calls so, as replies do."""
    return session.scalars(sa.select(OutboxMessage).where(OutboxMessage.message_id == message_id).limit(1)).first()


def threads(session: orm.Session, episodes: Collection[str]) -> Mapping[str, list[str]]:
    """By episode, what the other side calls the e-mails that were sent in it, the oldest first."""
    found: dict[str, list[str]] = {}
    for part in in_parts(sorted(episodes)):
        sent = (
            sa.select(Action.episode_id, OutboxMessage.message_id)
            .join(Action, Action.id == OutboxMessage.action_id)
            .where(Action.episode_id.in_(part), OutboxMessage.kind == "email", OutboxMessage.state == "sent")
            .where(OutboxMessage.message_id.is_not(None))
        )
        for episode, name in session.execute(sent.order_by(OutboxMessage.sent_at, OutboxMessage.id)):
            found.setdefault(str(episode), []).append(str(name))
    return found


def counts(session: orm.Session) -> Mapping[str, int]:
    """Number of messages by state."""
    grouped = sa.select(OutboxMessage.state, sa.func.count()).group_by(OutboxMessage.state)
    return {state: number for state, number in session.execute(grouped)}  # noqa: C416 - rows are no pairs to mypy


def without_channel(session: orm.Session, channels: Collection[str]) -> Mapping[str, int]:
    """Number of messages that wait for a channel which is not among these, by its name."""
    waiting = sa.select(OutboxMessage.channel, sa.func.count()).where(
        OutboxMessage.state == "pending", OutboxMessage.channel.not_in(sorted(channels))
    )
    return {channel: number for channel, number in session.execute(waiting.group_by(OutboxMessage.channel))}  # noqa: C416


def _own(tx: Transaction, worker: str, message_id: str) -> OutboxMessage:
    row = tx.locked(OutboxMessage, message_id)
    if row is None or row.state != "claimed" or row.claimed_by != worker:
        raise LostClaim(f"message {message_id} is not claimed by {worker}; it was taken over or cancelled")
    if row.claimed_until is None or row.claimed_until <= tx.now:
        raise LostClaim(f"the lease of {worker} on message {message_id} has run out")
    return row


def _open_attempt(tx: Transaction, row: OutboxMessage) -> DeliveryAttempt | None:
    unfinished = sa.select(DeliveryAttempt).where(
        DeliveryAttempt.outbox_id == row.id,
        DeliveryAttempt.number == row.attempts,
        DeliveryAttempt.finished_at.is_(None),
    )
    return tx.session.scalars(unfinished.execution_options(populate_existing=True)).first()


def _withdraw_question(tx: Transaction, row: OutboxMessage, result: str) -> None:
    asked = sa.select(ReviewItem).where(ReviewItem.key == question(row), ReviewItem.state == "open").with_for_update()
    for item in tx.session.scalars(asked):
        why = f"the worker told late how the attempt ended: {result}"
        tx.change(item, "review resolved", why, state="resolved", decided_by=tx.who, decided_at=tx.now,
                  decision_reason=why)  # fmt: skip
