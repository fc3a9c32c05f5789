"""Reviews: one person decides an item once, in time; what was approved is carried out exactly once."""

import pytest
import sqlalchemy as sa

from orchestration_project.operations import ledger, outbox, reviews
from orchestration_project.operations.models import Action, AuditEntry, OutboxMessage, ReviewItem
from orchestration_project.operations.reviews import Refused

from .conftest import NOW, PERMIT, asked, item, later, state_of


def claimed(store, who="ann", at=NOW, **change) -> ReviewItem:
    row = asked(store, **change)
    with store.transaction(who, at) as tx:
        return reviews.claim(tx, row.id)


def outbox_rows(store) -> list[OutboxMessage]:
    with store.reading() as session:
        return list(session.scalars(sa.select(OutboxMessage)))


def carried(store, item_id, at=NOW):
    with store.transaction("deliver", at) as tx:
        return reviews.carry_on(tx, item_id)


def test_a_question_is_asked_once(store):
    with store.transaction("scan", NOW) as tx:
        assert len(reviews.raise_items(tx, [item("K1"), item("K2"), item("K1")])) == 2
    with store.transaction("scan", NOW) as tx:
        assert [row.key for row in reviews.raise_items(tx, [item("K2"), item("K3")])] == ["K3"]


def test_a_review_of_an_action_needs_a_permit(store):
    with pytest.raises(TypeError, match="permit"), store.transaction("backfill", NOW) as tx:
        reviews.raise_items(tx, [item(action_id="A1")])


def test_pages_follow_urgency_and_miss_and_repeat_nothing(store):
    rows = [item(f"K{n}", priority=1 + n % 3, deadline=later(hours=n % 4), queue="ab"[n % 2]) for n in range(25)]
    with store.transaction("scan", NOW) as tx:
        made = {row.key: row for row in reviews.raise_items(tx, rows)}
    for queue, wanted in ((None, made.values()), ("a", [row for row in made.values() if row.queue == "a"])):
        seen, after = [], None
        with store.reading() as session:
            while True:
                page = reviews.page(session, queue, after=after, limit=4)
                seen += page.items
                after = page.next
                if after is None:
                    break
        assert [row.id for row in seen] == [
            row.id for row in sorted(wanted, key=lambda row: (row.priority, row.deadline, row.id))
        ]


def test_only_who_claimed_an_item_can_decide_it(store):
    row = claimed(store, "ann")
    with pytest.raises(Refused, match="claimed by ann, not by bob"), store.transaction("bob", NOW) as tx:
        reviews.approve(tx, row.id)
    with (
        pytest.raises(Refused, match="this is being decided by ann until 2026-11-23 08:30 UTC"),
        store.transaction("bob", NOW) as tx,
    ):
        reviews.claim(tx, row.id)
    other = asked(store, "C2")
    with pytest.raises(Refused, match="nobody has claimed"), store.transaction("ann", NOW) as tx:
        reviews.reject(tx, other.id, "no")


def test_a_claim_that_ran_out_can_be_taken_over_and_no_longer_decides(store):
    row = claimed(store, "ann")
    with (
        pytest.raises(Refused, match="your claim on this item has run out"),
        store.transaction("ann", later(minutes=30)) as tx,
    ):
        reviews.approve(tx, row.id)
    with store.transaction("bob", later(minutes=30)) as tx:
        reviews.claim(tx, row.id)
    with store.transaction("bob", later(minutes=31)) as tx:
        assert reviews.approve(tx, row.id).decided_by == "bob"


def test_what_was_approved_goes_out_once_and_whoever_approved_it_is_told(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.approve(tx, row.id, "good")
    with store.reading() as session:
        assert [each.id for each in reviews.to_carry_on(session)] == [row.id]
    queued = carried(store, row.id)
    assert (queued.recipient, queued.kind, queued.channel) == ("ann@example.com", "email", "file")
    assert queued.payload == {"language": "en", "subject": "Hello", "body": "We miss you", "automatic": False}
    assert carried(store, row.id, later(hours=1)) is None
    with store.reading() as session:
        assert session.get_one(ReviewItem, row.id).carried_on_at == NOW
    assert len(outbox_rows(store)) == 1
    assert state_of(store, Action, row.action_id) == "queued"
    with store.reading() as session:
        assert reviews.to_carry_on(session) == []
        why = session.scalars(sa.select(AuditEntry.why).where(AuditEntry.entity == "outbox")).all()
    assert why == [f"review item {row.id}"]


def test_an_edit_sends_the_new_text_and_keeps_the_old_one(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        edited = reviews.edit(tx, row.id, "Hello", "We really miss you", "warmer")
    assert (edited.body, edited.decided_body, edited.edit_distance) == ("We miss you", "We really miss you", 1 / 5)
    payload = carried(store, row.id).payload
    assert payload == {"language": "en", "subject": "Hello", "body": "We really miss you", "automatic": False}


@pytest.mark.parametrize(
    ("body", "words"), [(" \n", "the new text is empty"), ("x" * 20_001, "longer than 20000 characters")]
)
def test_an_edit_that_cant_be_sent_is_refused(store, body, words):
    row = claimed(store)
    with pytest.raises(Refused, match=words), store.transaction("ann", NOW) as tx:
        reviews.edit(tx, row.id, None, body)
    assert state_of(store, ReviewItem, row.id) == "open"


def test_what_was_rejected_never_goes_out(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.reject(tx, row.id, "they have left")
    assert carried(store, row.id) is None
    assert outbox_rows(store) == []
    assert state_of(store, Action, row.action_id) == "rejected"


def test_deciding_twice_is_refused_with_who_decided(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.approve(tx, row.id)
    for decide in (reviews.approve, lambda tx, name: reviews.reject(tx, name, "no"), reviews.claim):
        with (
            pytest.raises(Refused, match="approved already by ann at 2026-11-23 08:00 UTC"),
            store.transaction("ann", NOW) as tx,
        ):
            decide(tx, row.id)


def test_what_nobody_decided_in_time_expires_with_its_action(store):
    row, other = asked(store), asked(store, "C2", expires_at=later(days=9))
    with store.transaction("expiry", later(days=3)) as tx:
        assert reviews.expire(tx) == 1
    assert state_of(store, ReviewItem, row.id) == state_of(store, Action, row.action_id) == "expired"
    assert state_of(store, ReviewItem, other.id) == "open"
    with pytest.raises(Refused, match="expired already"), store.transaction("ann", later(days=3)) as tx:
        reviews.claim(tx, row.id)


def test_an_item_cant_be_decided_after_its_end_even_where_nobody_has_swept_yet(store):
    row = asked(store)
    with pytest.raises(Refused, match="could be decided until"), store.transaction("ann", later(days=3)) as tx:
        reviews.claim(tx, row.id)


def test_an_approval_that_was_not_carried_out_in_time_sends_nothing(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.approve(tx, row.id)
    assert carried(store, row.id, later(days=3)) is None
    assert outbox_rows(store) == []
    assert state_of(store, Action, row.action_id) == "expired"


def test_what_is_approved_in_quiet_hours_waits_for_their_end(store):
    quiet = {"start": 16, "end": 9, "weekends": False, "zone": "Asia/Tokyo", "usual": "UTC"}
    told = asked(store, send=outbox.Address("file", "email", "ann@example.com", {"language": "en"}, quiet))
    with store.transaction("ann", NOW) as tx:
        reviews.claim(tx, told.id)
        reviews.approve(tx, told.id)
    message = carried(store, told.id)
    assert message.not_before == later(hours=16)
    assert message.quiet == quiet


def test_an_action_that_was_cancelled_after_its_approval_sends_nothing(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.approve(tx, row.id)
        ledger.cancel(tx, row.action_id, "the customer called")
    assert carried(store, row.id) is None
    assert outbox_rows(store) == []


def test_an_item_that_is_reassigned_is_free_for_its_new_owner(store):
    row = claimed(store)
    with store.transaction("ann", NOW) as tx:
        reviews.reassign(tx, row.id, "bob@example.com", "his customer", queue="enterprise")
    with store.transaction("bob", NOW) as tx:
        taken = reviews.claim(tx, row.id)
    assert (taken.owner, taken.queue, taken.claimed_by) == ("bob@example.com", "enterprise", "bob")


def test_an_item_about_data_is_resolved_not_approved(store):
    with store.transaction("scan", NOW) as tx:
        row = reviews.raise_items(tx, [item("data")])[0]
    with store.transaction("ann", NOW) as tx:
        reviews.claim(tx, row.id)
    with pytest.raises(Refused, match="about no action"), store.transaction("ann", NOW) as tx:
        reviews.approve(tx, row.id)
    with store.transaction("ann", NOW) as tx:
        assert reviews.resolve(tx, row.id, "mended at the source").state == "resolved"


def test_an_item_about_an_action_cant_be_waved_through_by_resolving_it(store):
    row = claimed(store)
    with pytest.raises(Refused, match="approve, edit or reject"), store.transaction("ann", NOW) as tx:
        reviews.resolve(tx, row.id, "seen")


def test_an_item_that_is_not_there_is_told(store):
    with pytest.raises(Refused, match="there is no review item X1"), store.transaction("ann", NOW) as tx:
        reviews.claim(tx, "X1")


def test_of_people_who_decide_at_once_one_does(store, url, together):
    items = [asked(store, f"C{n}").id for n in range(20)]
    decided = together(*[("decide", url, who, NOW.isoformat(), *items) for who in ("ann", "bob", "cid")])
    assert sorted(" ".join(decided).split()) == sorted(items)
    with store.reading() as session:
        entries = sa.select(AuditEntry.entity_id).where(AuditEntry.what == "review approved")
        assert sorted(session.scalars(entries)) == sorted(items)


def test_of_processes_that_carry_on_at_once_one_does(store, url, together):
    items = [claimed(store, customer=f"C{n}").id for n in range(10)]
    with store.transaction("ann", NOW) as tx:
        for each in items:
            reviews.approve(tx, each)
    done = together(*[("carry_on", url, f"w{n}", NOW.isoformat(), *items) for n in range(3)])
    assert sorted(" ".join(done).split()) == sorted(items)
    assert len(outbox_rows(store)) == len(items)


def test_five_thousand_drafts_with_their_reviews_are_kept_at_once(store):
    with store.transaction("scan", NOW) as tx:
        standings = [ledger.Standing(f"C{n}", "medium") for n in range(5000)]
        episodes = ledger.sync_episodes(tx, PERMIT, standings)
        actions = [
            ledger.NewAction("customer_health", name, "outreach", "win_back", "usage_decline", row.id, "approve",
                             "in_review")
            for name, row in episodes.items()
        ]  # fmt: skip
        recorded = ledger.record(tx, PERMIT, actions)
        items = [item(row.key, action_id=row.id, customer_id=row.customer_id, body="x" * 500) for row in recorded]
        assert len(reviews.raise_items(tx, items, PERMIT)) == 5000
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == 15_000
