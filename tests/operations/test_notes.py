"""Suppressions, overrides, responses and switches: what people and mail servers say, and from when until when."""

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from orchestration_project.domain.tombstones import pseudonym
from orchestration_project.operations import overrides, responses, suppressions, switches
from orchestration_project.operations.models import AuditEntry, Suppression

from .conftest import NOW, later, message, queued


def test_an_address_is_the_same_however_it_is_written():
    assert {suppressions.address_of(each) for each in ("ann@x.io", " ANN@x.io", "Ann <Ann@X.io>")} == {"ann@x.io"}


def test_a_suppression_holds_from_when_it_was_made_until_it_is_lifted(store):
    with store.transaction("ann", NOW) as tx:
        row = suppressions.add(tx, "they asked", "person", "C1")
    with store.transaction("ann", later(days=1)) as tx:
        assert suppressions.lift(tx, row.id, "they changed their mind")
        assert not suppressions.lift(tx, row.id, "again")
    with store.reading() as session:
        holds = [bool(suppressions.active(session, later(days=at))) for at in (-1, 0, 0.9, 1)]
    assert holds == [False, True, True, False]


def test_that_of_an_erased_customer_is_for_good(store):
    with store.transaction("ann", NOW) as tx:
        row = suppressions.add(tx, "erased", "erased", "C1")
        assert not suppressions.lift(tx, row.id, "no")


def test_who_was_erased_is_not_named_again_by_a_link_that_is_clicked_afterwards(store):
    with store.transaction("ann", NOW) as tx:
        for column, text in (("customer_id", "C1"), ("address", "ann@example.com")):
            row = {"customer_id": None, "address": None, column: pseudonym("salt", text), "reason": "erased",
                   "source": "erased", "by": "ann", "starts_at": NOW, "ends_at": None, "salt": "salt"}  # fmt: skip
            tx.insert_new(Suppression, [row], "suppressed", "erased")
    with store.transaction("page", later(days=1)) as tx:
        assert suppressions.once(tx, "link", "unsubscribe", "C1", "Ann@example.com") is None
        assert suppressions.once(tx, "mail", "unsubscribe", address="ann@example.com") is None
        assert suppressions.add(tx, "asked", "person", address="ann@example.com").source == "erased"
    with store.reading() as session:
        assert {row.source for row in suppressions.active(session, later(days=2))} == {"erased"}
        assert not [row for row in session.scalars(sa.select(AuditEntry)) if "ann@" in str(row.after)]


def test_a_suppression_of_nobody_is_refused(store):
    with pytest.raises(ValueError, match="names a customer or an address"), store.transaction("ann", NOW) as tx:
        suppressions.add(tx, "why", "person")
    with pytest.raises(exc.IntegrityError), store.transaction("ann", NOW) as tx:
        tx.insert_new(Suppression, [{"reason": "", "source": "person", "by": "", "starts_at": NOW}], "x", None)
        tx.session.add(Suppression(id="1", created_at=NOW, reason="", source="person", by="", starts_at=NOW))


def test_the_latest_override_holds_until_its_end_or_its_withdrawal(store):
    with store.transaction("ann", NOW) as tx:
        overrides.add(tx, "C1", 2, "they have signed", later(days=10))
    with store.transaction("bob", later(days=1)) as tx:
        second = overrides.add(tx, "C1", 9, "they have not", later(days=5))
    with store.transaction("bob", later(days=3)) as tx:
        assert overrides.withdraw(tx, second.id, "a mistake")
        assert not overrides.withdraw(tx, second.id, "a mistake")
    with store.reading() as session:
        held = {day: overrides.active(session, later(days=day)).get("C1") for day in (-1, 0, 2, 3, 10)}
    assert {day: row and (row.score, row.author) for day, row in held.items()} == {
        -1: None, 0: (2, "ann"), 2: (9, "bob"), 3: (2, "ann"), 10: None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("score", "reason", "days", "words"),
    [(0.9, "why", 1, "from 1 to 10"), (11, "why", 1, "from 1 to 10"), (float("nan"), "why", 1, "from 1 to 10"),
     (5, " ", 1, "needs a reason"), (5, "why", 0, "end in the future")],
)  # fmt: skip
def test_an_override_that_makes_no_sense_is_refused(store, score, reason, days, words):
    with pytest.raises(ValueError, match=words), store.transaction("ann", NOW) as tx:
        overrides.add(tx, "C1", score, reason, later(days=days))


def response(kind: str, source_id: str = "<1>", **change) -> responses.NewResponse:
    values = {"source_id": source_id, "customer_id": "C1", "kind": kind, "received_at": NOW} | change
    return responses.NewResponse(**values)


def test_a_mailbox_that_is_read_twice_adds_nothing(store):
    sent = queued(store, message())[0]
    for expected in (2, 0):
        with store.transaction("inbox", NOW) as tx:
            stop = response("unsubscribe", "<2>", outbox_id=sent.id, received_at=later(hours=1))
            assert len(responses.record(tx, [stop, response("reply", outbox_id=sent.id)])) == expected
    with store.reading() as session:
        assert [row.kind for row in responses.of_message(session, sent.id)] == ["reply", "unsubscribe"]
        assert len(suppressions.active(session, NOW)) == 1


@pytest.mark.parametrize(
    ("kind", "suppressed"),
    [
        ("reply", None), ("auto_reply", None), ("bounce_soft", None),
        ("bounce_hard", (None, "ann@example.com", "bounce")),
        ("unsubscribe", ("C1", "ann@example.com", "unsubscribe")),
        ("complaint", ("C1", "ann@example.com", "complaint")),
    ],
)  # fmt: skip
def test_what_forbids_writing_suppresses_at_once(store, kind, suppressed):
    sent = queued(store, message())[0]
    with store.transaction("inbox", NOW) as tx:
        responses.record(tx, [response(kind, outbox_id=sent.id)])
    with store.reading() as session:
        rows = session.scalars(sa.select(Suppression)).all()
    assert [(row.customer_id, row.address, row.source) for row in rows] == ([suppressed] if suppressed else [])


def test_a_hard_bounce_of_an_unknown_message_suppresses_the_customer(store):
    with store.transaction("inbox", NOW) as tx:
        responses.record(tx, [response("bounce_hard")])
    with store.reading() as session:
        assert [row.customer_id for row in suppressions.active(session, NOW)] == ["C1"]


def test_the_latest_switch_of_a_play_decides(store):
    with store.transaction("ann", NOW) as tx:
        for play, state in (("a", "off"), ("b", "off"), ("a", "on"), ("c", "on")):
            switches.turn(tx, play, state, "why")
    with store.reading() as session:
        assert switches.off(session) == {"b"}
