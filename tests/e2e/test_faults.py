"""Faults: killed and concurrent backfills of a small company. Few by default, the full count with STRESS=1."""

import hashlib
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration_project.cli.scanning import run_backfill
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

pytestmark = pytest.mark.slow

STRESS = os.environ.get("STRESS") == "1"
KILLS, PAIRS, NUMBER_OF_DAYS = (50, 20, 10) if STRESS else (4, 2, 5)
KILLS_BEFORE_HEALING = 5
SOURCES = ("customers", "usage_events", "invoices", "support_tickets", "engagements")[: 5 if STRESS else 2]
DAYS = [date(2025, 6, 1) + timedelta(n) for n in range(NUMBER_OF_DAYS)]
DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")
KILLED_AT = ("risk_scores", "usage_daily", "customer_profiles", "usage_trends", "risk_factors", "customers")
"""Tables during whose writing runs are killed, in turn."""
COMPANY = {"start": "2025-03-01", "until": "2025-06-30", "customers": 40, "months": 3, "missing_rate": 0.1}
SETTINGS = {"history_start": "2025-03-01", "engine": {"threads": 1, "memory_limit": "500MB"}}
VERSIONS: tuple[dict[str, Any], ...] = (
    {"completeness": {"required": ["plan"]}},
    {
        "completeness": {"required": ["mrr", "contact_email"]},
        "risk": {"kinds_tracked": 2, "severities": {"decline_threshold_pct": 0, "overdue_days_full": 20}},
    },
)
"""Two configurations under which no daily table is the same, and a later table depends on one of them only."""
PATIENCE = 300
"""Seconds after which a run that neither ends nor writes is a failure."""

Contents = dict[str, str]
"""What each file of the lake holds, as a digest."""


@dataclass(frozen=True)
class Company:
    """A small company, backfilled by processes that a fork server starts with everything imported."""

    home: Home
    process: Callable[..., BaseProcess]

    def configure(self, version: int) -> None:
        """Changes to one of the two configurations; runs that have begun keep theirs."""
        self.home.path.mkdir(parents=True, exist_ok=True)
        tables = {name: {"connector": "simulated"} for name in SOURCES}
        self.home.sources_file.write_text(yaml.safe_dump({"simulation": COMPANY, "tables": tables}), encoding="utf-8")
        self.home.settings_file.write_text(yaml.safe_dump(SETTINGS | VERSIONS[version]), encoding="utf-8")

    def begin(self, first: date, last: date) -> BaseProcess:
        """Begins what `orchestrate backfill` does, in a process of its own."""
        process = self.process(target=run_backfill, args=(self.home, str(first), str(last), False))
        process.start()
        return process

    def backfill(self) -> Contents:
        """Backfills all days undisturbed; what the lake holds then."""
        ended(self.begin(DAYS[0], DAYS[-1]))
        return self.contents()

    def file(self, table: str, day: date) -> Path:
        return self.home.lake / table / f"scan_day={day}" / "part-0.parquet"

    def contents(self) -> Contents:
        files = (file for file in self.home.lake.glob("[!.]*/**/*") if file.is_file())
        return {str(file.relative_to(self.home.lake)): content(file) for file in files}

    def trace(self, table: str) -> object:
        """Something that changes when a table is written, or staged."""
        files = [*(self.home.lake / ".staging").glob(f"*/{table}"), *(self.home.lake / table).rglob("*.parquet")]
        return [(str(file), changed_at(file)) for file in files]

    def until_written(self, process: BaseProcess, trace: object, table: str, meanwhile: Callable[[], None]) -> None:
        """Waits until a process writes a table for the first time, or has ended."""
        patience = time.monotonic() + PATIENCE
        while process.is_alive() and self.trace(table) == trace:
            assert time.monotonic() < patience
            time.sleep(0.001)
            meanwhile()


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory, process: Callable[..., BaseProcess], own_manifest: Any
) -> Company:
    made = Company(Home(tmp_path_factory.mktemp("company")), process)
    own_manifest(made.home, {"evaluation.profiles_complete.severity": "warn"})
    return made


@pytest.fixture(scope="module")
def versions(company: Company) -> tuple[Contents, Contents]:
    """What undisturbed backfills under the two configurations write; the second is what is there."""
    company.configure(0)
    first = company.backfill()
    company.configure(1)
    return first, company.backfill()


def test_killed_backfills_leave_every_partition_old_or_new_and_a_rerun_heals_it(
    company: Company, versions: tuple[Contents, Contents]
) -> None:
    assert_comparable(versions)
    chance = random.Random(KILLS)
    before, mixed = company.contents(), 0
    for attempt in range(KILLS):
        version = attempt % 2
        company.configure(version)
        kill_while_writing(company, KILLED_AT[attempt % len(KILLED_AT)], chance)
        after = company.contents()
        assert after.keys() == versions[version].keys()
        assert {name for name, held in after.items() if held not in (before[name], versions[version][name])} == set()
        mixed += after not in versions
        if attempt % KILLS_BEFORE_HEALING == KILLS_BEFORE_HEALING - 1 or attempt == KILLS - 1:
            after = company.backfill()
            assert after == versions[version]
        before = after
    assert mixed >= KILLS / 4, "too few kills came in the middle of a backfill"


@pytest.mark.parametrize("pair", range(PAIRS))
def test_two_backfills_at_once_and_a_reader_see_whole_partitions_only(
    company: Company, versions: tuple[Contents, Contents], pair: int
) -> None:
    chance = random.Random(pair)
    rows = {day: pq.read_metadata(company.file("risk_scores", day)).num_rows for day in DAYS}
    ranges = ((DAYS[0], chance.choice(DAYS[-2:])), (chance.choice(DAYS[:2]), DAYS[-1]))

    running, rounds = [], 0
    for version, (first, last) in enumerate(ranges):
        company.configure(version)
        trace = company.trace("customers")
        running.append(company.begin(first, last))
        company.until_written(running[-1], trace, "customers", lambda: read_all(company, rows))
    while any(process.is_alive() for process in running):
        read_all(company, rows)
        rounds += 1
    for process in running:
        ended(process)

    assert rounds >= 2
    after = company.contents()
    assert after.keys() == versions[0].keys()
    assert {name for name, held in after.items() if held not in (versions[0][name], versions[1][name])} == set()


def assert_comparable(versions: tuple[Contents, Contents]) -> None:
    """That the two versions differ in all daily tables, which is what tells old from new."""
    first, second = versions
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {f"{table}/scan_day={day}/part-0.parquet" for table in (*DAILY, "action_plan") for day in DAYS}


def kill_while_writing(company: Company, table: str, chance: random.Random) -> None:
    """Ends a backfill by `kill -9`, a random moment after it began to write a table."""
    trace = company.trace(table)
    process = company.begin(DAYS[0], DAYS[-1])
    company.until_written(process, trace, table, lambda: None)
    time.sleep(chance.choice((0.004, 0.04, 0.4)) * chance.random())
    process.kill()
    process.join()


def read_all(company: Company, rows: Mapping[date, int]) -> None:
    """Reads all daily partitions as other tools do, and one table as the product does: none torn, empty or missing."""
    for table in DAILY:
        for day, expected in rows.items():
            assert opened_once(company.file(table, day)).num_rows == expected, (table, day)
    for day in DAYS:
        assert len(opened_once(company.file("risk_factors", day))["rules_version"].unique()) == 1
    with Workspace(company.home).lake() as lake:
        scores = lake.read("risk_scores", [str(day) for day in DAYS], "scan_day")
        assert lake.engine.value(scores.count()) == sum(rows.values())


def opened_once(file: Path) -> pa.Table:
    """A file as a tool reads it that opens it once: by its path, pyarrow opens it twice and may meet two versions."""
    with file.open("rb") as opened:
        return pq.read_table(opened)


def ended(process: BaseProcess) -> None:
    process.join(PATIENCE)
    assert process.exitcode == 0


def content(file: Path) -> str:
    """A digest of a Parquet file's columns and rows, whatever their order and the time of the computation."""
    table = pq.read_table(file, partitioning=None)
    kept = table.drop_columns(["scored_at"]) if "scored_at" in table.column_names else table
    rows = sorted(map(repr, kept.to_pylist()))
    return hashlib.sha256("\n".join([str(kept.schema), *rows]).encode()).hexdigest()


def changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
