"""Uncertain messages: a person says what became of them; nothing is sent again by itself."""

import pytest
import sqlalchemy as sa

from orchestration_project.operations import outbox, reviews, uncertain
from orchestration_project.operations.channel import Receipt
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem

from .conftest import acted, later, message, queued, state_of
from .test_outbox import begin, claim, finish


def sweep(store, at):
    with store.transaction("w2", at) as tx:
        return uncertain.sweep(tx, DESK)


def left_by_a_dead_worker(store) -> tuple[OutboxMessage, Action, ReviewItem]:
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    begin(store, row)
    assert sweep(store, later(minutes=5)) == 1
    return row, told, questions(store)[0]


def questions(store) -> list[ReviewItem]:
    with store.reading() as session:
        return list(session.scalars(sa.select(ReviewItem).where(ReviewItem.reason_code == "uncertain_delivery")))


def resolve(store, item, answer, who="ann"):
    with store.transaction(who, later(minutes=6)) as tx:
        reviews.claim(tx, item.id)
    with store.transaction(who, later(minutes=6)) as tx:
        return uncertain.resolve(tx, item.id, answer, "I looked into the mailbox")


def test_what_a_dead_worker_had_begun_is_uncertain_and_a_person_is_asked(store):
    row, told, item = left_by_a_dead_worker(store)
    assert state_of(store, OutboxMessage, row.id) == state_of(store, Action, told.id) == "uncertain"
    assert (item.state, item.queue, item.customer_id, item.action_id) == ("open", "delivery", "C1", told.id)
    assert item.context["outbox_id"] == row.id
    assert claim(store, at=later(days=9)) == []
    assert sweep(store, later(days=9)) == 0


def test_what_a_dead_worker_had_not_begun_is_pending_again(store):
    row = queued(store, message())[0]
    claim(store)
    assert sweep(store, later(minutes=4)) == 0
    assert state_of(store, OutboxMessage, row.id) == "claimed"
    assert sweep(store, later(minutes=5)) == 0
    assert claim(store, "w2", at=later(minutes=5)) == ["M1"]
    assert questions(store) == []


@pytest.mark.parametrize(
    ("answer", "state", "of_action"),
    [("sent", "sent", "sent"), ("resend", "pending", "queued"), ("give_up", "failed", "failed")],
)
def test_a_person_says_what_became_of_it(store, answer, state, of_action):
    row, told, item = left_by_a_dead_worker(store)
    assert resolve(store, item, answer) == state
    assert state_of(store, OutboxMessage, row.id) == state
    assert state_of(store, Action, told.id) == of_action
    assert state_of(store, ReviewItem, item.id) == "resolved"
    assert claim(store, "w2", at=later(minutes=7)) == (["M1"] if answer == "resend" else [])
    with pytest.raises(reviews.Refused, match="resolved already"):
        resolve(store, item, "resend")


def test_it_can_become_uncertain_again_after_it_was_sent_again(store):
    row, _, item = left_by_a_dead_worker(store)
    resolve(store, item, "resend")
    claim(store, "w2", at=later(minutes=7))
    begin(store, row, "w2", later(minutes=7))
    assert sweep(store, later(minutes=20)) == 1
    assert sorted(each.state for each in questions(store)) == ["open", "resolved"]


def test_only_who_claimed_the_question_can_answer_it(store):
    _, _, item = left_by_a_dead_worker(store)
    with pytest.raises(reviews.Refused, match="nobody has claimed"), store.transaction("ann", later(minutes=6)) as tx:
        uncertain.resolve(tx, item.id, "sent", "I looked")


@pytest.mark.parametrize(
    "decide",
    [
        reviews.approve,
        lambda tx, item_id: reviews.reject(tx, item_id, "no"),
        lambda tx, item_id: reviews.edit(tx, item_id, None, "new"),
        lambda tx, item_id: reviews.resolve(tx, item_id, "seen"),
    ],
)
def test_the_question_cant_be_answered_like_a_draft(store, decide):
    row, _, item = left_by_a_dead_worker(store)
    with store.transaction("ann", later(minutes=6)) as tx:
        reviews.claim(tx, item.id)
    with pytest.raises(reviews.Refused, match="message"), store.transaction("ann", later(minutes=6)) as tx:
        decide(tx, item.id)
    assert state_of(store, OutboxMessage, row.id) == "uncertain"


def test_a_question_that_nobody_answers_leaves_the_message_uncertain(store):
    row, told, _ = left_by_a_dead_worker(store)
    with store.transaction("expiry", later(days=60)) as tx:
        assert reviews.expire(tx) == 1
    assert state_of(store, OutboxMessage, row.id) == state_of(store, Action, told.id) == "uncertain"


def test_a_worker_that_comes_late_with_its_answer_settles_it(store):
    row, told, item = left_by_a_dead_worker(store)
    assert finish(store, row, "sent", at=later(minutes=6), receipt=Receipt("<1@x>")) == "sent"
    assert state_of(store, Action, told.id) == "sent"
    assert state_of(store, ReviewItem, item.id) == "resolved"


def test_a_worker_that_comes_after_a_person_has_answered_changes_nothing(store):
    row, _, item = left_by_a_dead_worker(store)
    resolve(store, item, "give_up")
    with pytest.raises(outbox.LostClaim):
        finish(store, row, "sent", at=later(minutes=7))
    assert state_of(store, OutboxMessage, row.id) == "failed"
