"""The outbox: each message is claimed by one worker, looked at again before it goes, and sent at most once."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from orchestration_project.operations import ledger, outbox, suppressions, switches
from orchestration_project.operations.channel import Receipt
from orchestration_project.operations.models import Action, DeliveryAttempt, OutboxMessage
from orchestration_project.operations.outbox import LostClaim

from .conftest import NOW, PERMIT, acted, later, message, queued, state_of

LEASE = timedelta(minutes=5)


def claim(store, worker="w1", at=NOW, limit=10, channels=("file",)) -> list[str]:
    with store.transaction(worker, at) as tx:
        return [row.idempotency_key for row in outbox.claim(tx, worker, channels, limit, LEASE)]


def begin(store, row, worker="w1", at=NOW):
    with store.transaction(worker, at) as tx:
        return outbox.begin_attempt(tx, worker, row.id, LEASE)


def finish(store, row, result, worker="w1", at=NOW, **more):
    with store.transaction(worker, at) as tx:
        return outbox.finish(tx, worker, row.id, result, **more)


def test_a_key_is_queued_once(store):
    queued(store, message("M1"))
    with store.transaction("scan", NOW) as tx:
        again = outbox.enqueue(tx, PERMIT, [message("M1", recipient="other@example.com"), message("M2")])
    assert [row.idempotency_key for row in again] == ["M2"]


def test_a_message_is_claimed_by_one_worker_in_the_order_of_their_times(store):
    queued(store, message("M2", not_before=later(minutes=-1)), message("M1", not_before=later(minutes=-2)))
    queued(store, message("M3", not_before=later(minutes=1)), message("M4", channel="slack"))
    assert claim(store, "w1", limit=1) == ["M1"]
    assert claim(store, "w2") == ["M2"]
    assert claim(store, "w3") == []
    assert claim(store, "w3", at=later(minutes=1), channels=("file", "slack")) == ["M4", "M3"]


NIGHT = {"start": 18, "end": 9, "weekends": True, "zone": "Asia/Tokyo", "usual": "UTC"}
"""At `NOW`, 8 o'clock on a Monday in UTC, it is 17 o'clock in Tokyo."""


def test_a_message_that_comes_into_quiet_hours_waits_for_their_end(store):
    row = queued(store, message(quiet=NIGHT))[0]
    assert claim(store, at=later(minutes=61)) == []
    with store.reading() as session:
        found = session.get_one(OutboxMessage, row.id)
        assert (found.state, found.not_before) == ("pending", later(hours=16))
    assert claim(store, at=later(hours=15, minutes=59)) == []
    assert claim(store, at=later(hours=16)) == ["M1"]


def test_a_message_that_was_claimed_before_quiet_hours_is_not_sent_in_them(store):
    row = queued(store, message(quiet=NIGHT))[0]
    assert claim(store, at=later(minutes=59)) == ["M1"]
    assert begin(store, row, at=later(minutes=60)) is None
    assert state_of(store, OutboxMessage, row.id) == "pending"


def test_workers_that_claim_at_once_never_get_the_same(store, url, together):
    queued(store, *(message(f"M{n}") for n in range(60)))
    got = together(*[("claim_messages", url, f"w{n}", NOW.isoformat()) for n in range(3)])
    assert sorted(" ".join(got).split()) == sorted(f"M{n}" for n in range(60))


def test_a_message_is_sent_and_its_action_with_it(store):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    sent = begin(store, row)
    assert (sent.outbox_id, sent.idempotency_key, sent.kind, sent.recipient) == (
        row.id,
        "M1",
        "email",
        "ann@example.com",
    )
    assert sent.payload == {"subject": "Hello", "body": "We miss you"}
    assert finish(store, row, "sent", receipt=Receipt("<1@x>", {"code": 250}), at=later(seconds=3)) == "sent"
    with store.reading() as session:
        found = outbox.by_message_id(session, "<1@x>")
        assert (found.id, found.sent_at, found.receipt, found.attempts) == (row.id, later(seconds=3), {"code": 250}, 1)
        attempt = session.scalars(sa.select(DeliveryAttempt)).one()
        assert outbox.counts(session) == {"sent": 1}
    assert (attempt.number, attempt.worker, attempt.result) == (1, "w1", "sent")
    assert (attempt.started_at, attempt.finished_at) == (NOW, later(seconds=3))
    assert state_of(store, Action, told.id) == "sent"
    assert claim(store, at=later(days=1)) == []


def test_that_an_attempt_begins_is_on_record_before_it_ends(store):
    row = queued(store, message())[0]
    claim(store)
    begin(store, row)
    with store.reading() as session:
        attempt = session.scalars(sa.select(DeliveryAttempt)).one()
    assert (attempt.result, attempt.finished_at) == ("sending", None)


def test_after_a_transient_failure_it_waits_and_is_tried_again(store):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    begin(store, row)
    assert finish(store, row, "transient", error="busy", retry_at=later(minutes=2)) == "pending"
    assert claim(store, at=later(minutes=1)) == []
    assert claim(store, at=later(minutes=2)) == ["M1"]
    assert state_of(store, Action, told.id) == "queued"


@pytest.mark.parametrize("result", ["transient", "permanent"])
def test_after_the_last_failure_it_has_failed_and_so_has_its_action(store, result):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    begin(store, row)
    assert finish(store, row, result, error="no such mailbox") == "failed"
    assert state_of(store, Action, told.id) == "failed"
    assert claim(store, at=later(days=1)) == []


def test_who_has_not_claimed_a_message_or_lost_it_cant_send_it(store):
    row = queued(store, message())[0]
    with pytest.raises(LostClaim, match="not claimed by w1"):
        begin(store, row)
    claim(store, "w1")
    with pytest.raises(LostClaim, match="not claimed by w2"):
        begin(store, row, "w2")
    with pytest.raises(LostClaim, match="run out"):
        begin(store, row, "w1", later(minutes=5))
    with pytest.raises(LostClaim, match="not sending"):
        finish(store, row, "sent")
    begin(store, row)
    with pytest.raises(LostClaim, match="being sent already"):
        begin(store, row)
    with pytest.raises(LostClaim, match="not sending"):
        finish(store, row, "sent", worker="w2")


def test_a_lease_can_be_renewed_by_its_worker_only(store):
    row = queued(store, message())[0]
    claim(store)
    for worker in ("w2", "w1"):
        with store.transaction(worker, later(minutes=4)) as tx:
            outbox.renew(tx, worker, [row.id], LEASE)
    assert begin(store, row, at=later(minutes=8)) is not None


SUPPRESSIONS = [
    ({"customer_id": "C1"}, "email", True),
    ({"address": "Ann <ANN@Example.com>"}, "email", True),
    ({"customer_id": "C2", "address": "bob@example.com"}, "email", False),
    ({"customer_id": "C1", "ends_at": later(minutes=1)}, "email", False),
    ({"customer_id": "C1"}, "task", False),
    ({"customer_id": "C1", "source": "erased"}, "task", True),
]


@pytest.mark.parametrize(("suppression", "kind", "stops"), SUPPRESSIONS)
def test_a_suppression_that_came_after_the_approval_stops_the_message(store, suppression, kind, stops):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id, kind=kind))[0]
    with store.transaction("inbox", NOW) as tx:
        suppressions.add(tx, "they asked", **({"source": "unsubscribe"} | suppression))
    assert claim(store, at=later(minutes=1)) == ([] if stops else ["M1"])
    assert state_of(store, OutboxMessage, row.id) == ("cancelled" if stops else "claimed")
    assert state_of(store, Action, told.id) == ("cancelled" if stops else "queued")


def test_a_suppression_that_came_after_the_claim_stops_the_message(store):
    row = queued(store, message())[0]
    claim(store)
    with store.transaction("inbox", NOW) as tx:
        suppressions.add(tx, "they asked", "unsubscribe", address="ann@example.com")
    assert begin(store, row) is None
    assert state_of(store, OutboxMessage, row.id) == "cancelled"


def test_those_that_are_stopped_dont_keep_others_from_being_claimed(store):
    queued(store, *(message(f"M{n}", not_before=later(minutes=-n)) for n in range(1, 8)))
    queued(store, message("M0", recipient="bob@example.com"))
    with store.transaction("inbox", NOW) as tx:
        suppressions.add(tx, "they asked", "unsubscribe", address="ann@example.com")
    assert claim(store, limit=2) == ["M0"]


@pytest.mark.parametrize("state", ["cancelled", "expired", "rejected", "shadow"])
def test_the_message_of_an_action_that_must_not_be_done_is_cancelled(store, state):
    row = queued(store, message(action_id=acted(store, state=state).id))[0]
    assert claim(store) == []
    assert state_of(store, OutboxMessage, row.id) == "cancelled"


@pytest.mark.parametrize("play", ["win_back", switches.ALL])
def test_the_messages_of_a_play_that_is_switched_off_wait(store, play):
    row = queued(store, message(action_id=acted(store, state="queued").id))[0]
    turn(store, play, "off")
    assert claim(store) == []
    turn(store, play, "on")
    assert claim(store) == ["M1"]
    turn(store, play, "off")
    assert begin(store, row) is None
    assert state_of(store, OutboxMessage, row.id) == "pending"
    turn(store, play, "on")
    assert claim(store) == ["M1"]


def test_when_all_is_switched_off_nothing_goes_not_even_what_belongs_to_no_play(store):
    queued(store, message())
    turn(store, switches.ALL, "off")
    assert claim(store) == []


def turn(store, play, state):
    with store.transaction("ann", NOW) as tx:
        switches.turn(tx, play, state, "too many complaints")


def test_cancelling_an_action_meanwhile_stops_a_message_that_was_claimed(store):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    with store.transaction("ann", NOW) as tx:
        assert ledger.cancel(tx, told.id, "they called")
    assert begin(store, row) is None
