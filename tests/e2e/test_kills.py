"""Kills: whatever dies between the plan and the peers, nobody gets a message twice and no approved one is lost.

The peers are real: a mail server, a server with Slack's API and MCP servers, each with a log of what it took. Every
step is started twice at once. Few kills by default, the full count with STRESS=1.
"""

import itertools
import logging
import multiprocessing
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml

from orchestration_project.cli.scanning import run_backfill
from orchestration_project.drafting import ALERTS, DRAFTS
from orchestration_project.operations import reviews, uncertain
from orchestration_project.operations.delivery import DESK
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem, Task
from orchestration_project.operations.store import Store
from orchestration_project.settings import Home
from tests.conftest import Postgres
from tests.e2e import pipeline
from tests.e2e.peers import LATENCY, Peers, arrives_as

pytestmark = pytest.mark.slow

LOG = logging.getLogger(__name__)
"""Figures, for whoever asks with `--log-cli-level=INFO`."""

STRESS = os.environ.get("STRESS") == "1"
KILLS = {"sqlite": 500, "postgresql": 250} if STRESS else {"sqlite": 8, "postgresql": 4}
FIRST_VARIANT = {"sqlite": 0, "postgresql": 2}
MOST_PER_ROUND = 25 if STRESS else 8
MORNING = datetime(2025, 7, 1, 8, tzinfo=UTC)
LEASE_OVER = timedelta(minutes=6)
"""By how much the clock moves on between steps, so that what a dead worker held is free again."""
PATIENCE = 300
"""Seconds after which a step that does not end is a failure."""
SIMULATED = {"start": "2025-03-01", "until": "2025-06-30", "customers": 120 if STRESS else 80, "months": 3}
TABLES = ("customers", "usage_events", "invoices", "support_tickets", "engagements")[: 5 if STRESS else 2]
SETTINGS = {
    "history_start": "2025-03-01",
    "engine": {"threads": 1, "memory_limit": "500MB"},
    "risk": {"scoring": {"min_confidence": 0}},
}
BANDS = {f"connections.{n}.when.score": between for n, between in (
    (2, {"below": 1.1}), (3, {"at_least": 1.1, "below": 1.6}), (4, {"at_least": 1.6})
)}  # fmt: skip
"""Bands under which a small company has dozens of customers to act on."""
UNHURRIED = {f"roles.outreach_agent.acts.{limit}": None for limit in ("quiet_hours", "capacity_per_owner")}
VARIANTS = (
    {"outreach_agent": ("approve", "smtp", None), "account_manager_alert": ("auto", "slack", None)},
    {"outreach_agent": ("auto", "smtp", "mcp"), "account_manager_alert": ("approve", "mcp", "slack")},
    {"outreach_agent": ("auto", "mcp", "mcp"), "account_manager_alert": ("approve", "slack", None)},
)
"""How far each role goes by itself, through which channel, and what tells of it."""
SENDING = ("deliver", "delivery_run")
SPANS = {"scan": 3.0, "hand_over": 1.0, "decide": 0.6, "deliver": 0.2, "delivery_run": 0.2}
"""Seconds within which each step is killed: about what it takes, or some messages take."""
CALLED = {"scan": "scan run", "hand_over": "scan's hand-over", "decide": "person", "deliver": "worker",
          "delivery_run": "delivery run"}  # fmt: skip
PEOPLE, WORKERS = ("ann", "bo"), ("one", "two")


@dataclass(frozen=True)
class Left:
    """What a round has still to do."""

    acts: bool
    decisions: bool
    messages: bool

    def __bool__(self) -> bool:
        return self.acts or self.decisions or self.messages


@dataclass
class Pipeline:
    """A home whose steps are started and killed, and the time there."""

    home: Home
    process: Callable[..., BaseProcess]
    chance: random.Random
    disconnect: Callable[[random.Random], int] | None
    """Ends a connection of the database, where it has any, and says how many were."""
    arrived: Callable[[], object]
    """Something that changes when a message arrives anywhere."""
    now: datetime = MORNING
    kills: Counter[str] = field(default_factory=Counter)
    begun: int = 0

    @property
    def planned(self) -> Counter[tuple[str, str]]:
        """Customer and kind of all actions of the plan that nothing stops."""
        plan = pq.read_table(self.home.lake / "action_plan" / f"scan_day={pipeline.DAY}" / "part-0.parquet").to_pylist()
        return Counter((row["customer_id"], row["action"]) for row in plan
                       if row["stopped_at"] is None and row["action"] in ("outreach", "alert"))  # fmt: skip

    def rows(self, *wanted: sa.Select[Any]) -> list[list[Any]]:
        """Rows of the store."""
        store = Store.existing(self.home)
        if store is None:
            return [[] for _ in wanted]
        with store, store.reading() as session:
            return [list(session.scalars(each)) for each in wanted]

    def left(self) -> Left:
        open_messages = sa.select(OutboxMessage).where(OutboxMessage.state.in_(("pending", "claimed")))
        approved = sa.select(ReviewItem).where(
            ReviewItem.state.in_(("approved", "edited")), ReviewItem.carried_on_at.is_(None)
        )
        actions, asked, messages, decided = self.rows(sa.select(Action), pipeline.asked(), open_messages, approved)
        return Left(len(actions) < self.planned.total(), bool(asked), bool(messages or decided))

    @property
    def texts(self) -> bool:
        """Whether there are any to hand over."""
        files = (self.home.lake / name / f"scan_day={pipeline.DAY}" / "part-0.parquet"
                 for name in (DRAFTS, ALERTS))  # fmt: skip
        return all(pq.read_metadata(file).num_rows for file in files)

    def next(self, left: Left) -> list[str]:
        """What is started next: mostly a step that has something to do, sometimes all at once."""
        drawn = self.chance.random()
        if not self.texts:
            return ["scan"]
        if drawn < 0.15:
            return ["hand_over", "decide", "deliver"]
        wanted = {"act": left.acts or drawn < 0.25, "decide": left.decisions, "send": 2 * left.messages}
        step = self.chance.choices(list(wanted), list(wanted.values()))[0]
        share = {"act": ("scan", "hand_over"), "send": ("delivery_run", "deliver")}
        return [self.chance.choices(share[step], (1, 3))[0] if step in share else step]

    def run(self, steps: Sequence[str], kills: int = 0) -> None:
        """Starts each step twice at once, and kills some of them, `kills` at most."""
        running = [
            (step, *self._started(step, who)) for step in steps for who in (PEOPLE if step == "decide" else WORKERS)
        ]
        for _, _, begun in running:
            assert begun.poll(PATIENCE)
        disconnected = self._kill([(step, each) for step, each, _ in running], kills) if kills else False
        fine = {0, -SIGKILL, pipeline.LOST if disconnected else 0}
        for step, each, _ in running:
            each.join(PATIENCE)
            assert each.exitcode in fine, f"{step} ended with {each.exitcode}"
        self.now += LEASE_OVER

    def _started(self, step: str, who: str) -> tuple[BaseProcess, Connection]:
        begun, tells = multiprocessing.Pipe(duplex=False)
        self.begun += 1
        name = who if step == "decide" else f"{who}-{self.begun}"
        each = self.process(target=pipeline.start, args=(tells, step, self.home, self.now, name))
        each.start()
        tells.close()
        return each, begun

    def _kill(self, running: Sequence[tuple[str, BaseProcess]], most: int) -> bool:
        """Kills some of them, each at a moment of its own, or a connection; whether it was a connection."""
        victims = self.chance.sample(running, min(most, self.chance.choice((1, len(running)))))
        if victims[0][0] in SENDING:
            self._until_arrived(self.chance.randrange(8), [each for _, each in running])
        if self.disconnect and self.chance.random() < 0.5:
            time.sleep(self._moment(victims[0][0]))
            while not (ended := self.disconnect(self.chance)) and any(each.is_alive() for _, each in running):
                time.sleep(0.001)
            self.kills["database connection"] += ended
            return True
        began = time.monotonic()
        for moment, step, each in sorted((self._moment(step), step, each) for step, each in victims):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            if each.is_alive():
                each.kill()
            each.join()
            self.kills[CALLED[step]] += each.exitcode == -SIGKILL
        return False

    def _until_arrived(self, times: int, running: Sequence[BaseProcess]) -> None:
        """Waits until messages have arrived somewhere some times, or nobody sends any more."""
        for _ in range(times):
            before = self.arrived()
            while self.arrived() == before and any(each.is_alive() for each in running):
                time.sleep(0.001)

    def _moment(self, step: str) -> float:
        return self.chance.choice((0.1, 1)) * SPANS[step] * self.chance.random()

    def besieged(self, kills: int) -> None:
        """A round from an empty store: steps until so many were killed, then until nothing is left to do."""
        enough = self.kills.total() + kills
        while self.kills.total() < enough and (left := self.left()):
            self.run(self.next(left), enough - self.kills.total())
        self.finished()

    def finished(self) -> None:
        """Runs what is left to do, undisturbed."""
        for _ in range(4):
            left = self.left()
            if left.acts:
                self.run(["hand_over" if self.texts else "scan"])
            if left.acts or left.decisions:
                self.run(["decide"])
            if left:
                self.run(["deliver"])
        assert not self.left()

    def answered(self, took: Mapping[tuple[str, str], int]) -> Counter[str]:
        """People look whether what is uncertain has arrived, and say so, or have it sent again."""
        answers: Counter[str] = Counter()
        with Store.open(self.home) as store:
            for item in uncertain_ones(store):
                with store.reading() as session:
                    message = session.get_one(OutboxMessage, item.context["outbox_id"])
                answer = "sent" if took[arrives_as(message)] else "resend"
                with store.transaction("ann", self.now) as tx:
                    reviews.claim(tx, item.id)
                with store.transaction("ann", self.now) as tx:
                    uncertain.resolve(tx, item.id, answer, "I looked")
                answers[f"uncertain, {answer}"] += 1
        self.finished()
        return answers


def uncertain_ones(store: Store) -> list[ReviewItem]:
    """What the queue shows of messages of which nobody knows whether they were sent."""
    with store.reading() as session:
        shown = reviews.page(session, queue=DESK.queue, limit=1000).items
    return [item for item in shown if item.reason_code == reviews.UNCERTAIN]


def assert_once(line: Pipeline, took: Mapping[tuple[str, str], int]) -> Counter[str]:
    """That nothing is there or has arrived twice, and nothing is lost; figures of the round."""
    actions, messages, items, tasks = line.rows(
        *(sa.select(model) for model in (Action, OutboxMessage, ReviewItem, Task))
    )
    planned = line.planned
    assert set(planned.values()) == {1}
    assert Counter((action.customer_id, action.kind) for action in actions) == planned
    assert sorted(task.customer_id for task in tasks) == sorted(who for who, kind in planned if kind == "alert")

    asked = {item.action_id: item.state for item in items if item.reason_code != reviews.UNCERTAIN}
    approved = {each.id for each in actions if asked.get(each.id, "approved") in ("approved", "edited")}
    records = Counter(message.record_of for message in messages if message.record_of)
    acted = [message for message in messages if message.record_of is None]
    assert sorted(message.action_id for message in acted) == sorted(approved), "an approved message was lost"
    assert records == Counter(each.id for each in acted if each.state == "sent" and each.recorded_by)
    twice = [message.id for message in messages if took[arrives_as(message)] > 1]
    assert twice == []
    sent = {message.id for message in messages if message.state == "sent"}
    unknown = {message.id for message in messages if message.state == "uncertain"}
    assert len(sent) + len(unknown) == len(messages)
    assert [each.id for each in messages if each.id in sent and not took[arrives_as(each)]] == []
    with Store.open(line.home) as store:
        assert {item.context["outbox_id"] for item in uncertain_ones(store)} == unknown
    return Counter(f"by {message.channel}" for message in messages) + Counter(
        actions=len(actions), records=records.total(), rejected=len(actions) - len(approved), uncertain=len(unknown)
    )


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, process: Callable[..., BaseProcess], own_manifest: Any) -> Home:
    """A small company, scanned up to the day on which it is acted."""
    home = Home(tmp_path_factory.mktemp("scanned"))
    own_manifest(home, BANDS | UNHURRIED | {"state.hysteresis": 0.1})
    home.settings_file.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    home.sources_file.write_text(yaml.safe_dump(sources({})), encoding="utf-8")
    day = str(pipeline.DAY)
    scan = process(target=run_backfill, args=(home, day, day, False))
    scan.start()
    scan.join(PATIENCE)
    assert scan.exitcode == 0
    return home


def sources(servers: dict[str, Any]) -> dict[str, Any]:
    tables = {name: {"connector": "simulated"} for name in TABLES}
    return {"simulation": SIMULATED, "tables": tables, "servers": servers}


@pytest.fixture
def peers(tmp_path: Path, tool_servers: Any) -> Iterator[Peers]:
    opened = Peers(tmp_path, tool_servers(latency_ms=1000 * LATENCY))
    yield opened
    opened.close()


@dataclass(frozen=True)
class Database:
    """Where the store is."""

    settings: dict[str, Any]
    emptied: Callable[[Home], None]
    disconnect: Callable[[random.Random], int] | None


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> tuple[str, Database]:
    if request.param == "sqlite":
        return "sqlite", Database({}, _without_file, None)
    server: Postgres = request.getfixturevalue("postgres")
    server.run("CREATE DATABASE kills")
    own = replace(server, url=server.url.removesuffix("postgres") + "kills")

    def disconnect(chance: random.Random) -> int:
        rows = server.run("SELECT pid FROM pg_stat_activity WHERE datname = 'kills' ORDER BY pid")
        if not rows:
            return 0
        return int(server.run(f"SELECT pg_terminate_backend({chance.choice(rows)[0]})")[0][0])

    def emptied(_: Home) -> None:
        own.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

    return "postgresql", Database({"operations": {"url": own.url}}, emptied, disconnect)


def _without_file(home: Home) -> None:
    for file in home.path.glob(f"{home.operations.name}*"):
        file.unlink()


def test_whatever_is_killed_nothing_is_sent_twice_or_lost_and_what_nobody_knows_is_asked(
    scanned: Home, peers: Peers, database: tuple[str, Database], process: Callable[..., BaseProcess],
    own_manifest: Any, tmp_path: Path,
) -> None:  # fmt: skip
    name, where = database
    chance, kills, figures = random.Random(name), Counter[str](), Counter[str]()
    homes: dict[int, Home] = {}
    for number in itertools.count(FIRST_VARIANT[name]):
        wanted = min(KILLS[name] - kills.total(), MOST_PER_ROUND)
        if wanted <= 0:
            break
        variant = number % len(VARIANTS)
        if variant not in homes:
            homes[variant] = prepared(scanned, tmp_path / str(variant), VARIANTS[variant], peers, where, own_manifest)
        where.emptied(homes[variant])
        line = Pipeline(homes[variant], process, chance, where.disconnect, peers.trace)
        line.besieged(wanted)
        kills.update(line.kills)
        unknown = assert_once(line, peers.took())["uncertain"]
        figures += line.answered(peers.took())
        settled = assert_once(line, peers.took())
        assert settled["uncertain"] == 0
        figures += settled + Counter(uncertain=unknown, rounds=1)
        LOG.info("%s: %d kills %s; %s", name, kills.total(), dict(kills), dict(figures))
    if STRESS:
        assert min(figures["uncertain, sent"], figures["uncertain, resend"]) >= 5, "too few died while they sent"
    arrived = Counter(channel for channel, _ in peers.took().elements())
    assert arrived == {channel: figures[f"by {channel}"] for channel in arrived}, "somebody got what nobody sent"


def prepared(
    scanned: Home,
    folder: Path,
    roles: Mapping[str, tuple[str, str, str | None]],
    peers: Peers,
    where: Database,
    own_manifest: Any,
) -> Home:
    """A copy of the company whose roles go as far, and by the channels, as a variant says."""
    shutil.copytree(scanned.path, folder)
    home = Home(folder)
    own_manifest(home, {f"roles.{role}.acts.{key}": value for role, told in roles.items()
                        for key, value in zip(("autonomy", "channel", "recorded_by"), told, strict=True)})  # fmt: skip
    settings = SETTINGS | {"channels": peers.channels} | where.settings
    home.settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    home.sources_file.write_text(yaml.safe_dump(sources(peers.servers)), encoding="utf-8")
    return home
