"""Conduct: how what was done went: whom alerts named, what came back for messages, what people made of drafts.

These are counts of what was observed. None of them is an effect: who answers, or leaves, differs from who does not.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import fmean, median
from typing import TypeVar

from orchestration_project.domain.impact import Assigned, first_of_each
from orchestration_project.domain.plan import ALERT_PLAY
from orchestration_project.domain.proportions import Share

Row = TypeVar("Row")

ANSWERS = {
    "reply": ("reply",),
    "bounce": ("bounce_hard", "bounce_soft"),
    "unsubscribe": ("unsubscribe", "complaint"),
}
"""Kinds of responses that are counted as one."""


@dataclass(frozen=True)
class Message:
    """An e-mail that was sent, and what came back for it."""

    play: str
    variant: str | None
    sent_at: datetime
    responses: tuple[tuple[str, datetime], ...] = ()
    """Kind of each, and when it was received."""


@dataclass(frozen=True)
class Review:
    """A draft that a person decided on, or that nobody decided on in time."""

    play: str
    state: str
    """approved, edited, rejected or expired."""
    closed_at: datetime
    distance: float | None = None
    """How much of an edited text was changed, from 0 to 1."""


@dataclass(frozen=True)
class History:
    """Everything that was assigned, sent and decided."""

    assigned: Sequence[Assigned] = ()
    messages: Sequence[Message] = ()
    reviews: Sequence[Review] = ()

    def known(self, day: date, until: datetime) -> "History":
        """What was known after the scan of a day, of what happened up to a time."""
        messages = [each for each in self.messages if each.sent_at <= until]
        return History(
            [_as_known(each, day, until) for each in self.assigned if each.scan_day <= day],
            [_heard(each, until) for each in messages],
            [each for each in self.reviews if each.closed_at <= until],
        )


@dataclass(frozen=True)
class Alerts:
    """Whom alerts named, once each, and how soon their account managers knew."""

    alerted: Share
    """Of those whose alert was delivered, who left within the horizon."""
    held_back: Share
    """Of those who would have been named and were held back, who did."""
    timed: int
    hours_median: float | None
    hours_p95: float | None


@dataclass(frozen=True)
class Responses:
    """What came back for the e-mails of one play and variant."""

    play: str
    variant: str | None
    sent: int
    shares: dict[str, Share]
    """By kind of answer."""


@dataclass(frozen=True)
class Decisions:
    """What became of the drafts of one play, or of all where it is None, that were put before people."""

    play: str | None
    approved: Share
    edited: Share
    """Of those approved, with or without a change."""
    rejected: Share
    expired: Share
    distance: float | None
    """Mean share of the words that were changed in the edited."""


def alerts(assigned: Iterable[Assigned]) -> Alerts:
    """Precision and speed of alerts, told of each customer's first.

    Alerts change outcomes, so of those alerted it says who left in spite of it; the held back show whom they find.
    """
    first = first_of_each(row for row in assigned if row.play == ALERT_PLAY)
    told = [row for row in first if row.churned is not None]
    hours = sorted(row.hours for row in first if row.hours is not None)
    return Alerts(
        alerted=_left(row for row in told if row.arm == "treated" and row.delivered_at is not None),
        held_back=_left(row for row in told if row.arm == "control"),
        timed=len(hours),
        hours_median=median(hours) if hours else None,
        hours_p95=hours[math.ceil(0.95 * len(hours)) - 1] if hours else None,
    )


def responses(messages: Iterable[Message]) -> list[Responses]:
    """What came back, by play and variant."""
    groups = _grouped(messages, lambda each: (each.play, each.variant or ""))
    return [
        Responses(
            rows[0].play, rows[0].variant, len(rows),
            {name: Share(sum(_answered(each, kinds) for each in rows), len(rows)) for name, kinds in ANSWERS.items()},
        )
        for rows in groups
    ]  # fmt: skip


def decisions(reviews: Sequence[Review]) -> list[Decisions]:
    """What people decided, of all plays together and then by play; nothing where nothing was put before them."""
    groups = _grouped(reviews, lambda each: (each.play,))
    return [_decided(None, reviews), *(_decided(rows[0].play, rows) for rows in groups)] if reviews else []


def _as_known(row: Assigned, day: date, until: datetime) -> Assigned:
    """An assignment without what happened later."""
    changes: dict[str, None] = {}
    if row.matured_on is not None and row.matured_on > day:
        changes |= {"matured_on": None, "churned": None}
    if row.delivered_at is not None and row.delivered_at > until:
        changes |= {"delivered_at": None, "hours": None}
    return Assigned(**(vars(row) | changes)) if changes else row


def _heard(message: Message, until: datetime) -> Message:
    heard = tuple((kind, at) for kind, at in message.responses if at <= until)
    return Message(message.play, message.variant, message.sent_at, heard)


def _left(rows: Iterable[Assigned]) -> Share:
    outcomes = [row.churned for row in rows]
    return Share(sum(map(bool, outcomes)), len(outcomes))


def _answered(message: Message, kinds: Sequence[str]) -> bool:
    return any(kind in kinds for kind, _ in message.responses)


def _decided(play: str | None, rows: Sequence[Review]) -> Decisions:
    states = [row.state for row in rows]
    edited, approved = states.count("edited"), states.count("edited") + states.count("approved")
    distances = [row.distance for row in rows if row.distance is not None]
    return Decisions(
        play,
        approved=Share(approved, len(rows)),
        edited=Share(edited, approved),
        rejected=Share(states.count("rejected"), len(rows)),
        expired=Share(states.count("expired"), len(rows)),
        distance=fmean(distances) if distances else None,
    )


def _grouped(rows: Iterable[Row], key: Callable[[Row], tuple[str, ...]]) -> list[list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [groups[each] for each in sorted(groups)]
