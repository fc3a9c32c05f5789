"""The look-out for messages: when a delivery is asked for, once for the same work, and what is said when it is not."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import yaml

from orchestration_project.definitions import build
from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger, outbox, reviews, switches
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

NOTHING = "Nothing waits to be carried out, sent, or to expire."
JOB = "deliver_messages"


class Outpost:
    """A home with a store, the look-out on it, and a Dagster instance."""

    def __init__(self, home: Home, instance: dg.DagsterInstance) -> None:
        self.home, self.instance, self.now = home, instance, datetime.now(UTC).replace(minute=1)
        self.definitions = build(Workspace(home, lambda: self.now))
        day = self.now.date()
        self.permit = Permit.for_run("r", {}, DayRange(day, day), day, {"customers": True}, self.now)

    def look(self) -> dg.RunRequest | str:
        sensor = self.definitions.get_repository_def().get_sensor_def("messages_due")
        with dg.build_sensor_context(instance=self.instance, sensor_name=sensor.name) as context:
            data = sensor.evaluate_tick(context)
        return data.run_requests[0] if data.run_requests else data.skip_message

    def run(self) -> None:
        self.definitions.resolve_job_def(JOB).execute_in_process(instance=self.instance)

    def write(self, do) -> None:
        with Store.open(self.home) as store, store.transaction("ann", self.now) as tx:
            self.made = do(tx)

    def message(self, key: str = "M1", **changed) -> None:
        values = {
            "idempotency_key": key,
            "action_id": None,
            "channel": "file",
            "kind": "email",
            "payload": {"subject": "Hello", "body": "Hi"},
            "recipient": "ann@example.com",
            "not_before": self.now,
        }
        new = outbox.NewMessage(**(values | changed))
        self.write(lambda tx: outbox.enqueue(tx, self.permit, [new]))

    def draft(self, expires: timedelta = timedelta(days=9)) -> str:
        act = ledger.NewAction("customer_health", "C1", "outreach", "check_in", "usage_decline", None, "approve",
                               "in_review")  # fmt: skip

        def ask(tx):
            (action,) = ledger.record(tx, self.permit, [act])
            return reviews.raise_items(tx, [reviews.NewItem(
                "K1", "approval", "s", "customer_health", "q", "team:cs", "T", self.now, self.now + expires,
                action_id=action.id, customer_id="C1", subject="Hello", body="Hi",
                send=outbox.Address("file", "email", "ann@example.com", {}),
            )], self.permit)[0]  # fmt: skip

        self.write(ask)
        return self.made.id


@pytest.fixture
def outpost(tmp_path, monkeypatch):
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", "a secret of enough characters")
    tables = {"customers": {"connector": "files", "path": "customers.csv"}}
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"tables": tables}))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Outpost(Home(tmp_path), instance)


def test_a_home_without_store_is_left_without(outpost):
    assert outpost.look() == NOTHING
    assert not outpost.home.operations.exists()


def test_a_message_that_is_due_is_asked_for_once_and_sent_by_the_run(outpost):
    outpost.message()
    first = outpost.look()
    assert isinstance(first, dg.RunRequest)
    assert first.run_key.startswith("messages-")
    outpost.now += timedelta(seconds=30)
    assert outpost.look().run_key == first.run_key
    outpost.run()
    assert outpost.look() == NOTHING
    assert len(list(outpost.home.outbox.glob("*.eml"))) == 1
    outpost.run()
    assert len(list(outpost.home.outbox.glob("*.eml"))) == 1


def test_new_work_is_asked_for_under_another_key(outpost):
    outpost.message()
    first = outpost.look()
    outpost.message("M2")
    assert outpost.look().run_key != first.run_key


def test_a_message_waits_for_its_time(outpost):
    outpost.message(not_before=outpost.now + timedelta(hours=1))
    assert outpost.look() == NOTHING
    outpost.now += timedelta(hours=1)
    assert isinstance(outpost.look(), dg.RunRequest)


def test_a_decision_is_carried_out(outpost):
    name = outpost.draft()
    assert outpost.look() == NOTHING
    outpost.write(lambda tx: (reviews.claim(tx, name), reviews.approve(tx, name)))
    assert isinstance(outpost.look(), dg.RunRequest)
    outpost.run()
    assert outpost.look() == NOTHING
    assert len(list(outpost.home.outbox.glob("*.eml"))) == 1


def test_a_review_that_nobody_decides_expires(outpost):
    outpost.draft(expires=timedelta(hours=1))
    assert outpost.look() == NOTHING
    outpost.now += timedelta(hours=1)
    assert isinstance(outpost.look(), dg.RunRequest)
    outpost.run()
    assert outpost.look() == NOTHING


def test_what_a_worker_left_is_looked_after(outpost):
    outpost.message()
    outpost.write(lambda tx: outbox.claim(tx, "w", ["file"], 1, timedelta(minutes=5)))
    assert outpost.look() == NOTHING
    outpost.now += timedelta(minutes=5)
    assert isinstance(outpost.look(), dg.RunRequest)
    outpost.run()
    assert outpost.look() == NOTHING
    assert len(list(outpost.home.outbox.glob("*.eml"))) == 1


def test_nothing_is_asked_for_that_no_run_could_send(outpost):
    outpost.message(channel="slack")
    assert outpost.look() == NOTHING
    name = outpost.draft()
    outpost.write(lambda tx: (reviews.claim(tx, name), reviews.approve(tx, name)))
    outpost.write(lambda tx: switches.turn(tx, "check_in", "off", "a bad text"))
    outpost.run()
    assert outpost.look() == NOTHING


def test_while_a_delivery_is_under_way_no_other_is_asked_for_unless_it_is_dead(outpost):
    outpost.message()
    job = outpost.definitions.resolve_job_def(JOB)
    outpost.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert outpost.look() == "A delivery is under way; what waits is looked at when it is done."
    outpost.now += timedelta(hours=2)
    assert isinstance(outpost.look(), dg.RunRequest)


def test_after_a_failure_the_same_work_is_asked_for_again_a_while_later(outpost):
    outpost.message()
    first = outpost.look()
    outpost.now += timedelta(minutes=16)
    assert outpost.look().run_key != first.run_key


def test_a_mistake_in_the_settings_or_a_spoilt_store_is_said(outpost):
    outpost.message()
    outpost.home.sources_file.write_text("tables: {customers: {connector: fax}}", encoding="utf-8")
    assert "`tables.customers` does not fit" in outpost.look()
    outpost.home.operations.write_bytes(b"no database" * 999)
    assert "The operations database" in outpost.look()
