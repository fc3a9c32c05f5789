"""Reviews: what people are asked to decide, who is deciding it, and what becomes of the decision."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.domain.texts import edit_distance
from orchestration_project.operations import ledger, outbox
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem
from orchestration_project.operations.permit import Decision, Permit
from orchestration_project.operations.store import Transaction

CLAIM_MINUTES = 30
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
    send: "outbox.Address | None" = None
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
