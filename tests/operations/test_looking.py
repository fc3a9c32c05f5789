"""What is looked up for people and triggers, on both databases: it sees what acting would do, and changes nothing."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from orchestration_project.operations import (
    outbox,
    overrides,
    responses,
    reviews,
    suppressions,
    switches,
    uncertain,
)
from orchestration_project.operations.channel import Receipt
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.models import AuditEntry, OutboxMessage, ReviewItem, Suppression
from orchestration_project.operations.response import Response
from orchestration_project.operations.store import Store
from orchestration_project.settings import Home

from .conftest import NOW, PERMIT, acted, asked, item, later, message, queued
from .test_outbox import begin, claim, finish

ALL = ("file", "smtp")


def ids(rows) -> list[str]:
    return [row.id for row in rows]


def test_an_item_is_found_by_the_beginning_of_its_identifier_where_it_is_the_only_one(store):
    with store.transaction("scan", NOW) as tx:
        known = ids(reviews.raise_items(tx, [item(f"K{n}") for n in range(40)]))
    with store.reading() as session:
        assert [reviews.find(session, each[:-1]).id for each in known] == known
        shared = next(each[0] for each in known if sum(other[0] == each[0] for other in known) > 1)
        with pytest.raises(reviews.Refused, match="several review items begin with"):
            reviews.find(session, shared)
        for none in ("", "%", "_", "zz", known[0] + "0", known[0].upper() + "g"):
            with pytest.raises(reviews.Refused, match="there is no review item"):
                reviews.find(session, none)


def test_pages_of_an_owner_hold_only_what_is_theirs(store):
    with store.transaction("scan", NOW) as tx:
        reviews.raise_items(tx, [item(f"K{n}", owner=f"o{n % 2}") for n in range(6)])
    with store.reading() as session:
        first = reviews.page(session, owner="o1", limit=2)
        rest = reviews.page(session, owner="o1", after=reviews.place(first.items[-1]))
        assert {each.owner for each in (*first.items, *rest.items)} == {"o1"}
        assert (len(first.items), len(rest.items), rest.next) == (2, 1, None)


def test_what_is_late_due_or_left_is_seen_as_it_is_acted_on(store):
    draft = asked(store, "C2", expires_at=later(hours=1))
    row = queued(store, message(not_before=later(minutes=1)))[0]
    queued(store, message("M2", channel="slack"))
    with store.reading() as session:
        for seconds, late, due in ((0, [], []), (60, [], [row.id]), (3600, [draft.id], [row.id])):
            now = later(seconds=seconds)
            assert (ids(reviews.late(session, now)), ids(outbox.due(session, now, ALL))) == (late, due)
    with store.transaction("w", later(minutes=1)) as tx:
        assert ids(outbox.claim(tx, "w", ALL, 9, timedelta(minutes=5))) == [row.id]
    with store.reading() as session:
        assert ids(outbox.due(session, later(minutes=5), ALL)) == []
        assert ids(uncertain.left(session, later(minutes=5))) == []
        assert ids(uncertain.left(session, later(minutes=6))) == [row.id]


def test_messages_of_plays_that_are_off_are_not_due(store):
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    for state, due in (("off", []), ("on", [row.id])):
        with store.transaction("ann", NOW) as tx:
            switches.turn(tx, "win_back", state, f"it is {state}")
        with store.reading() as session:
            assert ids(outbox.due(session, NOW, ALL)) == due
            assert [(each.play, each.state, each.reason) for each in switches.latest(session)] == [
                ("win_back", state, f"it is {state}")
            ]


def test_nothing_is_kept_of_a_rehearsal(store):
    draft = asked(store, expires_at=later(hours=1))
    with store.reading() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(AuditEntry))
    with store.rehearsal("w", later(hours=2)) as tx:
        assert reviews.expire(tx) == 1
    with store.reading() as session:
        assert session.get_one(ReviewItem, draft.id).state == "open"
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == before


def test_a_home_without_store_has_none_and_gets_none_by_a_look(tmp_path):
    home = Home(tmp_path / "home")
    assert Store.existing(home) is None
    assert not home.path.exists()
    Store.open(home).close()
    found = Store.existing(home)
    assert found is not None
    found.close()


def test_an_override_holds_at_the_end_of_each_day_from_when_it_was_set_to_its_last(store):
    with store.transaction("ann", NOW) as tx:
        overrides.add(tx, "C1", 9, "their champion left", later(days=2, hours=16))
        overrides.add(tx, "C2", 2, "renewed", later(days=9))
    with store.transaction("bo", later(days=1)) as tx:
        overrides.add(tx, "C2", 3, "renewed for less", later(days=9))
    days = [date(2026, 11, 22) + timedelta(n) for n in range(5)]
    with store.reading() as session:
        found = [(day.day, row.customer_id, row.score) for day, row in overrides.on_days(session, days)]
    assert sorted(found) == [
        (23, "C1", 9), (23, "C2", 2), (24, "C1", 9), (24, "C2", 3), (25, "C1", 9), (25, "C2", 3), (26, "C2", 3),
    ]  # fmt: skip


def received(source: str = "<r1@x>", **changed) -> Response:
    usual = {"kind": "reply", "source_id": source, "in_reply_to": "<m1@x>", "address": "ann@example.com",
             "received_at": NOW, "excerpt": "Thanks"}  # fmt: skip
    return Response(**(usual | changed))


def taken(store, *told: Response) -> list[str]:
    with store.transaction("mailbox", NOW) as tx:
        return [responses.receive(tx, each) for each in told]


def sent(store) -> OutboxMessage:
    told = acted(store, state="queued")
    row = queued(store, message(action_id=told.id))[0]
    claim(store)
    begin(store, row)
    finish(store, row, "sent", receipt=Receipt("<m1@x>", {}))
    return row


def test_what_came_back_belongs_to_the_customer_whose_message_it_names(store):
    row = sent(store)
    assert taken(store, received(), received()) == ["reply", responses.KNOWN]
    with store.reading() as session:
        (found,) = responses.of_message(session, row.id)
        assert (found.customer_id, found.kind, found.excerpt) == ("C1", "reply", "Thanks")


def test_a_message_without_action_is_its_payloads_customers(store):
    with store.transaction("scan", NOW) as tx:
        new = message(payload={"subject": "Hello", "body": "Hi", "customer_id": "C5"})
        (row,) = outbox.enqueue(tx, PERMIT, [new])
        tx.change(row, "message sent", state="sent", message_id="<m1@x>")
    assert taken(store, received()) == ["reply"]
    with store.reading() as session:
        assert [each.customer_id for each in responses.of_message(session, row.id)] == ["C5"]


def test_of_strangers_only_the_wish_for_no_more_mail_counts_and_once(store):
    sent(store)
    strange = [received(f"<{kind}@x>", kind=kind, in_reply_to=told, address="bo@example.com")
               for kind, told in (("reply", None), ("bounce_hard", "<other@x>"), ("unsubscribe", None),
                                  ("unsubscribe", "<other@x>"), ("complaint", None))]  # fmt: skip
    nobody = received("<n@x>", kind="unsubscribe", in_reply_to=None, address=None)
    ours, new, known = responses.NOT_OURS, responses.STRANGER, responses.KNOWN
    assert taken(store, *strange, nobody) == [ours, ours, new, known, new, ours]
    with store.reading() as session:
        held = session.scalars(sa.select(Suppression).order_by(Suppression.source)).all()
        assert [(each.customer_id, each.address, each.source) for each in held] == [
            (None, "bo@example.com", "complaint"), (None, "bo@example.com", "unsubscribe"),
        ]  # fmt: skip


def test_whoever_asks_twice_is_suppressed_once_and_again_after_it_was_lifted(store):
    def ask(at):
        with store.transaction("page", at) as tx:
            return suppressions.once(tx, "asked", "unsubscribe", "C1", "Ann@example.com")

    first = ask(NOW)
    assert first.address == "ann@example.com"
    assert ask(later(days=1)) is None
    with store.transaction("ann", later(days=2)) as tx:
        suppressions.lift(tx, first.id, "asked for mail again")
    assert ask(later(days=3)) is not None


def test_an_uncertain_message_is_not_resolved_as_if_it_were_a_note(store):
    row = queued(store, message())[0]
    claim(store)
    begin(store, row)
    with store.transaction("w", later(hours=1)) as tx:
        uncertain.sweep(tx, DESK)
    with store.reading() as session:
        (asks,) = reviews.page(session).items
    refused = pytest.raises(reviews.Refused, match="asks what became of a message")
    with refused, store.transaction("ann", later(hours=1)) as tx:
        reviews.claim(tx, asks.id)
        reviews.resolve(tx, asks.id, "looked")


@pytest.mark.parametrize(
    ("subject", "body", "words"),
    [("a\u200bb", "x", "U\\+200B"), ("x", "a\x1bb", "U\\+001B"), ("a\nb", "x", "U\\+000A"),
     ("=?utf-8?q?x?=", "x", "encoded"), ("x" * 251, "x", "longer than 250")],
)  # fmt: skip
def test_a_text_that_no_channel_would_take_is_refused_while_it_can_be_corrected(store, subject, body, words):
    draft = asked(store)
    with pytest.raises(reviews.Refused, match=words), store.transaction("ann", NOW) as tx:
        reviews.claim(tx, draft.id)
        reviews.edit(tx, draft.id, subject, body)
