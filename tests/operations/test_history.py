"""History: what was assigned, sent, answered and decided, read as both databases tell it."""

from datetime import timedelta

import pytest

from orchestration_project.domain.conduct import Message, Review
from orchestration_project.operations import history, ledger, outbox, responses, reviews, switches
from orchestration_project.operations.history import Recorded
from orchestration_project.operations.store import Store, is_there
from orchestration_project.settings import Home

from .conftest import DAY, NOW, PERMIT, acted, action, asked, later, message, state_of

LEASE = timedelta(minutes=5)


def assigned(store, customer: str, arm: str, play: str = "win_back") -> str:
    """Assigns a customer to a play in an episode that has begun."""
    with store.transaction("scan", NOW) as tx:
        episode = ledger.sync_episodes(tx, PERMIT, [ledger.Standing(customer, "medium")])[customer].id
        ledger.assign(tx, PERMIT, [ledger.NewAssignment(customer, play, episode, arm, 0.9, "salt")])
    return episode


def sent(store, action_id: str, key: str, kind: str = "email", at=NOW) -> str:
    """A message of an action that went out."""
    with store.transaction("scan", NOW) as tx:
        (row,) = outbox.enqueue(tx, PERMIT, [message(key, action_id=action_id, kind=kind)])
    with store.transaction("w", at) as tx:
        outbox.claim(tx, "w", ("file",), 10, LEASE)
    with store.transaction("w", at) as tx:
        outbox.begin_attempt(tx, "w", row.id, LEASE)
    with store.transaction("w", at) as tx:
        outbox.finish(tx, "w", row.id, "sent")
    return row.id


def read(store, what):
    with store.reading() as session:
        return what(session)


def test_an_assignment_is_delivered_when_its_first_message_was_sent_or_its_task_opened(store):
    written, alerted = assigned(store, "C1", "treated"), assigned(store, "C2", "treated", "account_alert")
    assigned(store, "C3", "control")
    noted = assigned(store, "C4", "treated")
    with store.transaction("scan", NOW) as tx:
        made = {row.customer_id: row.id for row in ledger.record(tx, PERMIT, [
            action("C1", episode_id=written), action("C4", episode_id=noted),
            action("C2", episode_id=alerted, kind="alert", play="account_alert"),
        ])}  # fmt: skip
        ledger.raise_tasks(tx, PERMIT, [ledger.NewTask("C2", "usage_decline", "t", later(days=1), made["C2"])])
    sent(store, made["C1"], "M2", at=later(hours=2))
    sent(store, made["C1"], "M1", at=later(hours=1))
    sent(store, made["C4"], "M3", kind="note")
    assert read(store, history.assignments) == [
        Recorded("C1", "win_back", "treated", DAY, 0.9, later(hours=1)),
        Recorded("C2", "account_alert", "treated", DAY, 0.9, NOW),
        Recorded("C3", "win_back", "control", DAY, 0.9, None),
        Recorded("C4", "win_back", "treated", DAY, 0.9, None),
    ]


def test_emails_that_were_sent_come_with_what_came_back_and_others_not_at_all(store):
    told = acted(store, variant="b")
    first = sent(store, told.id, "M1")
    sent(store, told.id, "M2", kind="task")
    with store.transaction("scan", NOW) as tx:
        outbox.enqueue(tx, PERMIT, [message("M3", action_id=told.id)])
    with store.transaction("inbox", later(days=1)) as tx:
        responses.record(tx, [responses.NewResponse("R1", "C1", "reply", later(hours=5), first),
                              responses.NewResponse("R2", "C1", "reply", later(hours=6))])  # fmt: skip
    assert read(store, history.messages) == [Message("win_back", "b", NOW, (("reply", later(hours=5)),))]


def test_drafts_are_told_once_they_are_decided_or_expired(store):
    approved, edited, rejected, late, _open = (asked(store, name, expires_at=later(days=1)) for name in "ABCDE")
    decide = {
        approved.id: lambda tx, item: reviews.approve(tx, item),
        edited.id: lambda tx, item: reviews.edit(tx, item, None, "We really miss you"),
        rejected.id: lambda tx, item: reviews.reject(tx, item, "no"),
    }
    for item, verb in decide.items():
        with store.transaction("ann", NOW) as tx:
            reviews.claim(tx, item)
            verb(tx, item)
    assert read(store, history.reviews) and len(read(store, history.reviews)) == 3
    with store.transaction("scan", later(days=2)) as tx:
        reviews.expire(tx)
    told = sorted(read(store, history.reviews), key=lambda each: each.state)
    assert [each.state for each in told] == ["approved", "edited", "expired", "expired", "rejected"]
    assert told[0] == Review("win_back", "approved", NOW, None)
    assert told[1].distance == pytest.approx(0.2)
    assert told[2].closed_at == later(days=1)
    assert state_of(store, type(late), late.id) == "expired"


def test_the_rule_switches_off_what_nobody_ever_switched(store):
    with store.transaction("ann", NOW) as tx:
        switches.turn(tx, "win_back", "off", "typing error")
        switches.turn(tx, "win_back", "on", "mended")
    with store.transaction(switches.RULE, NOW) as tx:
        assert switches.off_by_rule(tx, {"win_back": "harms", "check_in": "harms"}) == ["check_in"]
    with store.transaction(switches.RULE, NOW) as tx:
        assert switches.off_by_rule(tx, {"check_in": "harms still"}) == []
    assert read(store, switches.off) == {"check_in"}


def test_looking_for_a_store_makes_none(tmp_path):
    home = Home(tmp_path)
    assert (is_there(home), list(tmp_path.iterdir())) == (False, [])
    Store.open(home).close()
    assert is_there(home)
