"""The ledger: episodes follow where customers stand, and an action is recorded once whatever runs again."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
import sqlalchemy as sa

from orchestration_project.domain.days import DayRange
from orchestration_project.operations import ledger
from orchestration_project.operations.ledger import Standing
from orchestration_project.operations.models import Action, Assignment, Episode, OutboxMessage, Task
from orchestration_project.operations.permit import Permit

from .conftest import DAY, NOW, PERMIT, acted, action, later, message, queued, state_of


def permit(days_later: int) -> Permit:
    day = DAY + timedelta(days_later)
    return Permit.for_run("run", {}, DayRange(day, day), day, {"customers": True}, NOW + timedelta(days_later))


def sync(store, days_later: int, *standings: Standing) -> dict[str, Episode]:
    with store.transaction("scan", later(days=days_later)) as tx:
        return ledger.sync_episodes(tx, permit(days_later), standings)


def episodes(store) -> list[tuple]:
    with store.reading() as session:
        rows = session.scalars(sa.select(Episode).order_by(Episode.customer_id, Episode.started_on, Episode.band)).all()
    return [
        (row.customer_id, row.band, *((day - DAY).days if day else None for day in
         (row.started_on, row.last_seen_on, row.ended_on)), row.end_reason)
        for row in rows
    ]  # fmt: skip


def test_an_episode_begins_goes_on_and_ends(store):
    first = sync(store, 0, Standing("C1", "medium"), Standing("C2", None))
    assert list(first) == ["C1"]
    assert sync(store, 1, Standing("C1", "medium"))["C1"].id == first["C1"].id
    assert sync(store, 2, Standing("C1", None)) == {}
    assert episodes(store) == [("C1", "medium", 0, 1, 2, "recovered")]
    assert sync(store, 3, Standing("C1", "medium"))["C1"].id != first["C1"].id


def test_a_change_of_band_ends_an_episode_and_begins_another(store):
    sync(store, 0, Standing("C1", "medium"), Standing("C2", "high"))
    sync(store, 1, Standing("C1", "high"), Standing("C2", "medium"))
    assert episodes(store) == [
        ("C1", "medium", 0, 0, 1, "worsened"), ("C1", "high", 1, 1, None, None),
        ("C2", "high", 0, 0, 1, "eased"), ("C2", "medium", 1, 1, None, None),
    ]  # fmt: skip


def test_a_customer_of_whom_nothing_is_known_keeps_their_episode(store):
    sync(store, 0, Standing("C1", "high"))
    sync(store, 1, Standing("C2", "high"))
    assert episodes(store)[0] == ("C1", "high", 0, 0, None, None)


def test_why_an_episode_ended_is_told(store):
    sync(store, 0, Standing("C1", "high"))
    sync(store, 1, Standing("C1", None, "churned"))
    assert episodes(store) == [("C1", "high", 0, 0, 1, "churned")]


def test_a_scan_that_runs_again_changes_nothing(store):
    standings = [Standing("C1", "medium"), Standing("C2", "high")]
    first = sync(store, 0, *standings)
    again = sync(store, 0, *standings)
    assert {name: row.id for name, row in first.items()} == {name: row.id for name, row in again.items()}


def test_a_scan_at_the_same_moment_gets_the_episodes_that_the_other_has_begun(store):
    standings = [Standing("C1", "medium"), Standing("C2", "high")]
    with ThreadPoolExecutor() as pool:
        with store.transaction("scan", NOW) as tx:
            first = ledger.sync_episodes(tx, PERMIT, standings)
            other = pool.submit(sync, store, 0, *standings)
            wait([other], timeout=0.5)
            assert not other.done()
        assert {name: row.id for name, row in other.result(60).items()} == {name: row.id for name, row in first.items()}


def test_a_scan_that_runs_again_with_mended_data_takes_up_the_episode_that_it_ended(store):
    first = sync(store, 0, Standing("C1", "medium"))
    sync(store, 1, Standing("C1", None))
    assert sync(store, 1, Standing("C1", "medium"))["C1"].id == first["C1"].id
    assert episodes(store) == [("C1", "medium", 0, 1, None, None)]


def test_an_action_is_recorded_once_per_customer_play_cause_and_episode(store):
    episode = sync(store, 0, Standing("C1", "medium"))["C1"].id
    variants = [action(), action(play="check_in"), action(cause="support_tickets"), action(episode_id=episode)]
    with store.transaction("scan", NOW) as tx:
        assert len(ledger.record(tx, PERMIT, [*variants, *variants])) == 4
    with store.transaction("scan", later(days=1)) as tx:
        new = ledger.record(tx, permit(1), [*variants, action("C2")])
    assert [row.customer_id for row in new] == ["C2"]
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Action)) == 5


def test_keys_dont_run_into_one_another():
    assert ledger.action_key("a", "bc", "d", None) != ledger.action_key("ab", "c", "d", None)
    assert ledger.action_key("a", "b\n", "c", None) != ledger.action_key("a", "b", "\nc", None)


def test_cancelling_an_action_cancels_its_pending_message(store):
    row = acted(store, state="queued")
    sent = queued(store, message(action_id=row.id))[0]
    with store.transaction("ann", NOW) as tx:
        assert ledger.cancel(tx, row.id, "the customer called")
    assert state_of(store, OutboxMessage, sent.id) == state_of(store, Action, row.id) == "cancelled"


@pytest.mark.parametrize("state", ["sent", "uncertain", "failed", "rejected", "shadow"])
def test_an_action_that_is_out_or_over_cant_be_cancelled(store, state):
    row = acted(store, state=state)
    with store.transaction("ann", NOW) as tx:
        assert not ledger.cancel(tx, row.id, "too late")
    assert state_of(store, Action, row.id) == state


def test_the_first_assignment_in_an_episode_stays(store):
    episode = sync(store, 0, Standing("C1", "medium"))["C1"].id
    with store.transaction("scan", NOW) as tx:
        treated = ledger.NewAssignment("C1", "win_back", episode, "treated", 0.9, "salt", "A")
        assert len(ledger.assign(tx, PERMIT, [treated])) == 1
        assert ledger.assign(tx, PERMIT, [ledger.NewAssignment("C1", "win_back", episode, "control", 0.1, "s2")]) == []
    with store.reading() as session:
        row = session.scalars(sa.select(Assignment)).one()
    assert (row.arm, row.propensity, row.variant, row.scan_day) == ("treated", 0.9, "A", DAY)


def test_a_task_is_opened_once_gets_new_facts_and_can_come_again_when_it_is_closed(store):
    def raised(score, title):
        with store.transaction("scan", NOW) as tx:
            return ledger.raise_tasks(tx, PERMIT, [ledger.NewTask("C1", "risk", title, later(days=1), score=score)])

    first = raised(8.1, "Call them")[0]
    assert raised(9.0, "Call them now") == []
    with store.reading() as session:
        assert [(row.id, row.score, row.title) for row in ledger.open_tasks(session)] == [
            (first.id, 9.0, "Call them now")
        ]
    with store.transaction("ann", NOW) as tx:
        assert ledger.close_task(tx, first.id, "recovered")
        assert not ledger.close_task(tx, first.id, "again")
    assert state_of(store, Task, first.id) == "closed"
    assert raised(8.5, "Call them")[0].id != first.id
