"""Records: what the store says was done, as a plan is to know it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import ibis
import pytest

from orchestration_project.operations.models import Action, OutboxMessage
from orchestration_project.operations.store import Store
from orchestration_project.records import records
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
