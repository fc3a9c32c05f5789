"""What tests of the operations store do in processes of their own: `worker.py WHAT URL ...`."""

import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from orchestration_project.operations import outbox, reviews
from orchestration_project.operations.channel import Message, Receipt, TransientFailure
from orchestration_project.operations.delivery import Pace, deliver
from orchestration_project.operations.store import Store

LEASE = timedelta(minutes=5)


def say(line: object) -> None:
    """Tells the test something."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def at_once() -> Iterator[None]:
    """Waits for the word of the test, so that processes begin at the same moment."""
    say("ready")
    sys.stdin.readline()
    yield


def migrate(url: str) -> None:
    with at_once():
        Store.open(url).close()


def claim_messages(url: str, worker: str, now: str) -> None:
    """Claims until nothing is left; prints what it got."""
    with Store.open(url) as store, at_once():
        while True:
            with store.transaction(worker, datetime.fromisoformat(now)) as tx:
                rows = outbox.claim(tx, worker, ["file"], 3, LEASE)
            if not rows:
                return
            say(" ".join(row.idempotency_key for row in rows))


def decide(url: str, who: str, now: str, *items: str) -> None:
    """Claims and approves every item it can; prints those."""
    with Store.open(url) as store, at_once():
        for item_id in items:
            try:
                with store.transaction(who, datetime.fromisoformat(now)) as tx:
                    reviews.claim(tx, item_id)
                with store.transaction(who, datetime.fromisoformat(now)) as tx:
                    reviews.approve(tx, item_id)
                say(item_id)
            except reviews.Refused:
                pass


def carry_on(url: str, who: str, now: str, *items: str) -> None:
    """Carries out what was approved; prints what it put into the outbox."""
    with Store.open(url) as store, at_once():
        for item_id in items:
            with store.transaction(who, datetime.fromisoformat(now)) as tx:
                queued = reviews.carry_on(tx, item_id)
            if queued:
                say(item_id)


class Faulty:
    """A channel that writes a receipt to a file when it takes a message, and sometimes refuses to."""

    def __init__(self, receipts: str, chance: random.Random) -> None:
        self._file = os.open(receipts, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._chance = chance

    def send(self, message: Message) -> Receipt:
        time.sleep(self._chance.uniform(0, 0.004))
        if self._chance.random() < 0.2:
            raise TransientFailure("busy")
        os.write(self._file, f"{message.idempotency_key}\n".encode())
        time.sleep(self._chance.uniform(0, 0.004))
        return Receipt(message.idempotency_key)


def send_all(url: str, receipts: str, worker: str, now: str) -> None:
    """Delivers until nothing is left, by a clock of which each look takes a second."""
    ticks = itertools.count()

    def clock() -> datetime:
        return datetime.fromisoformat(now) + timedelta(seconds=next(ticks))

    channels = {"file": Faulty(receipts, random.Random(worker))}
    pace = Pace(per_minute=10**6, attempts=1000, first_wait=timedelta(0))
    with Store.open(url) as store:
        say(os.getpid())
        deliver(store, channels, worker, clock, 10**6, pace=pace, sleep=lambda _: None)


def senders(url: str, receipts: str) -> None:
    """For each line with a worker's name and time: starts it, which says its process, and says how that ended."""
    Store.open(url).close()
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            send_all(url, receipts, *line.split())
            os._exit(0)
        say(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    {each.__name__: each for each in (migrate, claim_messages, decide, carry_on, senders)}[sys.argv[1]](*sys.argv[2:])
