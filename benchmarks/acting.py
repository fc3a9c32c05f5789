"""Acting: how long a plan, its drafts, their delivery and the pages of the queue take at full size."""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import yaml

from benchmarks.company import LAST, make_home
from benchmarks.measures import CUSTOMERS, Row, row
from orchestration_project.acting import Acting
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.episodes import REACH_DAYS
from orchestration_project.drafting import DRAFTS, Drafting
from orchestration_project.lake import Lake
from orchestration_project.manifests import HEALTH, manifest_files
from orchestration_project.operations import reviews
from orchestration_project.operations.channels.open import channels
from orchestration_project.operations.delivery import Pace, deliver
from orchestration_project.operations.models import ReviewItem
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.partitions import day_keys
from orchestration_project.planning import Planning
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.settings import ChannelSettings, Home, SmtpSettings

NOW = datetime(LAST.year, LAST.month, LAST.day, 9, tzinfo=UTC) + timedelta(days=1)
TODAY = DayRange(LAST, LAST)
DRAFTED, SENT, ITEMS, PAGES = 5000, 1000, 1_000_000, 300
TABLES = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")
MAIL_SERVER = Path(__file__).parent.parent / "tests" / "operations" / "channels" / "mail_server.py"


def acting(folder: Path) -> list[Row]:
    """A plan for 100,000 customers, 5,000 drafts into the queue, 1,000 mails out of it, pages of 1,000,000 items."""
    home = folder / "acting"
    workspace = Workspace(make_home(home, CUSTOMERS, 120).home, lambda: NOW)
    _without_limits(workspace.home)
    with workspace.lake() as lake:
        scan, reach = Scan(lake, workspace), TODAY.reaching_back(REACH_DAYS)
        for table in TABLES:
            scan.write(table, reach)
        with Store.open(workspace.home) as store:
            began = time.perf_counter()
            Planning(lake, workspace, store).write(TODAY)
            planned = time.perf_counter() - began
            drafts = _drafts(lake, workspace)
            began = time.perf_counter()
            permit = Permit.for_run("bench", {}, TODAY, LAST, {"usage_events": True}, NOW)
            done = Acting(store, lake, workspace, permit).queue_drafts()
            queued = time.perf_counter() - began
            sent, seconds = _delivered(store, workspace.home)
    return [
        row(f"plan of {CUSTOMERS:,} customers", f"{planned:.1f} s", "10 s", planned < 10),
        row(
            f"{drafts:,} drafts queued, {done['to be decided']:,} to be decided", f"{queued:.1f} s", "30 s", queued < 30
        ),
        row(
            f"{sent:,} mails approved and delivered over SMTP",
            f"{seconds:.1f} s",
            "60 s",
            seconds < 60 and sent == SENT,
        ),
        *_pages(folder),
    ]


def _without_limits(home: Home) -> None:
    content = yaml.safe_load(manifest_files(home)[HEALTH].read_text(encoding="utf-8"))
    for place, score in zip(
        content["connections"][2:5], ({"below": 2}, {"at_least": 2, "below": 8}, {"at_least": 8}), strict=True
    ):
        place["when"]["score"] = score
    content["roles"]["outreach_agent"]["acts"] = {"autonomy": "approve", "channel": "smtp"}
    home.workflows.mkdir(exist_ok=True)
    (home.workflows / f"{HEALTH}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _drafts(lake: Lake, workspace: Workspace) -> int:
    """Writes drafts for all who are planned, and keeps as many as are to be measured."""
    Drafting(lake, workspace, workspace.workflow, lambda _: None).write(DRAFTS, LAST)
    kept = lake.engine.keep(lake.read(DRAFTS, day_keys(TODAY), "scan_day").order_by("customer_id").limit(DRAFTED))
    lake.replace(DRAFTS, kept, day_keys(TODAY), "scan_day")
    return int(lake.engine.value(kept.count()))


def _delivered(store: Store, home: Home) -> tuple[int, float]:
    """Approves, carries on and delivers; how many arrived, and in how many seconds."""
    log = home.path / "mails.jsonl"
    with _mail_server(log) as port:
        settings = ChannelSettings(
            from_address="cs@example.com", unsubscribe_mailto="stop@example.com",
            smtp=SmtpSettings(host="127.0.0.1", port=port, security="none", per_minute=0),
        )  # fmt: skip
        began = time.perf_counter()
        with store.reading() as session:
            items = reviews.page(session, limit=SENT).items
        for item in items:
            with store.transaction("ann", NOW) as tx:
                reviews.claim(tx, item.id)
                reviews.approve(tx, item.id)
        with store.transaction("worker", NOW) as tx:
            for item in items:
                reviews.carry_on(tx, item.id)
        with channels(settings, home) as opened:
            deliver(store, opened, "worker", lambda: datetime.now(UTC), SENT, pace=Pace(per_minute=1e9))
        seconds = time.perf_counter() - began
    return len(log.read_text().splitlines()), seconds


@contextmanager
def _mail_server(log: Path) -> Iterator[int]:
    command = [sys.executable, str(MAIL_SERVER), json.dumps({}), str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _pages(folder: Path) -> list[Row]:
    """Pages of 50 items, from anywhere in a queue."""
    chance = random.Random(1)
    with Store.open(f"sqlite:///{folder / 'queue.db'}") as store:
        _fill(store, chance)
        seconds = []
        after = None
        for n in range(PAGES):
            with store.reading() as session:
                began = time.perf_counter()
                page = reviews.page(session, "queue-1", after=after)
                seconds.append(time.perf_counter() - began)
            after = page.next
            if n % 10 == 9:
                after = reviews.Cursor(chance.randint(1, 5), NOW + timedelta(seconds=chance.randint(0, 864_000)), "0")
    middle, slow = 1e3 * statistics.median(seconds), 1e3 * sorted(seconds)[int(0.99 * PAGES)]
    what = f"page of 50 of {ITEMS:,} review items, median and 99 %"
    return [row(what, f"{middle:.1f} and {slow:.1f} ms", "50 ms", slow < 50)]


def _fill(store: Store, chance: random.Random) -> None:
    same = {"workflow": HEALTH, "step": "outreach_agent", "reason_code": "approve_outreach", "owner": "Bo",
            "title": "t" * 40, "context": {"facts": "b" * 100}, "body": "x" * 400, "subject": "y" * 30,
            "created_at": NOW, "expires_at": NOW + timedelta(days=30)}  # fmt: skip
    with store.engine.execution_options(immediate=True).begin() as connection:
        for start in range(0, ITEMS, 10_000):
            rows = [
                same | {"id": f"{chance.getrandbits(128):032x}", "key": str(n), "queue": f"queue-{n % 4}",
                        "priority": chance.randint(1, 5), "state": "open" if chance.random() < 0.9 else "approved",
                        "deadline": NOW + timedelta(seconds=chance.randint(0, 864_000))}
                for n in range(start, start + 10_000)
            ]  # fmt: skip
            connection.execute(sa.insert(ReviewItem.__table__), rows)
