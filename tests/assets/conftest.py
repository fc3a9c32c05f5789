"""What tests of assets share: a small simulated company, refreshed and scanned through Dagster."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration_project.definitions import build
from orchestration_project.domain.days import DayRange
from orchestration_project.jobs import LEARN, REFRESH, SCAN
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
DAYS = DayRange(date(2026, 6, 27), date(2026, 6, 29))
LEARNED = "2026-06"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SETTINGS = {"history_start": "2026-03-01", "engine": {"memory_limit": "1GB", "threads": 1}}
SIMULATED = {"start": "2026-03-01", "until": "2026-06-30", "customers": 60, "months": 3}
TABLES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")


@dataclass
class Company:
    """A home, and the means to run its jobs in this process."""

    home: Home
    instance: dg.DagsterInstance
    now: datetime = NOW

    days = DAYS
    """The days that are scanned, in one run."""

    @property
    def workspace(self) -> Workspace:
        """The workspace at the company's time."""
        return Workspace(self.home, lambda: self.now)

    def configure(self, **settings: Any) -> None:
        """Writes the settings."""
        self.home.path.mkdir(parents=True, exist_ok=True)
        self.home.settings_file.write_text(yaml.safe_dump(SETTINGS | settings), encoding="utf-8")

    def connect(self, *tables: str, **others: Any) -> None:
        """Connects some tables to the simulated company, and others as told."""
        sources = {name: {"connector": "simulated"} for name in tables} | others
        content = {"simulation": SIMULATED, "tables": sources}
        self.home.sources_file.write_text(yaml.safe_dump(content), encoding="utf-8")

    def run(self, job: str, first: object, last: object, *only: str) -> dg.ExecuteInProcessResult:
        """Runs a job over a range of partitions, or some assets of it; failures are in the result."""
        return build(self.workspace).resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, run_config=QUIET,
            asset_selection=[dg.AssetKey(each) for each in only] or None,
            tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
        )  # fmt: skip

    def refresh(self, first: str = "2026-03", last: str = "2026-06", only: str | None = None) -> Any:
        """Reads the sources anew."""
        return self.run(REFRESH, first, last, *([only] if only else []))

    def scan(self, first: date, last: date | None = None, only: str | None = None) -> Any:
        """Scans days."""
        return self.run(SCAN, first, last or first, *([only] if only else []))

    def file(self, table: str, day: date) -> Path:
        """The file of a scan day."""
        return self.home.lake / table / f"scan_day={day}" / "part-0.parquet"

    def rows(self, table: str, *days: date) -> pd.DataFrame:
        """Rows of scan days, as any tool reads them, in order."""
        read = [pd.read_parquet(self.file(table, day)).assign(scan_day=day) for day in days]
        return pd.concat(read).sort_values(["scan_day", "customer_id"], ignore_index=True)

    @contextmanager
    def tampered(self, table: str, change: Callable[[pa.Table], pa.Table]) -> Iterator[None]:
        """With other rows in the last day of a table; afterwards it is what it was."""
        file = self.file(table, DAYS.last)
        before = file.read_bytes()
        try:
            pq.write_table(change(pq.read_table(file, partitioning=None)), file)
            yield
        finally:
            file.write_bytes(before)

    @staticmethod
    def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
        """The checks of a run, by asset and name."""
        found = result.get_asset_check_evaluations()
        return {f"{each.asset_key.to_user_string()}.{each.check_name}": each for each in found}

    @staticmethod
    def written(result: dg.ExecuteInProcessResult) -> dict[str, dict[str | None, dict[str, Any]]]:
        """The metadata of what a run wrote, by asset and partition."""
        found: dict[str, dict[str | None, dict[str, Any]]] = {}
        for event in result.get_asset_materialization_events():
            of = event.materialization
            values = {name: value.value for name, value in of.metadata.items()}
            found.setdefault(of.asset_key.to_user_string(), {})[of.partition] = values
        return found


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as started:
        yield started


@dataclass(frozen=True)
class Runs:
    """What the first refresh, the first scan and the first refit of the company gave."""

    refresh: dg.ExecuteInProcessResult
    scan: dg.ExecuteInProcessResult
    learning: dg.ExecuteInProcessResult


@pytest.fixture(scope="session")
def scanned(
    tmp_path_factory: pytest.TempPathFactory, instance: dg.DagsterInstance, own_manifest: Any
) -> tuple[Company, Runs]:
    made = Company(Home(tmp_path_factory.mktemp("company")), instance)
    made.configure()
    own_manifest(made.home, {"evaluation.profiles_complete.expression": "share(complete) > 0.5"})
    made.connect(*TABLES)
    runs = Runs(made.refresh(), made.scan(DAYS.first, DAYS.last), made.run(LEARN, LEARNED, LEARNED))
    assert runs.refresh.success
    assert runs.scan.success
    assert runs.learning.success
    return made, runs


@pytest.fixture(scope="session")
def company(scanned: tuple[Company, Runs]) -> Company:
    """All five sources connected, three days scanned in one run. Tests leave it as it is."""
    return scanned[0]


@pytest.fixture(scope="session")
def runs(scanned: tuple[Company, Runs]) -> Runs:
    return scanned[1]


@pytest.fixture
def copy(company: Company, tmp_path: Path) -> Company:
    """A copy of the company's home, to change."""
    shutil.copytree(company.home.path, tmp_path / "copy")
    return Company(Home(tmp_path / "copy"), company.instance)


@pytest.fixture(scope="session")
def new_company(instance: dg.DagsterInstance) -> Callable[..., Company]:
    """Makes a company of a home."""
    return lambda home, **more: Company(home, instance, **more)


@pytest.fixture
def empty(tmp_path: Path, instance: dg.DagsterInstance) -> Company:
    """A home without sources yet."""
    made = Company(Home(tmp_path / "home"), instance)
    made.configure()
    return made
