"""Delivery: a worker that takes messages from the outbox and hands them to their channels, one after another."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration_project.contracts.manifest import Escalation
from orchestration_project.operations import outbox, uncertain
from orchestration_project.operations.channel import (
    Channel,
    Message,
    PermanentFailure,
    Receipt,
    TransientFailure,
)
from orchestration_project.operations.models import OutboxMessage
from orchestration_project.operations.store import Store

DESK = Escalation(
    queue="delivery", owner="team:customer-success", deadline_hours=24, expires_after_days=30,
)  # fmt: skip
"""Who is asked about uncertain and failed messages whose action has no owner."""


@dataclass(frozen=True)
class Pace:
    """How fast a worker sends, and how patient it is."""

    per_minute: float = 60
    """Messages that one worker hands over at most."""
    attempts: int = 5
    """Attempts in total, where failures are transient."""
    first_wait: timedelta = timedelta(minutes=1)
    """Before the second attempt; doubled before each one after."""
    lease: timedelta = timedelta(minutes=5)
    """Longer than any channel takes for one message: after it, a message that is being sent is uncertain."""
    batch: int = 20
    """Messages claimed at once."""


DEFAULT_PACE = Pace()
NO_WAIT, LONGEST_WAIT = timedelta(0), timedelta(days=1)


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    worker: str,
    now: Callable[[], datetime],
    limit: int,
    *,
    pace: Pace = DEFAULT_PACE,
    desk: Escalation = DESK,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str]:
    """Sends up to `limit` messages that are due, and returns how many ended in which state.

    Sweeps first, so that what a dead worker left is pending again or asked about. `now` gives aware times.
    """
    with store.transaction(worker, now()) as tx:
        swept = uncertain.sweep(tx, desk)
    sender = _Sender(store, channels, worker, now, pace, desk, sleep)
    done: Counter[str] = Counter()
    while done.total() < limit:
        with store.transaction(worker, now()) as tx:
            wanted = min(limit - done.total(), pace.batch)
            rows = outbox.claim(tx, worker, channels.keys(), wanted, pace.lease)
        if not rows:
            break
        done.update(sender.send(rows))
    return done + Counter(uncertain=swept)


class _Sender:
    """Sends what a worker has claimed."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        worker: str,
        now: Callable[[], datetime],
        pace: Pace,
        desk: Escalation,
        sleep: Callable[[float], None],
    ) -> None:
        self._store, self._channels, self._worker, self._now = store, channels, worker, now
        self._pace, self._desk, self._sleep = pace, desk, sleep
        self._earliest = now()

    def send(self, rows: Sequence[OutboxMessage]) -> Counter[str]:
        """Hands messages over in order; how many ended in which state, `lost` where another worker took them over."""
        ended: Counter[str] = Counter()
        renewed = self._now()
        for place, row in enumerate(rows):
            renewed = self._wait([each.id for each in rows[place:]], renewed)
            self._earliest = self._now() + timedelta(minutes=1) / self._pace.per_minute
            try:
                ended[self._one(row)] += 1
            except outbox.LostClaim:
                ended["lost"] += 1
        return ended

    def _wait(self, rest: list[str], renewed: datetime) -> datetime:
        """Waits until the next message may go, and keeps what is still to come; when the lease was last renewed."""
        most = self._pace.lease / 3
        while True:
            left = self._earliest - self._now()
            if left > timedelta(0):
                self._sleep(min(left, most).total_seconds())
            if self._now() - renewed >= most:
                renewed = self._now()
                with self._store.transaction(self._worker, renewed) as tx:
                    outbox.renew(tx, self._worker, rest, self._pace.lease)
            if left <= most:
                return renewed

    def _one(self, row: OutboxMessage) -> str:
        with self._store.transaction(self._worker, self._now()) as tx:
            message = outbox.begin_attempt(tx, self._worker, row.id, self._pace.lease)
            if message is None:
                return outbox.get(tx.session, row.id).state
        result, receipt, error, wait = _handed_over(self._channels[row.channel], message)
        with self._store.transaction(self._worker, self._now()) as tx:
            retry_at = self._retry_at(row.attempts + 1, wait)
            state = outbox.finish(tx, self._worker, row.id, result, receipt, error, retry_at)
            if state == "uncertain":
                uncertain.ask(tx, self._desk, [outbox.get(tx.session, row.id)])
            if state == "failed":
                uncertain.tell(tx, self._desk, outbox.get(tx.session, row.id))
        return state

    def _retry_at(self, attempts: int, asked: timedelta) -> datetime | None:
        if attempts >= self._pace.attempts:
            return None
        return self._now() + max(asked, self._pace.first_wait * 2 ** (attempts - 1))


def _handed_over(channel: Channel, message: Message) -> tuple[outbox.Result, Receipt | None, str | None, timedelta]:
    """How it went, with what the other side and the error said, and how long it asked to be left alone."""
    try:
        return "sent", channel.send(message), None, NO_WAIT
    except TransientFailure as error:
        return "transient", None, str(error), min(timedelta(seconds=error.retry_after or 0), LONGEST_WAIT)
    except PermanentFailure as error:
        return "permanent", None, str(error), NO_WAIT
    # An error that no channel has foreseen says nothing about whether the message has left.
    except Exception as error:  # noqa: BLE001
        return "uncertain", None, str(error) or type(error).__name__, NO_WAIT
