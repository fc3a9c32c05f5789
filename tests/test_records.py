"""Records: what the store says was done, as a plan is to know it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import ibis
import pytest

from orchestration_project.domain.bandit import Variant
from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger, outbox
from orchestration_project.operations.channels.file import File
from orchestration_project.operations.delivery import deliver
from orchestration_project.operations.mail import Letterhead
from orchestration_project.operations.models import Action, OutboxMessage
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.records import records, variants
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

DAY, NOW = date(2026, 6, 30), datetime(2026, 7, 1, 7, tzinfo=UTC)
APPROVED = datetime(2026, 7, 12, 9, tzinfo=UTC)
PEOPLE = {"customer_id": "string", "contact_email": "string"}


@pytest.mark.parametrize(
    ("state", "sent_at", "told"),
    [
        ("sent", APPROVED, (True, date(2026, 7, 12))),
        ("in_review", None, (True, None)),
        ("queued", None, (True, None)),
        ("rejected", None, (False, None)),
    ],
)
def test_an_act_is_told_with_the_day_on_which_it_was_sent_which_may_be_long_after_its_scan(
    tmp_path: Path, state: str, sent_at: datetime | None, told: tuple
) -> None:
    home = Home(tmp_path)
    with Store.open(home) as store, Workspace(home).lake() as lake:
        with store.transaction("test", NOW) as tx:
            act = {"key": "k", "workflow": "w", "customer_id": "C1", "kind": "outreach", "play": "check_in",
                   "cause": "usage_decline", "episode_id": None, "scan_day": DAY, "variant": None, "propensity": None,
                   "expected_loss": None, "owner": None, "autonomy": "approve", "state": state,
                   "state_reason": None}  # fmt: skip
            (action,) = tx.insert_new(Action, [act], "t", None)
            message = {"idempotency_key": "k", "action_id": action.id, "channel": "file", "kind": "email",
                       "recipient": "r", "payload": {}, "not_before": NOW, "quiet": None, "state": "sent",
                       "attempts": 1, "sent_at": sent_at}  # fmt: skip
            tx.insert_new(OutboxMessage, [message] if sent_at else [], "t", None)
        (row,) = lake.engine.rows(records(store, lake, ibis.memtable([], schema=PEOPLE)).acts)
    assert (row["reaches"], row["sent_on"]) == told
    assert row["day"] + timedelta(1) == NOW.date()


def test_a_variant_counts_once_for_each_message_though_that_is_told_of_too(tmp_path: Path) -> None:
    with Store.open(Home(tmp_path)) as store:
        with store.transaction("test", NOW) as tx:
            act = ledger.NewAction("w", "C1", "outreach", "check_in", "usage_decline", None, "auto", "queued",
                                   variant="check_in", propensity=1.0)  # fmt: skip
            permit = Permit.for_run("run", {}, DayRange(DAY, DAY), DAY, {"customers": True}, NOW)
            (action,) = ledger.record(tx, permit, [act])
            payload = {"customer_id": "C1", "subject": "Hello", "body": "We miss you"}
            mail = outbox.NewMessage(
                "k", action.id, "file", "email", "ann@example.com", payload, NOW, recorded_by="file"
            )
            outbox.enqueue(tx, permit, [mail])
        head = Letterhead("care@company.example", "", unsubscribe_mailto="stop@company.example")
        channels = {"file": File(tmp_path / "outbox", head, lambda: NOW)}
        assert deliver(store, channels, "w1", lambda: NOW, 10, sleep=lambda _: None) == {"sent": 2}
        assert variants(store) == {("check_in", "check_in"): Variant("check_in", 0, 1)}
