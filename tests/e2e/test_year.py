"""Year: the loop lives on by itself, what it sends takes effect, and its page says what is true of that.

Some days by default; with STRESS=1 the three whole years of `python -m benchmarks year`, each of which takes an hour.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from benchmarks.conduct import conduct
from benchmarks.year import SCENARIOS, START, Year, ended, scenario, told
from orchestration_project.operations.models import Action, Assignment, OutboxMessage
from orchestration_project.operations.store import Store
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.lives import EFFECT_DAYS

pytestmark = pytest.mark.slow

THURSDAY, BY_DAGSTER, SUNDAY = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 4)
"""Scans of these days act from Friday, whose mails go out, to Monday, when those of the weekend do."""


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """Four days of a small company in which every outreach in time succeeds, and a person approves each."""
    company = Company(customers=500, seed=1, start=START, months=17, monthly_churn=0.1, outreach_effect=1)
    lived = Year(
        tmp_path_factory.mktemp("year"), company, THURSDAY, SUNDAY, "approve", by_dagster=frozenset({BY_DAGSTER})
    )
    lived.run()
    yield lived


def test_the_loop_runs_by_itself_keeps_its_rules_and_says_how_little_it_knows(days: Year) -> None:
    found = ended(days)
    assert found["verdict"] == "not enough data" and found["said"]
    assert min(found["mails"], found["alerts"]) > 1
    assert not any(found["broken"].values())
    assert set(found["unsent"]) <= {"pending"}
    assert found["asked"].keys() <= {"approve_outreach", "low_confidence", "no_score"}
    assert found["verdicts"] == {"not enough data": 4}


def test_what_is_delivered_takes_effect_from_that_very_day_and_on_nobody_else(days: Year) -> None:
    truly, otherwise = (rows_of(each.fates()) for each in (days.treated, days.untreated))
    reached = first_reached(days)
    changed = {customer for customer in truly if truly[customer] != otherwise[customer]}
    in_time = {
        customer: day
        for customer, day in reached.items()
        if otherwise[customer]["leaves_on"] is not None
        and otherwise[customer]["trouble_began_on"] <= day
        and day < otherwise[customer]["leaves_on"] <= day + timedelta(days=EFFECT_DAYS)
    }
    assert len(in_time) > 5 and len(set(in_time.values())) > 1
    assert {customer: truly[customer]["saved_on"] for customer in in_time} == in_time
    assert changed <= reached.keys()


def late(mail: OutboxMessage, action: Action, other: Action, held_back: str) -> None:
    mail.sent_at = datetime(2026, 1, 4, 12, tzinfo=UTC)


def elsewhere(mail: OutboxMessage, action: Action, other: Action, held_back: str) -> None:
    mail.receipt = {"file": "another.eml"}


def to_another(mail: OutboxMessage, action: Action, other: Action, held_back: str) -> None:
    action.customer_id = other.customer_id


def to_one_held_back(mail: OutboxMessage, action: Action, other: Action, held_back: str) -> None:
    action.customer_id = held_back


def again(mail: OutboxMessage, action: Action, other: Action, held_back: str) -> None:
    for name in ("customer_id", "play", "cause", "episode_id"):
        setattr(action, name, getattr(other, name))


@pytest.mark.parametrize(
    "breach, rule",
    [
        (late, "mails in quiet hours"),
        (elsewhere, "files that are not the messages sent"),
        (to_another, "mails over the cap"),
        (to_one_held_back, "to customers held back"),
        (again, "twice for one customer, play, cause and episode"),
    ],
)
def test_a_rule_that_one_mail_breaks_is_counted(days: Year, breach: Callable[..., None], rule: str) -> None:
    sent = sa.select(OutboxMessage, Action).join(Action, Action.id == OutboxMessage.action_id)
    sent = sent.where(OutboxMessage.state == "sent", OutboxMessage.kind == "email").limit(2)
    with Store.open(days.workspace.home) as store, store.rehearsal("test", days.clock.now) as tx:
        (_, other), (mail, action) = tx.session.execute(sent).all()
        held = select_held_back(tx.session)
        assert not any(conduct(tx.session, days.workspace).broken.values())
        breach(mail, action, other, held)
        assert conduct(tx.session, days.workspace).broken[rule] > 0


@pytest.mark.skipif(os.environ.get("STRESS") != "1", reason="takes an hour each")
@pytest.mark.parametrize("name", SCENARIOS)
def test_over_a_year_the_page_says_what_is_true(name: str, tmp_path: Path) -> None:
    found = scenario(tmp_path, name)
    assert found["said"] and found["held_back_alike"] and found["days"] == 365
    assert [row for row in told(name, SCENARIOS[name][1], found) if row["holds"] is False] == []


def rows_of(fates: pa.Table) -> dict[str, dict]:
    return {row.pop("customer_id"): row for row in fates.to_pylist()}


def select_held_back(session: orm.Session) -> str:
    return session.scalars(sa.select(Assignment.customer_id).where(Assignment.arm == "control").limit(1)).one()


def first_reached(lived: Year) -> dict[str, date]:
    """By customer, the first day on which a message about them was delivered."""
    with Store.open(lived.workspace.home) as store, store.reading() as session:
        wanted = sa.select(Action.customer_id, sa.func.min(OutboxMessage.sent_at)).join(
            Action, Action.id == OutboxMessage.action_id
        )
        rows = session.execute(wanted.where(OutboxMessage.state == "sent").group_by(Action.customer_id))
        return {customer: at.date() for customer, at in rows}
