"""Erasure: of an erased customer no words or addresses are left, nothing goes out any more, and figures stay right."""

import sqlalchemy as sa

from orchestration_project.operations import audit, ledger, outbox, overrides, responses, reviews, uncertain
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.models import Action, AuditEntry, Base, OutboxMessage, ReviewItem

from .conftest import NOW, PERMIT, asked, later, message, queued, state_of
from .test_outbox import begin, claim

SECRET = "Ann Secret"


def busy(store, customer: str) -> tuple[ReviewItem, OutboxMessage, OutboxMessage]:
    """A customer of whom every table knows something in words."""
    secret = f"{SECRET} of {customer}"
    item = asked(store, customer, title=secret, body=secret, subject=secret, context={"name": secret})
    out = message(f"out {customer}", action_id=item.action_id, recipient=secret, payload={"to": secret})
    row = queued(store, out)[0]
    claim(store)
    begin(store, row)
    with store.transaction("scan", later(minutes=5)) as tx:
        uncertain.sweep(tx, DESK)
        ledger.set_state(tx, item.action_id, "in_review", secret)
        new = responses.NewResponse(f"<{customer}>", customer, "unsubscribe", NOW, row.id, excerpt=secret)
        responses.record(tx, [new])
        overrides.add(tx, customer, 3, secret, later(days=9))
        ledger.raise_tasks(tx, PERMIT, [ledger.NewTask(customer, "risk", secret, NOW, details={"why": secret})])
        waiting = outbox.enqueue(tx, PERMIT, [message(f"wait {customer}", action_id=item.action_id, recipient=secret)])
        reviews.claim(tx, item.id)
        reviews.edit(tx, item.id, secret, secret + "!", secret)
    return item, row, waiting[0]


def everything(store) -> str:
    with store.engine.connect() as connection:
        tables = [connection.execute(sa.select(table)).all() for table in Base.metadata.sorted_tables]
    return "\n".join(str(row) for rows in tables for row in rows)


def test_no_words_of_an_erased_customer_are_left_and_those_of_others_stay(store):
    busy(store, "C1")
    busy(store, "C2")
    with store.transaction("boss", later(days=1)) as tx:
        assert audit.mask(tx, "C1", "they asked for it", "C1") > 10
    text = everything(store)
    lines = [line for line in text.splitlines() if f"{SECRET.lower()} of c1" in line.lower()]
    assert [line for line in lines if "unsubscribe" not in line] == []
    assert f"{SECRET} of C2" in text
    with store.reading() as session:
        entries = audit.of_customer(session, "C1")
        assert {entry.what for entry in entries} >= {"action recorded", "review edited", "task opened"}
        assert audit.trail(session, "customers", "C1")[0].who == "boss"


def test_nothing_goes_out_about_an_erased_customer(store):
    item, row, waiting = busy(store, "C1")
    with store.transaction("boss", later(days=1)) as tx:
        audit.mask(tx, "C1", "they asked for it", "C1")
    assert state_of(store, OutboxMessage, waiting.id) == "cancelled"
    assert state_of(store, Action, item.action_id) == "cancelled"
    assert claim(store, at=later(days=2)) == []
    with store.transaction("deliver", later(days=1)) as tx:
        assert reviews.carry_on(tx, item.id) is None
    assert state_of(store, OutboxMessage, row.id) == "uncertain"


def test_what_was_masked_stays_so(store):
    busy(store, "C1")
    with store.transaction("boss", later(days=1)) as tx:
        first = audit.mask(tx, "C1", "they asked for it", "C1")
    with store.transaction("boss", later(days=2)) as tx:
        assert audit.mask(tx, "C1", "they asked again", "C1") == first
    with store.reading() as session:
        about = session.scalars(sa.select(AuditEntry).where(AuditEntry.customer_id == "C1")).all()
    assert {(str(each.before), str(each.after), each.why) for each in about} == {
        ("{'masked': True}", "{'masked': True}", "[masked]")
    }
