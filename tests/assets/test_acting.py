"""Acting: only the scan of the latest day does anything, each thing once, and as far as the manifest lets it."""

import json
import os
import shutil
import socket
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import yaml

from orchestration_project.freshness import fresh_sources
from orchestration_project.jobs import SCAN
from orchestration_project.operations import reviews
from orchestration_project.operations.models import (
    Action,
    Assignment,
    AuditEntry,
    Episode,
    OutboxMessage,
    ReviewItem,
    Task,
)
from orchestration_project.operations.store import Store
from orchestration_project.outgoing import Outgoing
from orchestration_project.settings import Home

TABLES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")
SIMULATED = {"until": date(2026, 6, 30), "customers": 60}
DAY = date(2026, 6, 30)
BANDS = {f"connections.{n}.when.score": between for n, between in (
    (2, {"below": 1.4}), (3, {"at_least": 1.4, "below": 2.5}), (4, {"at_least": 2.5})
)}  # fmt: skip
"""Bands under which a small company has customers in each of them."""


CONFIDENT = {"scoring": {"min_confidence": 0}}


@pytest.fixture(scope="module")
def known(company, new_company, tmp_path_factory) -> Any:
    """A company of which everything is known of the latest day that no manifest of a test changes."""
    home = Home(tmp_path_factory.mktemp("known") / "home")
    shutil.copytree(company.home.path, home.path)
    found = new_company(home)
    found.configure(risk=CONFIDENT)
    assert found.run(SCAN, DAY, DAY, "customer_profiles", "usage_trends", "risk_factors").success
    return found


@pytest.fixture
def acting(known, tmp_path, new_company, own_manifest) -> Any:
    """A company with customers in every band, whose manifest may be changed; it is to be scored and acted on."""

    def make(**changes: Any) -> Any:
        shutil.copytree(known.home.path, tmp_path / "copy")
        made = new_company(Home(tmp_path / "copy"))
        own_manifest(made.home, BANDS | {"state.hysteresis": 0.1} | changes)
        return made

    return make


def act(company: Any) -> Any:
    """The rest of the latest day's scan: what comes after the factors."""
    return company.run(SCAN, DAY, DAY, "risk_scores", "action_plan", "outreach_drafts", "account_alerts")


def rows(company: Any, model: Any) -> list[Any]:
    with Store.open(company.home) as store, store.reading() as session:
        return list(session.scalars(sa.select(model).order_by(model.id)))


def counts(company: Any) -> dict[str, int]:
    tables = (Action, Assignment, Episode, OutboxMessage, ReviewItem, Task)
    return {model.__tablename__: len(rows(company, model)) for model in tables}


def plan(company: Any, day: date = DAY) -> Any:
    return company.rows("action_plan", day)


def test_the_scan_of_the_latest_day_asks_about_messages_and_queues_alerts(acting) -> None:
    company = acting()
    assert act(company).success
    planned = plan(company)
    outreach = set(planned[(planned.action == "outreach") & planned.stopped_at.isna()].customer_id)
    alerts = set(planned[(planned.action == "alert") & planned.stopped_at.isna()].customer_id)
    assert len(outreach) > 3 and len(alerts) > 3
    actions = rows(company, Action)
    assert {row.customer_id for row in actions if row.kind == "outreach"} == outreach
    assert {row.customer_id for row in actions if row.kind == "alert"} == alerts
    items = [item for item in rows(company, ReviewItem) if item.action_id]
    assert {item.customer_id for item in items} == outreach
    assert {item.context["send"]["recipient"] for item in items} <= set(
        company.rows("customer_profiles", DAY).contact_email
    )
    assert {(message.kind, message.state) for message in rows(company, OutboxMessage)} == {("task", "pending")}
    assert {task.customer_id for task in rows(company, Task)} == alerts
    assert all(row.after is not None for row in rows(company, AuditEntry))


def test_an_alert_holds_what_an_account_manager_needs(acting) -> None:
    company = acting()
    act(company)
    task = rows(company, Task)[0]
    steps = [each["step"] for each in task.details["handoffs"]]
    assert steps[:3] == ["customer_data_collector", "usage_pattern_analyser", "risk_assessor"]
    assert {"tickets", "invoices", "trend", "picture", "narrative", "recommended_actions", "score"} <= set(task.details)
    assert task.details["trend"][-1]["day"] == "2026-06-30"
    assert task.details["picture"].startswith("data:image/svg+xml;base64,")
    assert task.deadline == company.now + timedelta(hours=24)
    message = next(each for each in rows(company, OutboxMessage) if each.action_id == task.action_id)
    assert message.recipient == task.owner
    assert message.payload["handoffs"] == task.details["handoffs"]


@pytest.mark.parametrize(("hysteresis", "outlasts"), [(0, False), (1, True)])
def test_a_stay_outlasts_a_lower_score_as_far_as_the_manifest_says(acting, hysteresis: float, outlasts: bool) -> None:
    company = acting(**{"state.hysteresis": hysteresis})
    assert company.scan(DAY - timedelta(days=13), DAY).success
    scored = company.rows("risk_scores", DAY).set_index("customer_id").band.dropna()
    stays = plan(company).set_index("customer_id").state.loc[scored.index]
    assert bool((stays != scored).any()) is outlasts


def test_a_scan_that_runs_again_does_nothing_twice_and_plans_the_same(acting) -> None:
    company = acting()
    act(company)
    before, planned = counts(company), plan(company)
    assert act(company).success
    assert counts(company) == before
    assert plan(company).equals(planned)


def test_the_next_day_does_nothing_again_in_the_same_stay_and_updates_open_tasks(acting) -> None:
    company = acting()
    act(company)
    before = {row.key for row in rows(company, Action)}
    told = {task.customer_id: task.updated_at for task in rows(company, Task)}
    company.now += timedelta(days=1)
    company.refresh("2026-06", "2026-07")
    assert company.scan(DAY + timedelta(days=1)).success
    again = plan(company, DAY + timedelta(days=1))
    assert "already_acted" in set(again.stopped_at)
    tasks = {task.customer_id: task for task in rows(company, Task) if task.state == "open"}
    assert any(tasks[who].updated_at > at for who, at in told.items() if who in tasks)
    new = {row.customer_id for row in rows(company, Action) if row.key not in before}
    begun = dict(zip(again.customer_id, again.since, strict=True))
    earlier = {row.customer_id for row in rows(company, Action) if row.key in before}
    assert {str(begun[who]) for who in new & earlier} <= {str(DAY + timedelta(days=1))}


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to connect to anybody, which fails."""
    tried: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("no connections here")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


CHANNELS = {"outreach_agent": "smtp", "account_manager_alert": "slack"}
AUTO = {f"roles.{role}.acts.{key}": value for role, channel in CHANNELS.items()
        for key, value in (("autonomy", "auto"), ("channel", channel))}  # fmt: skip


@pytest.mark.parametrize(
    "span", [(date(2026, 6, 10), DAY), (date(2026, 6, 29), DAY), (date(2026, 6, 29), date(2026, 6, 29))]
)
def test_a_range_and_a_past_day_plan_what_would_have_been_done_and_do_nothing(acting, no_sockets, span) -> None:
    company = acting(**AUTO)
    assert company.scan(*span).success
    assert (plan(company, span[1]).stopped_at.isna()).any()
    assert not company.home.operations.exists()
    assert no_sockets == []


BACKFILLED = 365 if os.environ.get("STRESS") == "1" else 40


@pytest.mark.slow
def test_a_backfill_of_a_year_with_everything_on_auto_creates_nothing_and_connects_to_nobody(
    new_company, tmp_path, own_manifest, no_sockets
) -> None:
    company = new_company(Home(tmp_path))
    company.configure(history_start="2025-06-01", risk=CONFIDENT)
    tables = {name: {"connector": "simulated"} for name in TABLES}
    company.home.sources_file.write_text(
        yaml.safe_dump({"simulation": SIMULATED | {"start": date(2025, 6, 1), "months": 6}, "tables": tables})
    )
    own_manifest(company.home, BANDS | AUTO | {"state.hysteresis": 0.1})
    assert company.refresh("2025-06", "2026-06").success
    first = DAY - timedelta(days=BACKFILLED - 1)
    assert company.scan(first, DAY).success
    with company.workspace.lake() as lake:
        plans = lake.read("action_plan")
        planned = lake.engine.rows(plans.filter(plans.stopped_at.isnull()).select("scan_day").distinct())
    assert len(planned) == BACKFILLED
    assert not company.home.operations.exists()
    assert not company.home.outbox.exists()
    assert no_sockets == []


def test_a_run_that_belongs_to_a_backfill_does_nothing(acting) -> None:
    company = acting(**AUTO)
    from orchestration_project.definitions import build

    result = build(company.workspace).resolve_job_def(SCAN).execute_in_process(
        instance=company.instance, raise_on_error=False,
        tags={"dagster/asset_partition_range_start": str(DAY), "dagster/asset_partition_range_end": str(DAY),
              "dagster/backfill": "abc"},
    )  # fmt: skip
    assert result.success
    told = company.written(result)["outreach_drafts"][str(DAY)]
    assert told["acted"].startswith("no: this run is part of a backfill")
    assert not company.home.operations.exists()


@pytest.mark.parametrize(
    ("autonomy", "states", "questions", "messages"),
    [
        ("shadow", set(), False, False),
        ("draft", {"drafted"}, False, False),
        ("approve", {"in_review"}, True, False),
        ("auto", {"queued"}, False, True),
    ],
)
def test_a_message_goes_as_far_by_itself_as_the_manifest_says(acting, autonomy, states, questions, messages) -> None:
    company = acting(**{"roles.outreach_agent.acts.autonomy": autonomy})
    act(company)
    actions = [row for row in rows(company, Action) if row.kind == "outreach"]
    assert {row.state for row in actions} == states
    assert any(item.reason_code == "approve_outreach" for item in rows(company, ReviewItem)) is questions
    mails = [row for row in rows(company, OutboxMessage) if row.kind == "email"]
    assert bool(mails) is messages
    arms = Counter(row.arm for row in rows(company, Assignment) if row.play != "account_alert")
    assert bool(arms) is (autonomy in ("approve", "auto"))


def test_a_text_that_a_model_wrote_is_never_sent_without_a_person(acting, messages_server, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    company = acting(**{"roles.outreach_agent.acts.autonomy": "auto"})
    server = messages_server()
    company.configure(risk=CONFIDENT, language_model={"name": "claude-test", "base_url": server.url})
    assert act(company).success
    assert set(company.rows("outreach_drafts", DAY).state) == {"verified"}
    items = [item for item in rows(company, ReviewItem) if item.action_id]
    assert {item.reason_code for item in items} == {"written_by_a_model"}
    assert {message.kind for message in rows(company, OutboxMessage)} <= {"task"}


def test_a_message_waits_for_the_end_of_quiet_hours_where_the_customer_is(acting) -> None:
    quiet = {"start": 0, "end": 12, "weekends": True}
    company = acting(**{"roles.outreach_agent.acts.autonomy": "auto", "roles.outreach_agent.acts.quiet_hours": quiet})
    act(company)
    mails = [row for row in rows(company, OutboxMessage) if row.kind == "email"]
    assert mails
    for mail in mails:
        zone = mail.quiet["zone"]
        from zoneinfo import ZoneInfo

        assert 12 <= mail.not_before.astimezone(ZoneInfo(zone or "UTC")).hour < 24


@pytest.mark.parametrize("by", ["file", None])
def test_a_message_is_noted_and_an_alert_posted_once_sent_where_the_manifest_says(acting, by) -> None:
    roles = ("outreach_agent", "account_manager_alert")
    changes = {f"roles.{role}.acts.autonomy": "auto" for role in roles}
    company = acting(
        **changes,
        **{f"roles.{role}.acts.recorded_by": by for role in roles},
        **{"roles.outreach_agent.acts.quiet_hours": None},
    )
    act(company)
    mails = {row.payload["customer_id"]: row for row in rows(company, OutboxMessage) if row.kind == "email"}
    tasks = {row.payload["customer_id"] for row in rows(company, OutboxMessage) if row.kind == "task"}
    with Store.open(company.home) as store:
        Outgoing(company.workspace, store, "worker").deliver(1000)
    for file, told in (("notes.jsonl", set(mails)), ("chats.jsonl", tasks)):
        lines = company.home.outbox / file
        assert told and lines.exists() is (by is not None)
        if by is not None:
            assert {json.loads(line)["payload"]["customer_id"] for line in lines.read_text().splitlines()} == told


def test_who_may_not_want_mail_is_written_to_only_after_a_person_has_agreed(acting) -> None:
    company = acting(**{"roles.outreach_agent.acts.autonomy": "auto"})

    def unknown(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("opted_out")
        return table.set_column(place, "opted_out", pa.nulls(len(table), pa.bool_()))

    act(company)
    Store.open(company.home).close()
    company.home.operations.unlink()
    with changed(company, "customer_profiles", unknown):
        for step in ("action_plan", "outreach_drafts"):
            assert company.scan(DAY, only=step).success
    assert {row.state for row in rows(company, Action)} == {"in_review"}
    assert {item.reason_code for item in rows(company, ReviewItem) if item.action_id} == {"consent_unknown"}
    assert rows(company, OutboxMessage) == []


def test_a_further_message_of_the_same_stay_follows_upon_those_that_were_sent(acting) -> None:
    company = acting(**{"roles.outreach_agent.acts": {"autonomy": "auto", "channel": "file"}})
    act(company)
    with Store.open(company.home) as store:
        Outgoing(company.workspace, store, "worker").deliver(1000)
        with store.transaction("test", company.now) as tx:
            for action in tx.session.scalars(sa.select(Action).where(Action.kind == "outreach")):
                action.key, action.play = f"earlier {action.id}", "earlier"
    first = {row.payload["customer_id"]: row.message_id for row in rows(company, OutboxMessage) if row.kind == "email"}
    assert act(company).success
    new = [row for row in rows(company, OutboxMessage) if row.kind == "email" and row.state == "pending"]
    assert len(new) == len(first) > 3
    assert {row.payload["customer_id"]: row.payload["thread"] for row in new} == {
        customer: [name] for customer, name in first.items()
    }


def a_wish(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("opted_out")
    return table.set_column(place, "opted_out", pa.array([True] * len(table)))


def test_what_waits_is_withdrawn_once_the_customer_wants_no_outreach_though_a_person_approved_it(acting) -> None:
    company = acting()
    act(company)
    asked = [item for item in rows(company, ReviewItem) if item.action_id]
    with Store.open(company.home) as store, store.transaction("ann", company.now) as tx:
        reviews.claim(tx, asked[0].id)
        reviews.approve(tx, asked[0].id)
    with changed(company, "customer_profiles", a_wish):
        for step in ("action_plan", "outreach_drafts"):
            assert company.scan(DAY, only=step).success
    outreach = [row for row in rows(company, Action) if row.kind == "outreach"]
    assert {(row.state, row.state_reason) for row in outreach} == {("cancelled", "wants no outreach any more")}
    assert {item.state for item in rows(company, ReviewItem) if item.action_id} == {"approved", "resolved"}
    with Store.open(company.home) as store, store.transaction("worker", company.now) as tx:
        assert reviews.carry_on(tx, asked[0].id) is None
    assert {message.kind for message in rows(company, OutboxMessage)} <= {"task"}


def a_recovery(table: pa.Table) -> pa.Table:
    for name in ("score", "band"):
        value = pa.array([1.0 if name == "score" else "low"] * len(table), table.schema.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), name, value)
    return table


def test_what_waits_is_withdrawn_of_those_who_have_recovered_alerts_too(acting) -> None:
    company = acting(**{"roles.account_manager_alert.acts.autonomy": "approve"})
    act(company)
    assert {row.kind for row in rows(company, Action)} == {"outreach", "alert"}
    with changed(company, "risk_scores", a_recovery):
        for step in ("action_plan", "outreach_drafts", "account_alerts"):
            assert company.scan(DAY, only=step).success
    assert {(row.state, row.state_reason) for row in rows(company, Action)} == {("cancelled", "is in band low now")}


def changed(company: Any, table: str, change: Any, day: date = DAY) -> Any:
    import contextlib

    import pyarrow.parquet as pq

    @contextlib.contextmanager
    def within():
        file = company.file(table, day)
        before = file.read_bytes()
        pq.write_table(change(pq.read_table(file, partitioning=None)), file)
        yield
        file.write_bytes(before)

    return within()


def test_a_task_is_closed_when_the_customer_is_out_of_danger_or_gone(acting) -> None:
    company = acting()
    act(company)
    first, second, *others = sorted(task.customer_id for task in rows(company, Task))

    def eased(table: pa.Table) -> pa.Table:
        kept = table.filter(pa.compute.not_equal(table["customer_id"], second))
        states = [
            "low" if who == first else state
            for who, state in zip(kept["customer_id"].to_pylist(), kept["state"].to_pylist(), strict=True)
        ]
        place = kept.schema.get_field_index("state")
        return kept.set_column(place, "state", pa.array(states, pa.string()))

    with changed(company, "action_plan", eased):
        company.scan(DAY, only="account_alerts")
    tasks = {task.customer_id: task for task in rows(company, Task)}
    assert (tasks[first].state, tasks[first].close_reason) == ("closed", "recovered")
    assert (tasks[second].state, tasks[second].close_reason) == ("closed", "left")
    assert {tasks[other].state for other in others} == {"open"}


def test_customers_whose_score_nobody_may_act_on_are_asked_about_once_per_owner(acting) -> None:
    company = acting()
    company.configure(risk={"scoring": {"min_confidence": 1}})
    act(company)
    items = [item for item in rows(company, ReviewItem) if item.reason_code == "low_confidence"]
    profiles = company.rows("customer_profiles", DAY)
    assert {item.owner for item in items} <= set(profiles.owner)
    assert sum(len(item.context["cases"]) for item in items) > 30
    act(company)
    assert len([item for item in rows(company, ReviewItem) if item.reason_code == "low_confidence"]) == len(items)

    company.configure(risk=CONFIDENT)
    act(company)
    assert {item.state for item in rows(company, ReviewItem) if item.reason_code == "low_confidence"} == {"resolved"}


def test_a_source_is_fresh_as_long_as_its_newest_row_is_new_enough(company) -> None:
    with company.workspace.lake() as lake:
        assert set(fresh_sources(lake, company.workspace, DAY).values()) == {True}
        later = fresh_sources(lake, company.workspace, DAY + timedelta(days=4))
        assert later == {"usage_events": False, "support_tickets": True, "invoices": True, "engagements": True}
        assert not any(fresh_sources(lake, company.workspace, date(2020, 1, 1)).values())
