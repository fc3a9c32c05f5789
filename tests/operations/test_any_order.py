"""Whatever workers, people and time do in whatever order: no message is handed over again once it was taken."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestration_project.operations import outbox, reviews, suppressions, uncertain
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.models import OutboxMessage, ReviewItem
from orchestration_project.operations.store import Store

from .conftest import NOW, message, queued

LEASE = timedelta(minutes=5)
WORKERS = st.sampled_from(["w1", "w2"])
NAMES = st.sampled_from(["M1", "M2", "M3"])


class Outbox(RuleBasedStateMachine):
    """Three messages, two workers that may die or come late, a person who answers, and a customer who opts out."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._store = Store.open(f"sqlite:///{Path(self._folder.name) / 'operations.db'}")
        self._now: datetime = NOW
        self._sending: dict[str, tuple[str, bool]] = {}
        self._taken: dict[str, int] = {}
        self._allowed: dict[str, int] = {}
        self._opted_out: set[str] = set()
        rows = queued(self._store, *(message(name, recipient=f"{name}@example.com") for name in ("M1", "M2", "M3")))
        self._ids = {row.idempotency_key: row.id for row in rows}

    @rule(minutes=st.sampled_from([1, 4, 6]))
    def time_passes(self, minutes: int) -> None:
        self._now += timedelta(minutes=minutes)

    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        with self._store.transaction(worker, self._now) as tx:
            outbox.claim(tx, worker, ["file"], limit, LEASE)

    @rule(worker=WORKERS, name=NAMES, takes=st.booleans())
    def hand_over(self, worker: str, name: str, takes: bool) -> None:
        try:
            with self._store.transaction(worker, self._now) as tx:
                begun = outbox.begin_attempt(tx, worker, self._ids[name], LEASE)
        except outbox.LostClaim:
            return
        if begun is not None:
            assert name not in self._opted_out
            self._sending[name] = (worker, takes)
            self._taken[name] = self._taken.get(name, 0) + takes

    @rule(name=NAMES)
    def tell_how_it_ended(self, name: str) -> None:
        worker, took = self._sending.pop(name, ("nobody", False))
        try:
            with self._store.transaction(worker, self._now) as tx:
                outbox.finish(tx, worker, self._ids[name], "sent" if took else "transient", retry_at=self._now)
        except outbox.LostClaim:
            pass

    @rule()
    def sweep(self) -> None:
        with self._store.transaction("w3", self._now) as tx:
            uncertain.sweep(tx, DESK)

    @rule(answer=st.sampled_from(["sent", "resend", "give_up"]))
    def a_person_answers(self, answer: uncertain.Answer) -> None:
        with self._store.transaction("ann", self._now) as tx:
            item = tx.session.scalars(sa.select(ReviewItem).where(ReviewItem.state == "open").limit(1)).first()
            if item is None:
                return
            reviews.claim(tx, item.id)
            uncertain.resolve(tx, item.id, answer, "I looked")
            name = next(key for key, row_id in self._ids.items() if row_id == item.context["outbox_id"])
            self._allowed[name] = self._allowed.get(name, 1) + (answer == "resend")

    @rule(name=NAMES)
    def the_customer_opts_out(self, name: str) -> None:
        with self._store.transaction("inbox", self._now) as tx:
            suppressions.add(tx, "they asked", "unsubscribe", address=f"{name}@example.com")
        self._opted_out.add(name)

    @invariant()
    def nothing_is_taken_more_often_than_people_allowed(self) -> None:
        assert [name for name, times in self._taken.items() if times > self._allowed.get(name, 1)] == []

    @invariant()
    def every_uncertain_message_is_asked_about(self) -> None:
        with self._store.reading() as session:
            unknown = session.scalars(sa.select(OutboxMessage.id).where(OutboxMessage.state == "uncertain")).all()
            items = session.scalars(sa.select(ReviewItem).where(ReviewItem.state == "open")).all()
        assert sorted(unknown) == sorted(item.context["outbox_id"] for item in items)

    def teardown(self) -> None:
        self._store.close()
        self._folder.cleanup()


TestOutboxInAnyOrder = Outbox.TestCase
TestOutboxInAnyOrder.settings = settings(stateful_step_count=40)
