"""`deliver`: what was approved and is due leaves by a Dagster run; a rehearsal changes nothing."""

from datetime import timedelta
from email import message_from_bytes, policy

import dagster as dg
import pytest

from orchestration_project.operations import outbox
from orchestration_project.operations.models import Action, AuditEntry, OutboxMessage, ReviewItem


@pytest.fixture(autouse=True)
def _ann(monkeypatch):
    monkeypatch.setenv("ORCHESTRATE_USER", "ann")
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "a secret of enough characters")


def mails(asked):
    files = sorted((asked.shell.home / "outbox").glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def test_what_was_approved_is_sent_once_by_a_run_that_the_ui_shows(asked):
    name = asked.draft()
    asked.draft("C2")
    asked.shell("reviews", "edit", name, "--subject", "Hello Ann")
    told = asked.shell("deliver", "--json").json
    assert told["carry_on_decisions"] == {"queued": 1}
    assert told["deliver_outbox"] == {"sent": 1}
    (mail,) = mails(asked)
    assert (mail["To"], mail["Subject"]) == ("ann@example.com", "Hello Ann")
    assert asked.row(Action, asked.row(ReviewItem, name).action_id).state == "sent"
    with dg.DagsterInstance.from_config(str(asked.shell.home / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert (run.run_id, run.job_name, run.status.value) == (told["run_id"], "deliver_messages", "SUCCESS")
    again = asked.shell("deliver")
    assert again.code == 0
    assert "Messages: none" in again.out
    assert len(mails(asked)) == 1


def test_no_more_than_the_limit_leave(asked):
    for n in range(4):
        asked.shell("reviews", "approve", asked.draft(f"C{n}"))
    assert asked.shell("deliver", "--limit", 3, "--json").json["deliver_outbox"] == {"sent": 3}
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {"sent": 1}


def test_a_rehearsal_tells_what_would_go_and_what_not_and_changes_nothing(asked):
    for n, recipient in enumerate(("ann@example.com", "stop@example.com")):
        asked.shell("reviews", "approve", asked.draft(f"C{n}", recipient))
    asked.draft("C8", expires_at=asked.now)
    asked.uncertain()
    assert asked.shell("suppress", "stop@example.com", "--reason", "asked by phone").code == 0
    before = len(asked.rows(AuditEntry))
    told = asked.shell("deliver", "--dry-run", "--json").json
    assert (told["overdue"], told["queued"], told["left"]) == (1, 2, 0)
    found = {each["recipient"]: each["cancelled"] for each in told["messages"]}
    assert found["ann@example.com"] is None
    assert found["stop@example.com"].startswith("suppressed since ")
    assert "would be sent" in asked.shell("deliver", "--dry-run").out
    assert len(asked.rows(AuditEntry)) == before
    assert [row.state for row in asked.rows(OutboxMessage)] == ["uncertain"]
    assert not (asked.shell.home / "outbox").exists()
    assert not (asked.shell.home / "dagster").exists()


def test_a_rehearsal_where_nothing_was_ever_asked_makes_no_store(small):
    assert small("deliver", "--dry-run", "--json").json["messages"] == []
    assert not (small.home / "operations.db").exists()


def test_who_is_suppressed_gets_nothing_and_their_message_is_cancelled(asked):
    name = asked.draft()
    asked.shell("reviews", "approve", name)
    asked.shell("suppress", "Ann@Example.com", "--reason", "asked by phone")
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {}
    assert [row.state for row in asked.rows(OutboxMessage)] == ["cancelled"]
    assert mails(asked) == []


def test_a_review_that_nobody_decided_expires_and_nothing_is_sent(asked):
    name = asked.draft(expires_at=asked.now)
    assert asked.shell("deliver", "--json").json["expire_reviews"] == {"expired": 1}
    item = asked.row(ReviewItem, name)
    assert (item.state, asked.row(Action, item.action_id).state) == ("expired", "expired")
    assert mails(asked) == []


def test_a_secret_that_is_missing_is_one_sentence_and_what_was_approved_waits(asked, monkeypatch):
    asked.shell("reviews", "approve", asked.draft())
    asked.shell.settings(channels={"slack": {"token_variable": "NO_SUCH_TOKEN"}})
    sentence = asked.shell("deliver").sentence
    assert "NO_SUCH_TOKEN, which is not set; export NO_SUCH_TOKEN and try again." in sentence
    assert [row.state for row in asked.rows(OutboxMessage)] == ["pending"]
    monkeypatch.setenv("NO_SUCH_TOKEN", "xoxb-1")
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {"sent": 1}


def test_messages_of_a_play_that_is_off_wait_until_it_is_on(asked):
    asked.shell("reviews", "approve", asked.draft())
    asked.shell("plays", "off", "check_in", "--reason", "a bad text")
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {}
    asked.shell("plays", "on", "check_in", "--reason", "mended")
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {"sent": 1}


def test_many_decisions_are_carried_out_in_one_run(asked):
    with asked.store() as store, store.transaction("scan", asked.now) as tx:
        messages = [outbox.NewMessage(f"M{n}", None, "file", "note", "crm", {"n": n}, asked.now - timedelta(1))
                    for n in range(60)]  # fmt: skip
        outbox.enqueue(tx, asked._permit, messages)
    assert asked.shell("deliver", "--json").json["deliver_outbox"] == {"sent": 60}
    assert len((asked.shell.home / "outbox" / "notes.jsonl").read_text().splitlines()) == 60
