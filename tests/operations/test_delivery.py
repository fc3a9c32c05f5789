"""Delivery: a worker hands messages over, one after another, and no crash makes it send twice or lose one."""

import os
import random
import signal
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestration_project.operations import outbox, reviews, uncertain
from orchestration_project.operations.channel import (
    Message,
    PermanentFailure,
    Receipt,
    TransientFailure,
    UncertainFailure,
)
from orchestration_project.operations.delivery import Pace, deliver
from orchestration_project.operations.models import Action, DeliveryAttempt, OutboxMessage, ReviewItem
from orchestration_project.operations.store import Store

from .conftest import NOW, acted, later, message, queued, start, state_of
from .test_uncertain import questions

KILLS, MESSAGES = (500, 4000) if os.environ.get("STRESS") == "1" else (25, 300)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


class Fake:
    """A channel that answers what it is told, and remembers what it took."""

    def __init__(self, *answers: BaseException, clock: Clock | None = None, takes: timedelta = timedelta(0)) -> None:
        self._answers = list(answers)
        self._clock, self._takes = clock, takes
        self.taken: list[str] = []

    def send(self, message: Message) -> Receipt:
        if self._clock:
            self._clock.at += self._takes
        if self._answers:
            raise self._answers.pop(0)
        self.taken.append(message.idempotency_key)
        return Receipt(f"<{message.idempotency_key}>", {"ok": True})


def run(store: Store, channel: Fake, clock: Clock, limit: int = 100, worker: str = "w1", **pace) -> Counter[str]:
    return deliver(store, {"file": channel}, worker, clock.now, limit, pace=Pace(**pace), sleep=clock.sleep)


def test_messages_are_sent_in_order_up_to_the_limit(store):
    queued(store, *(message(f"M{n}", not_before=later(minutes=n - 10)) for n in range(5)))
    channel, clock = Fake(), Clock()
    assert run(store, channel, clock, limit=3, batch=2) == {"sent": 3}
    assert channel.taken == ["M0", "M1", "M2"]
    assert run(store, channel, clock) == {"sent": 2}
    assert run(store, channel, clock) == {}


def test_a_worker_keeps_to_its_pace(store):
    queued(store, *(message(f"M{n}") for n in range(4)))
    clock = Clock()
    run(store, Fake(), clock, per_minute=30)
    assert clock.at - NOW == timedelta(seconds=6)


def test_what_is_claimed_stays_claimed_while_a_slow_batch_goes_on(store):
    queued(store, *(message(f"M{n}") for n in range(6)))
    clock = Clock()
    channel = Fake(clock=clock, takes=timedelta(minutes=3))
    assert run(store, channel, clock, per_minute=1) == {"sent": 6}
    assert clock.at - NOW > Pace().lease


def test_waiting_longer_than_the_lease_does_not_lose_it(store):
    queued(store, *(message(f"M{n}") for n in range(3)))
    assert run(store, Fake(), Clock(), per_minute=0.1) == {"sent": 3}


def test_a_transient_failure_is_tried_again_later_each_time(store):
    queued(store, message())
    channel, clock = Fake(*[TransientFailure("busy")] * 2), Clock()
    assert run(store, channel, clock) == {"pending": 1}
    clock.at += timedelta(seconds=59)
    assert run(store, channel, clock) == {}
    clock.at += timedelta(seconds=1)
    assert run(store, channel, clock) == {"pending": 1}
    clock.at += timedelta(seconds=119)
    assert run(store, channel, clock) == {}
    clock.at += timedelta(seconds=1)
    assert run(store, channel, clock) == {"sent": 1}


def test_a_channel_that_asks_for_a_longer_wait_gets_it(store):
    queued(store, message())
    channel, clock = Fake(TransientFailure("busy", retry_after=600)), Clock()
    assert run(store, channel, clock) == {"pending": 1}
    clock.at += timedelta(seconds=599)
    assert run(store, channel, clock) == {}
    clock.at += timedelta(seconds=1)
    assert run(store, channel, clock) == {"sent": 1}


def test_a_person_is_told_of_what_was_not_sent_in_the_end(store):
    row = queued(store, message())[0]
    assert run(store, Fake(PermanentFailure("no such address")), Clock()) == {"failed": 1}
    with store.reading() as session:
        (item,) = session.scalars(sa.select(ReviewItem))
    assert (item.reason_code, item.state, item.queue) == ("delivery_failed", "open", "delivery")
    assert (item.context["outbox_id"], item.context["error"]) == (row.id, "no such address")
    with store.transaction("ann", later(minutes=1)) as tx:
        reviews.claim(tx, item.id)
        reviews.resolve(tx, item.id, "corrected the address in the CRM")


def test_after_its_attempts_it_has_failed(store):
    row = queued(store, message())[0]
    channel, clock = Fake(*[TransientFailure("busy")] * 9), Clock()
    assert run(store, channel, clock, attempts=2) == {"pending": 1}
    clock.at += timedelta(hours=1)
    assert run(store, channel, clock, attempts=2) == {"failed": 1}
    with store.reading() as session:
        assert session.get_one(OutboxMessage, row.id).error == "busy"


def test_a_permanent_failure_ends_it(store):
    row = queued(store, message())[0]
    assert run(store, Fake(PermanentFailure("no such mailbox")), Clock()) == {"failed": 1}
    assert state_of(store, OutboxMessage, row.id) == "failed"


@pytest.mark.parametrize("error", [UncertainFailure("connection lost"), RuntimeError("connection lost")])
def test_a_failure_of_which_nobody_knows_how_it_ended_is_asked_about_and_not_tried_again(store, error):
    queued(store, message())
    clock = Clock()
    assert run(store, Fake(error), clock) == {"uncertain": 1}
    assert [(item.state, item.context["error"]) for item in questions(store)] == [("open", "connection lost")]
    clock.at += timedelta(days=9)
    assert run(store, Fake(), clock) == {}
    with store.transaction("ann", clock.at) as tx:
        reviews.claim(tx, questions(store)[0].id)
        uncertain.resolve(tx, questions(store)[0].id, "resend", "it has not arrived")
    assert run(store, Fake(), clock) == {"sent": 1}


@pytest.mark.parametrize("died_after_sending", [True, False])
def test_a_worker_that_dies_while_it_sends_leaves_the_message_uncertain(store, died_after_sending):
    queued(store, message("M1", not_before=later(minutes=-1)), message("M2"))
    channel, clock = Fake(SystemExit()), Clock()
    if died_after_sending:
        channel.taken.append("M1")
    with pytest.raises(SystemExit):
        run(store, channel, clock)
    clock.at += Pace().lease
    assert run(store, channel, clock, worker="w2") == {"uncertain": 1, "sent": 1}
    assert channel.taken == (["M1", "M2"] if died_after_sending else ["M2"])


PAYLOAD = {"customer_id": "C1", "subject": "Hello", "body": "We miss you", "automatic": False}


def recorded(store: Store, **change) -> OutboxMessage:
    """A message about an action, which is to be told of by file once it is sent."""
    told = message(action_id=acted(store).id, payload=PAYLOAD, recorded_by="file", **change)
    return queued(store, told)[0]


@pytest.mark.parametrize(
    ("kind", "record", "subject"), [("email", "note", "E-mail sent: Hello"), ("task", "chat", "Hello")]
)
def test_what_was_sent_is_told_of_once_where_the_manifest_says(store, kind, record, subject):
    row = recorded(store, kind=kind)
    channel, clock = Fake(), Clock()
    assert run(store, channel, clock) == {"sent": 2}
    assert channel.taken == ["M1", f"M1:{record}"]
    assert run(store, channel, clock) == {}
    with store.reading() as session:
        (told,) = session.scalars(sa.select(OutboxMessage).where(OutboxMessage.record_of == row.id))
    assert told.payload == {"customer_id": "C1", "subject": subject, "body": "We miss you"}
    assert (told.kind, told.recipient, told.action_id) == (record, row.recipient, row.action_id)


def test_what_was_not_sent_is_not_told_of(store):
    row = recorded(store)
    assert run(store, Fake(PermanentFailure("no such mailbox")), Clock()) == {"failed": 1}
    assert run(store, Fake(), Clock()) == {}
    assert state_of(store, Action, row.action_id) == "failed"


@pytest.mark.parametrize("error", [PermanentFailure("no such CRM"), UncertainFailure("connection lost")])
def test_an_action_stays_sent_where_it_could_not_be_told_of_and_a_person_is_asked(store, error):
    row = recorded(store)
    run(store, Fake(), Clock(), limit=1)
    run(store, Fake(error), Clock())
    assert state_of(store, Action, row.action_id) == "sent"
    with store.reading() as session:
        assert session.scalars(sa.select(ReviewItem)).one().customer_id == "C1"


def test_what_a_person_says_was_sent_is_told_of_too(store):
    recorded(store)
    clock = Clock()
    run(store, Fake(UncertainFailure("connection lost")), clock)
    with store.transaction("ann", clock.at) as tx:
        reviews.claim(tx, questions(store)[0].id)
        uncertain.resolve(tx, questions(store)[0].id, "sent", "it has arrived")
    channel = Fake()
    assert run(store, channel, clock) == {"sent": 1}
    assert channel.taken == ["M1:note"]


def test_messages_of_a_channel_that_this_worker_has_not_are_left_to_others(store):
    queued(store, message(channel="slack"))
    assert run(store, Fake(), Clock()) == {}


def until_grown(file: Path, lines: int) -> None:
    """Waits until a file has some more lines."""
    wanted = file.read_text().count("\n") + lines
    patience = time.monotonic() + 60
    while file.read_text().count("\n") < wanted:
        assert time.monotonic() < patience
        time.sleep(0.001)


@pytest.mark.slow
def test_killed_workers_send_nothing_twice_lose_nothing_and_leave_the_rest_visible(store, url, tmp_path):
    queued(store, *(message(f"M{n}") for n in range(MESSAGES)))
    receipts = tmp_path / "receipts"
    receipts.touch()
    chance = random.Random(KILLS)
    statuses = []
    with start("senders", url, receipts) as senders:
        for number in range(KILLS + 1):
            senders.stdin.write(f"w{number} {later(days=number).isoformat()}\n")
            senders.stdin.flush()
            process = int(senders.stdout.readline())
            if number < KILLS:
                until_grown(receipts, chance.randrange(8))
                time.sleep(chance.uniform(0, 0.02))
                os.kill(process, signal.SIGKILL)
            statuses.append(int(senders.stdout.readline()))
        senders.stdin.close()
    killed = statuses.count(signal.SIGKILL)
    assert killed > KILLS * 0.9, "too few workers were killed at work"
    assert statuses[-1] == 0

    taken = receipts.read_text().split()
    with store.reading() as session:
        rows = {row.idempotency_key: row for row in session.scalars(sa.select(OutboxMessage))}
        asked = session.scalars(sa.select(ReviewItem.context).where(ReviewItem.state == "open")).all()
        unfinished = session.scalars(sa.select(DeliveryAttempt).where(DeliveryAttempt.finished_at.is_(None))).all()
        counts = outbox.counts(session)
    assert [key for key, times in Counter(taken).items() if times > 1] == []
    assert set(counts) <= {"sent", "uncertain"}
    sent = {key for key, row in rows.items() if row.state == "sent"}
    unknown = {key for key, row in rows.items() if row.state == "uncertain"}
    assert sent <= set(taken)
    assert set(taken) <= sent | unknown
    assert {each["outbox_id"] for each in asked} == {rows[key].id for key in unknown}
    assert {each.outbox_id for each in unfinished} == {rows[key].id for key in unknown}
    assert KILLS / 10 < len(unknown) <= killed, "too few workers were killed while they sent"
