"""Reviews: what people are asked to decide, who is deciding it, and what becomes of the decision."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain import texts
from orchestration_project.domain.edits import edit_distance
from orchestration_project.operations import outbox
from orchestration_project.operations.mail import ENCODED, LONGEST_SUBJECT
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem
from orchestration_project.operations.permit import Decision, Permit
from orchestration_project.operations.store import Transaction

CLAIM_MINUTES = 30
UNCERTAIN = "uncertain_delivery"
"""Reason code of items that ask what became of a message; `uncertain` decides them."""
MOST_TEXT = 20_000
"""Longest text, in characters, that a person may put in a draft's place."""
AT_ONCE = 5000
"""Items that one transaction expires."""


class Refused(Exception):
    """A decision that can't be taken; says why, in one sentence."""


@dataclass(frozen=True)
class NewItem:
    """Something for a person to decide."""

    key: str
    """What makes it the same question; one that was asked before is not asked again."""
    reason_code: str
    step: str
    workflow: str
    queue: str
    owner: str
    title: str
    deadline: datetime
    expires_at: datetime
    priority: int = 3
    """1 is the most urgent, 5 the least."""
    customer_id: str | None = None
    action_id: str | None = None
    subject: str | None = None
    body: str | None = None
    context: dict[str, Any] = field(default_factory=dict)
    send: outbox.Address | None = None
    """Where the text goes when it is approved; shown to whoever decides, as `send` in the context."""


@dataclass(frozen=True)
class Cursor:
    """Where a page ended."""

    priority: int
    deadline: datetime
    id: str


@dataclass(frozen=True)
class Page:
    """Some review items in the order of their urgency, and where the next page begins; None at the end."""

    items: Sequence[ReviewItem]
    next: Cursor | None


def raise_items(tx: Transaction, items: Sequence[NewItem], permit: Permit | None = None) -> list[ReviewItem]:
    """Asks people, and returns the items that are new; those about actions need a permit."""
    if permit is None and any(item.action_id for item in items):
        raise TypeError("review items about actions need the permit of a live scan")
    return insert_items(tx, items)


def insert_items(tx: Transaction, items: Sequence[NewItem]) -> list[ReviewItem]:
    """What `raise_items` does, for what follows from messages that were permitted before."""
    rows = []
    for item in sorted(items, key=lambda each: each.key):
        row = asdict(item)
        send = row.pop("send")
        rows.append(row | {"context": item.context | ({"send": send} if send else {}), "state": "open"})
    return tx.insert_new(ReviewItem, rows, "review asked for", None)


def page(
    session: orm.Session,
    queue: str | None = None,
    state: str = "open",
    after: Cursor | None = None,
    limit: int = 50,
    owner: str | None = None,
) -> Page:
    """Items of a queue or an owner, or of all, the most urgent first; `after` is where the page before ended."""
    found = sa.select(ReviewItem).where(ReviewItem.state == state)
    if owner is not None:
        found = found.where(ReviewItem.owner == owner)
    if queue is not None:
        found = found.where(ReviewItem.queue == queue)
    order = sa.tuple_(ReviewItem.priority, ReviewItem.deadline, ReviewItem.id)
    if after is not None:
        end = sa.tuple_(sa.literal(after.priority), sa.literal(after.deadline, ReviewItem.deadline.type), after.id)
        found = found.where(order > end)
    items = session.scalars(found.order_by(*order).limit(limit + 1)).all()
    last = items[limit - 1] if len(items) > limit else None
    return Page(items[:limit], place(last) if last else None)


def place(item: ReviewItem) -> Cursor:
    """Where a page that ends with an item ends."""
    return Cursor(item.priority, item.deadline, item.id)


def find(session: orm.Session, start: str) -> ReviewItem:
    """The item whose identifier begins so; `Refused` where there is none, or more than one."""
    # Identifiers are hexadecimal: what begins with `start` lies between it and it followed by a g, on the index.
    # What is no hexadecimal number may be ordered anywhere, so the beginning is compared too.
    near = sa.select(ReviewItem).where(ReviewItem.id >= start, ReviewItem.id < f"{start}g")
    found = [item for item in session.scalars(near.order_by(ReviewItem.id).limit(2)) if item.id.startswith(start)]
    if len(found) == 1 and start:
        return found[0]
    if not found or not start:
        raise Refused(f"there is no review item {start!r}; `orchestrate reviews list` tells those that are open")
    raise Refused(f"several review items begin with {start!r}; write more of the identifier")


def claim(tx: Transaction, item_id: str, minutes: float = CLAIM_MINUTES) -> ReviewItem:
    """Takes an item to decide it, so that nobody else does meanwhile; prolongs the time if it is one's own already.

    Raises `Refused` where somebody else has it, or where it is not open any more.
    """
    item = _open(tx, item_id)
    if item.claimed_by not in (None, tx.who) and item.claimed_until and item.claimed_until > tx.now:
        until = _time(item.claimed_until)
        raise Refused(f"this is being decided by {item.claimed_by} until {until}; wait, or ask them")
    tx.change(item, "review claimed", claimed_by=tx.who, claimed_until=tx.now + timedelta(minutes=minutes))
    return item


def approve(tx: Transaction, item_id: str, reason: str | None = None) -> ReviewItem:
    """Has the action done as it was drafted."""
    item = claimed(tx, item_id)
    _needs_action(item, "approved")
    return _decided(tx, item, "approved", reason)


def edit(tx: Transaction, item_id: str, subject: str | None, body: str, reason: str | None = None) -> ReviewItem:
    """Has the action done with another text; the first one is kept beside it, with their distance."""
    item = claimed(tx, item_id)
    _needs_action(item, "edited")
    if item.body is None:
        raise Refused("this item has no text that could be edited; approve or reject it")
    if not body.strip():
        raise Refused("the new text is empty; reject the item if nothing is to be sent")
    if len(body) + len(subject or "") > MOST_TEXT:
        raise Refused(f"the new text is longer than {MOST_TEXT} characters; shorten it")
    title = item.subject if subject is None else subject
    _sendable(title or "", body)
    distance = edit_distance(f"{item.subject or ''}\n{item.body}", f"{title or ''}\n{body}")
    return _decided(tx, item, "edited", reason, decided_subject=title, decided_body=body, edit_distance=distance)


def _sendable(subject: str, body: str) -> None:
    """Refuses what the channels would refuse once it is too late to correct it."""
    if len(subject) > LONGEST_SUBJECT:
        raise Refused(f"the new subject is longer than {LONGEST_SUBJECT} characters; shorten it")
    if ENCODED in subject:
        raise Refused(f"the new subject holds {ENCODED!r}, which mail programs take for encoded text; remove it")
    for name, found in (("subject", texts.unseen(subject)), ("text", texts.unseen(body, lines=True))):
        if found:
            raise Refused(f"the new {name} holds the character U+{ord(found):04X}, which nobody sees; remove it")


def reject(tx: Transaction, item_id: str, reason: str) -> ReviewItem:
    """Has the action not done."""
    item = claimed(tx, item_id)
    _needs_action(item, "rejected")
    return _decided(tx, item, "rejected", reason)


def resolve(tx: Transaction, item_id: str, reason: str) -> ReviewItem:
    """Closes an item that is about no action, such as one about data: it was looked into."""
    item = claimed(tx, item_id)
    if item.reason_code == UNCERTAIN:
        raise Refused("this item asks what became of a message; say whether it was sent, to resend it, or to give_up")
    if item.action_id is not None:
        raise Refused("this item is about an action; approve, edit or reject it")
    return _decided(tx, item, "resolved", reason)


def reassign(tx: Transaction, item_id: str, owner: str, reason: str, queue: str | None = None) -> ReviewItem:
    """Gives an item to another owner, and to another queue where one is named; whoever claimed it lets go of it."""
    item = claimed(tx, item_id)
    to = {"owner": owner, "queue": queue or item.queue}
    tx.change(item, "review reassigned", reason, **to, claimed_by=None, claimed_until=None)
    return item


def withdraw(tx: Transaction, action_id: str, why: str) -> None:
    """Closes the open question about an action that is not to be done any more."""
    asked = sa.select(ReviewItem).where(ReviewItem.action_id == action_id, ReviewItem.state == "open")
    for item in tx.session.scalars(asked.with_for_update()):
        tx.change(item, "review resolved", why, state="resolved", decided_by=tx.who, decided_at=tx.now,
                  decision_reason=why)  # fmt: skip


def expire(tx: Transaction) -> int:
    """Closes items that nobody decided in time, and their actions: nothing is sent. Returns how many."""
    items = tx.session.scalars(_late(tx.now, AT_ONCE).with_for_update(skip_locked=True)).all()
    for item in items:
        tx.change(item, "review expired", "nobody decided in time", state="expired")
        _move_action(tx, item, "expired", "nobody decided in time")
    return len(items)


def late(session: orm.Session, now: datetime, limit: int = 1000) -> Sequence[ReviewItem]:
    """Items that `expire` would close, the oldest first."""
    return session.scalars(_late(now, limit)).all()


def _late(now: datetime, limit: int) -> sa.Select[ReviewItem]:
    late = sa.select(ReviewItem).where(ReviewItem.state == "open", ReviewItem.expires_at <= now)
    return late.order_by(ReviewItem.expires_at, ReviewItem.id).limit(limit)


def to_carry_on(session: orm.Session, limit: int = 1000) -> Sequence[ReviewItem]:
    """Items whose action was approved, as it was or edited, and has not been carried out; the oldest decision first."""
    waiting = sa.select(ReviewItem).where(
        ReviewItem.carried_on_at.is_(None), ReviewItem.state.in_(("approved", "edited"))
    )
    return session.scalars(waiting.order_by(ReviewItem.decided_at, ReviewItem.id).limit(limit)).all()


def carry_on(tx: Transaction, item_id: str) -> OutboxMessage | None:
    """Carries out what was approved, exactly once: its message goes into the outbox, and is returned.

    None where that was done before, where there is no message, where the approval has run out, or where the action
    was cancelled meanwhile.
    """
    item = tx.locked(ReviewItem, item_id)
    if item is None or item.state not in ("approved", "edited") or item.carried_on_at is not None:
        return None
    action = tx.locked(Action, item.action_id or "")
    tx.change(item, "review carried on", carried_on_at=tx.now)
    if action is None or action.state != "approved":
        return None
    if item.expires_at <= tx.now:
        why = f"the approval held until {_time(item.expires_at)}"
        tx.change(action, "action expired", why, state="expired", state_reason=why)
        return None
    message = _message(tx, item)
    if message is None:
        return None
    assert item.decided_by is not None and item.decided_at is not None
    queued = outbox.enqueue(tx, Decision(item.id, item.decided_by, item.decided_at), [message])
    tx.change(action, "action queued", None, state="queued", state_reason=None)
    return queued[0] if queued else None


def _message(tx: Transaction, item: ReviewItem) -> outbox.NewMessage | None:
    send = item.context.get("send")
    if send is None:
        return None
    edited = item.state == "edited"
    text = {
        "subject": item.decided_subject if edited else item.subject,
        "body": item.decided_body if edited else item.body,
    }
    return outbox.NewMessage(
        idempotency_key=f"action:{item.action_id}", action_id=item.action_id, channel=send["channel"],
        kind=send["kind"], recipient=send["recipient"], payload=send["payload"] | text | {"automatic": False},
        not_before=outbox.not_before(tx.now, send["quiet"]), quiet=send["quiet"], recorded_by=send.get("recorded_by"),
    )  # fmt: skip


def claimed(tx: Transaction, item_id: str) -> ReviewItem:
    """An open item that whoever acts in this transaction has claimed; `Refused` where they have not."""
    item = _open(tx, item_id)
    if item.claimed_by is None:
        raise Refused("nobody has claimed this item; claim it first")
    if item.claimed_by != tx.who:
        raise Refused(f"this item is claimed by {item.claimed_by}, not by {tx.who}; claim it first")
    if item.claimed_until is None or item.claimed_until <= tx.now:
        raise Refused("your claim on this item has run out; claim it again")
    return item


def _open(tx: Transaction, item_id: str) -> ReviewItem:
    item = tx.locked(ReviewItem, item_id)
    if item is None:
        raise Refused(f"there is no review item {item_id}; list them to see those that are open")
    if item.state != "open":
        by = f" by {item.decided_by} at {_time(item.decided_at)}" if item.decided_at else ""
        raise Refused(f"this item is {item.state} already{by}; nothing was changed")
    if item.expires_at <= tx.now:
        raise Refused(f"this item could be decided until {_time(item.expires_at)}; it has expired")
    return item


def _needs_action(item: ReviewItem, what: str) -> None:
    if item.reason_code == UNCERTAIN:
        raise Refused(f"this item can't be {what}; say what became of its message: sent, resend or give_up")
    if item.action_id is None:
        raise Refused(f"this item is about no action that could be {what}; resolve it")


def _decided(tx: Transaction, item: ReviewItem, state: str, reason: str | None, **more: Any) -> ReviewItem:
    decision = {"state": state, "decided_by": tx.who, "decided_at": tx.now, "decision_reason": reason}
    tx.change(item, f"review {state}", reason, **decision, **more)
    _move_action(tx, item, "rejected" if state == "rejected" else "approved", reason)
    return item


def _move_action(tx: Transaction, item: ReviewItem, state: str, why: str | None) -> None:
    """Moves the action of an item on, unless it has been cancelled, or its message is what is asked about."""
    action = tx.locked(Action, item.action_id) if item.action_id else None
    if action and action.state in ("drafted", "in_review"):
        tx.change(action, f"action {state}", why, state=state, state_reason=why)


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "an unknown time"
