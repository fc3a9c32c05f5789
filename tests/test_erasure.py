"""Erasure: of a customer nothing is left anywhere in a home, others are as they were, and nothing brings them back."""

import base64
import gzip
import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml

from orchestration_project import locks, masking
from orchestration_project.agents.replies import Replies
from orchestration_project.cli.runs import prepare_instance
from orchestration_project.definitions import build
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.tombstones import pseudonym
from orchestration_project.domain.traces import Traces
from orchestration_project.erasure import ErasureError, erase, search
from orchestration_project.jobs import REFRESH, SCAN
from orchestration_project.operations import ledger, outbox, responses, reviews, suppressions
from orchestration_project.operations.channels.open import channels
from orchestration_project.operations.delivery import deliver
from orchestration_project.operations.models import Base, OutboxMessage, Suppression
from orchestration_project.operations.permit import Permit
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.settings import ChannelSettings, Home

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
DAYS = DayRange(date(2026, 6, 29), date(2026, 6, 30))
PERMIT = Permit.for_run("run-1", {}, DayRange(DAYS.last, DAYS.last), DAYS.last, {"customers": True}, NOW)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SOURCES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")
NAMES = ("name", "contact_name", "contact_email")
SECRET = "a-secret-of-these-tests"
NUMBERS = itertools.count()


@dataclass
class Place:
    """A home, and the means to run its jobs in this process."""

    home: Home

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.home, lambda: NOW)

    def run(self, job: str, first: object, last: object) -> dg.ExecuteInProcessResult:
        tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
        with dg.DagsterInstance.from_config(str(prepare_instance(self.home))) as instance:
            definition = build(self.workspace).resolve_job_def(job)
            return definition.execute_in_process(instance=instance, run_config=QUIET, tags=tags)

    def tables(self) -> dict[str, pd.DataFrame]:
        """All rows of the lake by file, with text in the place of what can't be sorted."""
        found = {}
        for file in sorted(self.home.lake.glob("**/*.parquet")):
            rows = pq.read_table(file, partitioning=None).to_pandas().map(str)
            found[str(file.relative_to(self.home.lake))] = rows.sort_values(list(rows), ignore_index=True)
        return found


@dataclass(frozen=True)
class Person:
    """A customer, and the texts that name them."""

    customer_id: str
    texts: tuple[str, ...]


def person(place: Place, customer_id: str) -> Person:
    rows = pd.read_parquet(place.home.lake / "customers" / "part-0.parquet")
    own = rows[rows.customer_id == customer_id]
    names = {value for name in NAMES for value in own[name] if value}
    return Person(customer_id, (customer_id, *sorted(names)))


@pytest.fixture(scope="session")
def scanned(tmp_path_factory, own_manifest) -> Place:
    """A company that was scanned; some of its customers are written to, and some alerts are given. Left as it is."""
    place = Place(Home(tmp_path_factory.mktemp("erasure") / "home"))
    place.home.path.mkdir()
    settings = {"history_start": "2026-03-01", "engine": {"memory_limit": "1GB", "threads": 1}}
    place.home.settings_file.write_text(yaml.safe_dump(settings))
    simulated = {"start": "2026-03-01", "until": "2026-06-30", "customers": 60, "months": 3}
    tables = {name: {"connector": "simulated"} for name in SOURCES}
    place.home.sources_file.write_text(yaml.safe_dump({"simulation": simulated, "tables": tables}))
    own_manifest(place.home, {"evaluation.profiles_complete.expression": "share(complete) > 0.5"})
    assert place.run(REFRESH, "2026-03", "2026-06").success
    assert place.run(SCAN, DAYS.first, DAYS.last).success
    return place


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, monkeypatch) -> str | None:
    """Where the store is: in the home, or on a server."""
    if request.param == "sqlite":
        return None
    server = request.getfixturevalue("postgres")
    name = f"erasure_{next(NUMBERS)}"
    server.run(f"CREATE DATABASE {name}")
    monkeypatch.setenv("OPERATIONS_URL", server.url.removesuffix("postgres") + name)
    return "${OPERATIONS_URL}"


@pytest.fixture
def full(scanned, tmp_path, where, monkeypatch) -> tuple[Place, Person, Person]:
    """A home with everything in it about two customers."""
    place = Place(Home(tmp_path / "home"))
    shutil.copytree(scanned.home.path, place.home.path)
    if where:
        settings = yaml.safe_load(place.home.settings_file.read_text()) | {"operations": {"url": where}}
        place.home.settings_file.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("UNSUBSCRIBE_SECRET", SECRET)
    gone, other = (person(place, each) for each in _two(place))
    _texts(place, gone, other)
    for each in (gone, other):
        _fill(place, each)
    _about_both(place, gone, other)
    return place, gone, other


def _two(place: Place) -> list[str]:
    """Customers of whom no other has the name; as many as have an alert already come first."""
    rows = pd.read_parquet(place.home.lake / "customers" / "part-0.parquet").drop_duplicates("customer_id")
    unique = rows[~rows.name.duplicated(keep=False) & ~rows.contact_name.duplicated(keep=False)].customer_id
    alerts = pd.read_parquet(place.home.lake / "account_alerts" / f"scan_day={DAYS.last}").customer_id
    return sorted(unique, key=lambda each: (each not in set(alerts), each))[:2]


def _texts(place: Place, *people: Person) -> None:
    """A draft and an alert about each, whoever the scan wrote to."""
    for table, text in (("outreach_drafts", "body"), ("account_alerts", "narrative")):
        file = place.home.lake / table / f"scan_day={DAYS.last}" / "part-0.parquet"
        schema = pq.read_schema(file)
        rows = pq.read_table(file, partitioning=None).to_pylist()
        told = [{"customer_id": each.customer_id, text: f"Dear {each.texts[1]},", "problems": [each.texts[2]],
                 "facts": json.dumps({"to": each.texts[-1]})} for each in people]  # fmt: skip
        known = {row["customer_id"] for row in rows}
        new = [dict.fromkeys(schema.names) | row for row in told if row["customer_id"] not in known]
        pq.write_table(pa.Table.from_pylist(rows + new, schema), file)


def _fill(place: Place, who: Person) -> None:
    """Store, outbox, replies and logs."""
    told = " and ".join(who.texts)
    with Store.open(place.home) as store:
        _fill_store(store, place, who, told)
    with Replies(place.home.replies) as replies:
        replies.keep(f"reply {who.customer_id}", {"output": told}, who.customer_id)
        replies.keep(f"of nobody {who.customer_id}", {"output": "nothing to see"})
    with Replies(place.home.path / "collected" / "invoices.db") as replies:
        replies.keep(f"page with {who.customer_id}", {"rows": [{"customer_id": who.customer_id}]})
    place.home.reports.mkdir(exist_ok=True)
    (place.home.reports / f"weights-{next(NUMBERS)}.html").write_text(f"<p>{told}</p><p>a figure</p>")
    with place.home.acts.open("a") as acts:
        acts.write(json.dumps({"reason": f"because of {told}"}) + "\n")
    logs = place.home.dagster / "storage" / f"run-{next(NUMBERS)}" / "compute_logs"
    logs.mkdir(parents=True)
    (logs / "a.err").write_text(f"SourceError: {told}\nanother line\n")
    with closing(sqlite3.connect(next(place.home.dagster.rglob("runs.db")))) as database, database:
        database.execute("UPDATE runs SET run_body = run_body || ?", (json.dumps({"error": f"failed\n{told}"}),))


def _fill_store(store: Store, place: Place, who: Person, told: str) -> None:
    name, address = who.customer_id, next(text for text in who.texts if "@" in text)
    new = ledger.NewAction(
        "customer_health", name, "outreach", "check_in", "usage_decline", None, "approve", "in_review"
    )
    with store.transaction("scan", NOW) as tx:
        ledger.sync_episodes(tx, PERMIT, [ledger.Standing(name, "medium")])
        (action,) = ledger.record(tx, PERMIT, [new])
        send = outbox.Address("file", "email", address, {"language": "en", "customer_id": name})
        reviews.raise_items(tx, [reviews.NewItem(
            key=f"draft:{name}", reason_code="approval", step="outreach", workflow="customer_health", queue="health",
            owner="team:cs", title=told, deadline=NOW, expires_at=NOW + timedelta(3), action_id=action.id,
            customer_id=name, subject=told, body=told, send=send, context={"why": told},
        )], PERMIT)  # fmt: skip
        outbox.enqueue(tx, PERMIT, [
            outbox.NewMessage(f"{kind} {name}", action.id, channel, kind, address, payload, NOW)
            for kind, channel in (("email", "file"), ("task", "file"), ("chat", "slack"))
            for payload in [{"subject": told, "body": told, "customer_id": name, "title": told}]
        ])  # fmt: skip
        later = NOW + timedelta(days=9)
        outbox.enqueue(tx, PERMIT, [outbox.NewMessage(f"wait {name}", action.id, "file", "email", address, {}, later)])
        ledger.raise_tasks(tx, PERMIT, [ledger.NewTask(name, "risk", told, NOW, details={"why": told})])
        responses.record(tx, [responses.NewResponse(f"<{name}>", name, "reply", NOW, None, excerpt=told)])
    told_by = ChannelSettings(
        dry_run=True, slack={"webhook_variable": "HOOK"}, unsubscribe_url="https://example.org/unsubscribe"
    )
    with channels(told_by, place.home, now=lambda: NOW, sleep=lambda _: None) as opened:
        assert deliver(store, opened, "worker", lambda: NOW, 3, sleep=lambda _: None)["sent"] == 3


def _about_both(place: Place, gone: Person, other: Person) -> None:
    """What names both customers, and must still name the other one."""
    table = pa.table(
        {
            "key": ["1", "2"], "reason": [f"no such customer {gone.customer_id}", "slow"],
            "customers": pa.array(
                [[{"customer_id": each.customer_id, "attempts": each.texts[1]} for each in (gone, other)],
                 [{"customer_id": gone.customer_id, "attempts": None}]],
                pa.list_(pa.struct({"customer_id": pa.string(), "attempts": pa.string()})),
            ),
        }
    )  # fmt: skip
    folder = place.home.lake / "escalations" / "about=invoices"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-0.parquet")
    bad = pa.table({
        "reason": ["x"] * 3, "rows": pa.array([1] * 3, pa.int64()),
        "customer_id": [gone.customer_id, None, other.customer_id],
        "original": [f"customer_id={gone.customer_id}", f"name={gone.texts[1]}; phone=1234", f"name={other.texts[1]}"],
    })  # fmt: skip
    folder = place.home.lake / "quarantine" / "source=invoices"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(bad, folder / "part-0.parquet")
    with Store.open(place.home) as store, store.transaction("scan", NOW) as tx:
        reviews.insert_items(tx, [reviews.NewItem(
            key="grouped", reason_code="tool_failure", step="collector", workflow="customer_health", queue="health",
            owner="team:cs", title="2 customers", deadline=NOW, expires_at=NOW + timedelta(3),
            context={"customers": [{"customer_id": each.customer_id} for each in (gone, other)]},
        )])  # fmt: skip


def everything(place: Place) -> Iterator[tuple[str, str]]:
    """All that is in a home but its sources, as text, read without any help of the product."""
    for file in sorted(place.home.path.rglob("*")):
        if not file.is_file() or "simulation" in file.parts:
            continue
        name = str(file.relative_to(place.home.path))
        yield name, file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".parquet":
            yield name, json.dumps(pq.read_table(file, partitioning=None).to_pylist(), default=str, ensure_ascii=False)
    with Store.existing(place.home) or nullcontext() as store:
        assert store is not None
        with store.engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                for row in connection.execute(sa.select(table)):
                    yield table.name, str(tuple(row))


def places(place: Place, who: Person) -> set[str]:
    return {where for where, text in everything(place) if any(each in text for each in who.texts)}


def test_of_a_customer_nothing_is_left_and_others_are_as_they_were(full):
    place, gone, other = full
    before, tables = places(place, other), place.tables()
    assert len(places(place, gone)) > 20
    done = erase(place.workspace, gone.customer_id, f"{gone.texts[1]} asked for it", "ann")
    assert done.left == ()
    assert places(place, gone) == set()
    assert places(place, other) == before
    after = place.tables()
    assert after.keys() == tables.keys()
    for name, rows in tables.items():
        theirs = rows.map(lambda text: any(each in text for each in gone.texts)).any(axis=1)
        others = rows[~theirs].reset_index(drop=True)
        if theirs.any() and name.split("/")[0] in ("escalations", "quarantine"):
            assert len(after[name]) == len(rows) - 1
            continue
        pd.testing.assert_frame_equal(after[name], others)
    assert done.partitions == sum(
        rows.map(lambda text: any(each in text for each in gone.texts)).any(axis=None) for rows in tables.values()
    )


def test_what_is_about_others_too_is_masked_and_not_removed(full):
    place, gone, other = full
    erase(place.workspace, gone.customer_id, "asked", "ann")
    (item,) = pq.read_table(place.home.lake / "escalations" / "about=invoices" / "part-0.parquet").to_pylist()
    assert item["customers"] == [{"customer_id": other.customer_id, "attempts": other.texts[1]}]
    assert item["reason"] == "no such customer [erased]"
    bad = pq.read_table(place.home.lake / "quarantine" / "source=invoices" / "part-0.parquet").to_pylist()
    assert [row["original"] for row in bad] == ["[erased]", f"name={other.texts[1]}"]
    with Store.open(place.home) as store, store.reading() as session:
        (grouped,) = session.scalars(sa.select(reviews.ReviewItem).where(reviews.ReviewItem.customer_id.is_(None)))
        assert grouped.context == {"customers": [{"customer_id": other.customer_id}]}


def test_the_store_keeps_what_happened_and_never_lets_the_customer_be_written_to(full):
    place, gone, other = full
    address = next(text for text in gone.texts if "@" in text)
    with Store.open(place.home) as store:
        before = _counts(store)
        done = erase(place.workspace, gone.customer_id, f"{gone.texts[1]} asked", "ann")
        after = _counts(store)
        assert {name: number for name, number in after.items() if name not in ("audit", "suppressions")} == {
            name: number for name, number in before.items() if name not in ("audit", "suppressions")
        }
        with store.reading() as session:
            found = suppressions.first(session, gone.customer_id, "new@example.org", NOW, ("erased",))
            assert found is not None
            assert (found.customer_id, found.source) == (done.customer, "erased")
            assert suppressions.first(session, "another", f"Ann <{address.upper()}>", NOW) is not None
            assert suppressions.first(session, other.customer_id, "new@example.org", NOW) is None
            states = session.scalars(sa.select(OutboxMessage.state).where(OutboxMessage.recipient == "[masked]"))
            assert sorted(states) == ["cancelled", "sent", "sent", "sent"]
            entries = session.scalars(sa.select(Base.metadata.tables["audit"].c.why)).all()
            assert "[erased] asked" in entries
        with store.transaction("inbound", NOW) as tx:
            assert responses.record(tx, [responses.NewResponse("<late>", done.customer, "reply", NOW)]) == []


def _counts(store: Store) -> dict[str, int | None]:
    with store.reading() as session:
        found = Base.metadata.tables.items()
        return {name: session.scalar(sa.select(sa.func.count()).select_from(table)) for name, table in found}


def test_later_backfills_do_not_bring_the_customer_back_and_the_counts_add_up(full):
    place, gone, other = full
    erase(place.workspace, gone.customer_id, "asked", "ann")
    result = place.run(REFRESH, "2026-03", "2026-06")
    events = result.get_asset_materialization_events()
    told = {each.asset_key.to_user_string(): each.materialization.metadata for each in events}
    for name in ("customers", "support_tickets", "invoices", "engagements", "usage_daily"):
        figures = {key: told[name][key].value for key in ("read", "kept", "quarantined", "erased")}
        assert figures["read"] == figures["kept"] + figures["quarantined"] + figures["erased"]
    assert told["customers"]["erased"].value >= 1
    assert told["usage_daily"]["erased"].value > 10
    assert place.run(SCAN, DAYS.first, DAYS.last).success
    assert places(place, gone) == set()
    assert "risk_scores" in " ".join(places(place, other))


def test_erasing_again_changes_nothing_and_succeeds(full):
    place, gone, _ = full
    first = erase(place.workspace, gone.customer_id, "asked", "ann")
    before = place.tables()
    again = erase(place.workspace, gone.customer_id, "asked", "ann")
    assert (again.customer, again.left) == (first.customer, ())
    assert (again.partitions, again.replies, again.messages, again.logs) == (0, 0, 0, 0)
    assert all(rows.equals(before[name]) for name, rows in place.tables().items())
    assert len(place.home.erased.read_text().splitlines()) == 1


KILLED = """
import sys
from datetime import UTC, datetime
from orchestration_project import erasure, masking
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
step = sys.argv[3]
owner = erasure if hasattr(erasure, step) else masking
def die(*_, **__):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, step, die)
place = Workspace(Home.find(sys.argv[1]), lambda: datetime(2026, 7, 1, 8, tzinfo=UTC))
erasure.erase(place, sys.argv[2], "asked", "ann")
"""


@pytest.mark.parametrize("step", ["in_lake", "_rewrite", "in_outbox", "in_folder", "_clear_store", "search"])
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_an_erasure_that_was_killed_is_finished_by_the_next_run(full, step):
    place, gone, _ = full
    killed = subprocess.run([sys.executable, "-c", KILLED, place.home.path, gone.customer_id, step], check=False)
    assert killed.returncode == -9
    assert list(place.home.path.glob("erasing-*.json"))
    assert erase(place.workspace, gone.customer_id, "asked", "ann").left == ()
    assert places(place, gone) == set()
    assert not list(place.home.path.glob("erasing-*.json"))


def test_two_customers_can_be_erased_one_after_the_other(full):
    place, gone, other = full
    for each in (gone, other):
        assert erase(place.workspace, each.customer_id, "asked", "ann").left == ()
    assert places(place, gone) | places(place, other) == set()


def test_what_was_deleted_from_a_database_before_is_gone_from_the_disk_too(tmp_path):
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE t (a TEXT)")
        database.execute("INSERT INTO t VALUES (' by C000042 ')")
        database.commit()
        database.execute("DELETE FROM t")
        database.commit()
    assert b"C000042" in file.read_bytes()
    assert search(Home(tmp_path), TRACES, None, [])[1] == ("x.db",)
    masking.in_database(file, TRACES)
    assert b"C000042" not in file.read_bytes()


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_a_customer_nobody_knows_is_one_sentence_and_nothing_is_changed(full):
    place, _, _ = full
    with pytest.raises(
        ErasureError, match=r"Customer 'nobody' is not known in .*check how the identifier is written\.$"
    ):
        erase(place.workspace, "nobody", "asked", "ann")
    assert not place.home.erased.exists()


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_an_erasure_waits_for_a_scan_and_a_scan_for_an_erasure(full):
    place, _, _ = full
    waited: list[float] = []
    with (
        place.workspace.lake(),
        pytest.raises(locks.HomeBusy, match="is in use, by a scan"),
        locks.alone(place.home.path, 1, lambda: float(len(waited)), waited.append),
    ):
        pytest.fail("two were at work")
    assert waited == [locks.LOOK_SECONDS]
    code = """
import sys
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
print("starts", flush=True)
with Workspace(Home.find(sys.argv[1])).lake():
    print("reads", flush=True)
"""
    with place.workspace.alone():
        scan = subprocess.Popen([sys.executable, "-c", code, place.home.path], stdout=subprocess.PIPE, text=True)
        assert scan.stdout is not None
        assert scan.stdout.readline() == "starts\n"
        time.sleep(0.5)
        assert scan.poll() is None
    assert scan.communicate(timeout=60)[0] == "reads\n"


# What is left in each kind of place, found by the search alone.

TRACES = Traces("C000042", frozenset({"Öl & Söhne", "Ann O'Neil", "ann.oneil@example.com"}))
EVERYTHING = "C000042", "Öl & Söhne", "Ann O'Neil", "ann.oneil@example.com"


def _parquet(file: Path, text: str) -> None:
    pq.write_table(pa.table({"other": [["a", text]]}), file)


def _nested(file: Path, text: str) -> None:
    pq.write_table(pa.table({"deep": [[{"inner": {"note": f"about {text}."}}]]}), file)


def _map(file: Path, text: str) -> None:
    pq.write_table(pa.table({"map": pa.array([[(text, 1.0)]], pa.map_(pa.string(), pa.float64()))}), file)


def _sqlite(file: Path, text: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        database.execute("INSERT INTO t VALUES (1, ?)", (json.dumps({"x": f"line\n{text}"}),))


def _mail(file: Path, text: str, coding: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Hello"
    mail.set_content(f"x{'=' * 90} Dear {text}, hello", cte=coding)
    file.write_bytes(mail.as_bytes())


def _link(file: Path, text: str) -> None:
    coded = base64.urlsafe_b64encode(json.dumps([text, "x"], separators=(",", ":")).encode()).rstrip(b"=").decode()
    mail = EmailMessage()
    mail["List-Unsubscribe"] = f"<https://example.org/unsubscribe/{coded}.abcdefghijk>"
    file.write_bytes(mail.as_bytes())


PLANTS: dict[str, tuple[str, Callable[[Path, str], Any]]] = {
    "parquet": ("lake/t/part-0.parquet", _parquet), "nested": ("lake/t/scan_day=2026-01-01/part-0.parquet", _nested),
    "map": ("lake/t/part-0.parquet", _map), "sqlite": ("dagster/history/x.db", _sqlite),
    "text": ("dagster/storage/1/a.err", lambda file, text: file.write_text(f"a\n({text})\n")),
    "json": ("outbox/tasks.jsonl", lambda file, text: file.write_text(json.dumps({"a": f"x\n{text}"}) + "\n")),
    "html": ("reports/a.html", lambda file, text: file.write_text(f"<b>{text.replace('&', '&amp;')}</b>")),
    "quoted mail": ("outbox/a.eml", lambda file, text: _mail(file, text, "quoted-printable")),
    "coded mail": ("outbox/dry-run/smtp/a.eml", lambda file, text: _mail(file, text, "base64")),
    "link": ("outbox/b.eml", _link),
    "packed": ("exports/a.csv.gz", lambda file, text: file.write_bytes(gzip.compress(f"id\n{text}\n".encode()))),
    "far in": ("exports/a.bin", lambda file, text: file.write_bytes(b"\0" * ((1 << 24) - 4) + f" {text} ".encode())),
}  # fmt: skip


@pytest.mark.parametrize("text", EVERYTHING)
@pytest.mark.parametrize("kind", PLANTS)
def test_the_search_finds_what_is_left(tmp_path, kind, text):
    home = Home(tmp_path)
    name, plant = PLANTS[kind]
    (tmp_path / name).parent.mkdir(parents=True)
    plant(tmp_path / name, "nobody at all")
    assert search(home, TRACES, None, []) == (1, ())
    (tmp_path / name).unlink()
    plant(tmp_path / name, text)
    assert search(home, TRACES, None, []) == (1, (name,))


def test_the_search_finds_what_only_the_log_of_a_database_holds(tmp_path):
    database = sqlite3.connect(tmp_path / "x.db")
    database.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT);")
    database.execute("INSERT INTO t VALUES ('by Ann O''Neil')")
    database.commit()
    assert "x.db" in search(Home(tmp_path), TRACES, None, [])[1]
    database.close()


def test_the_search_finds_a_name_of_a_file_and_does_not_repeat_it(tmp_path):
    (tmp_path / "of C000042.txt").write_text("nothing")
    assert search(Home(tmp_path), TRACES, None, [])[1] == ("of [erased].txt (in its name)",)


def test_what_cannot_be_searched_counts_as_left(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more of it than this")
    (found,) = search(Home(tmp_path), TRACES, None, [])[1]
    assert found.startswith("broken.parquet (can't be searched: ")


def test_the_search_finds_what_is_left_in_each_table_of_the_store(full):
    place, gone, _ = full
    with Store.open(place.home) as store:
        found = search(place.home, Traces(gone.customer_id), store, [place.home.path])[1]
    assert {each.split()[2] for each in found} == {
        "actions", "audit", "episodes", "outbox", "responses", "review_items", "tasks",
    }  # fmt: skip


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_what_the_product_does_not_write_is_told_and_not_touched(full):
    place, gone, _ = full
    export = place.home.path / "export.csv"
    export.write_text(f"id,name\n1,{gone.texts[1]}\n")
    done = erase(place.workspace, gone.customer_id, "asked", "ann")
    assert done.left == ("export.csv",)
    assert not any(text in str(done) for text in gone.texts)
    export.unlink()
    assert erase(place.workspace, gone.customer_id, "asked", "ann").left == ()


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_a_name_that_others_have_too_is_masked_nowhere_and_told(full):
    place, gone, other = full
    file = place.home.lake / "customers" / "part-0.parquet"
    rows = pd.read_parquet(file)
    schema = pq.read_schema(file)
    theirs = rows[rows.customer_id == gone.customer_id].contact_name.iloc[0]
    rows.loc[rows.customer_id == other.customer_id, "contact_name"] = theirs
    pq.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), file)
    done = erase(place.workspace, gone.customer_id, "asked", "ann")
    assert (done.left, done.unsought) == ((), 1)
    after = pd.read_parquet(file)
    assert set(after.customer_id) == set(rows.customer_id) - {gone.customer_id}
    assert (after.contact_name == "[erased]").sum() == 0


def test_a_suppression_holds_by_hash_only_for_whom_it_was_made(full):
    place, gone, _ = full
    erase(place.workspace, gone.customer_id, "asked", "ann")
    with Store.open(place.home) as store, store.reading() as session:
        rows = session.scalars(sa.select(Suppression).where(Suppression.source == "erased")).all()
    assert {row.customer_id for row in rows} == {pseudonym(rows[0].salt, gone.customer_id)}


def test_letters_beyond_ascii_are_found_in_the_store_too(full):
    place, _, _ = full
    with Store.open(place.home) as store:
        with store.transaction("scan", NOW) as tx:
            reviews.insert_items(tx, [reviews.NewItem(
                key="x", reason_code="tool_failure", step="collector", workflow="w", queue="q", owner="o",
                title="about Öl & Söhne", deadline=NOW, expires_at=NOW, context={"name": "Öl & Söhne"},
            )])  # fmt: skip
        found = search(place.home, TRACES, store, [place.home.path])[1]
        assert sorted(each.split()[2] for each in found) == ["audit", "review_items"]
