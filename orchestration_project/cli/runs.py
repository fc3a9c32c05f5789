"""Runs: how commands start Dagster jobs, so that whatever they do is visible in its UI."""

import gc
import logging
import os
import sys
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from orchestration_project.cli.errors import CommandError
from orchestration_project.lake import Lake
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

if TYPE_CHECKING:
    import dagster as dg

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
OURS = {".dagster/repository": "__repository__@customer_health"}
"""By this tag the UI shows a run among those of its job; `customer_health` is the code location in pyproject.toml."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

INSTANCE = """\
# The Dagster instance of this home. Runs from the UI wait in line: one scan at a time is the safe choice.
nux:
  enabled: false
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
"""


class Runs:
    """The Dagster side of a home: its instance and its jobs."""

    def __init__(self, workspace: Workspace, instance: "dg.DagsterInstance", report: Callable[[str], None]) -> None:
        from orchestration_project.definitions import build

        self.workspace, self.instance, self._report = workspace, instance, report
        self._failed: list[str] = []
        self.definitions = build(workspace)

    def refresh(self, months: list[date]) -> "dg.ExecuteInProcessResult":
        """Reads all sources anew, and usage of the months."""
        from orchestration_project.jobs import REFRESH
        from orchestration_project.partitions import month_key

        return self._run(REFRESH, month_key(months[0]), month_key(months[-1]))

    def scan(self, first: date, last: date) -> "dg.ExecuteInProcessResult":
        """Scans all days from `first` to `last` in one run."""
        from orchestration_project.jobs import SCAN

        return self._run(SCAN, first.isoformat(), last.isoformat())

    def learn(self, first: date, last: date) -> "dg.ExecuteInProcessResult":
        """Outcomes and refits of all months from `first` to `last`, in order, in one run."""
        from orchestration_project.jobs import LEARN
        from orchestration_project.partitions import month_key

        return self._run(LEARN, month_key(first), month_key(last))

    def deliver(self, limit: int) -> "dg.ExecuteInProcessResult":
        """Carries out decisions and sends up to `limit` messages that are due."""
        from assets.delivery import DELIVER, SEND

        config = QUIET | {"ops": {SEND: {"config": {"limit": limit}}}}
        return self._executed(DELIVER, str(uuid.uuid4()), {}, config)

    def retain(self) -> dict[str, int]:
        """Ends what was kept for long enough, and returns how much of each."""
        from orchestration_project.jobs import APPLY, RETAIN

        result = self._executed(RETAIN, str(uuid.uuid4()), {}, QUIET)
        return dict(result.output_for_node(APPLY))

    def _run(self, job: str, first: str, last: str) -> "dg.ExecuteInProcessResult":
        run_id, self._failed = str(uuid.uuid4()), []
        self.instance.add_event_listener(run_id, self._heard)
        from dagster._core.errors import DagsterAssetCheckFailedError

        try:
            return self._executed(job, run_id, {RANGE_START: first, RANGE_END: last}, QUIET)
        except DagsterAssetCheckFailedError as error:
            raise CommandError(
                f"The scan stopped: {'; '.join(self._failed)}. Nothing that depends on it was computed. "
                "Mend what it is about, or change the criterion in the workflow's manifest."
            ) from error

    def _executed(
        self, job: str, run_id: str, tags: dict[str, str], config: dict[str, Any]
    ) -> "dg.ExecuteInProcessResult":
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_id=run_id, run_config=config, tags=OURS | tags
        )

    def _heard(self, event: Any) -> None:
        if event.level == logging.INFO and " written" in event.user_message:
            self._report(event.user_message)
        elif event.is_dagster_event and event.dagster_event.event_type_value == "STEP_START":
            self._report(f"{event.step_key} ...")
        elif event.is_dagster_event and event.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation = event.dagster_event.asset_check_evaluation_data
            if not evaluation.passed:
                self._failed.append(told(evaluation))


def told(evaluation: "dg.AssetCheckEvaluation") -> str:
    """A check that did not pass, with its figures."""
    figures = ", ".join(f"{name} {value.value}" for name, value in evaluation.metadata.items())
    return f"check {evaluation.check_name} of {evaluation.asset_key.to_user_string()} did not pass ({figures})"


@contextmanager
def opened(home: Home, report: Callable[[str], None] = lambda _: None) -> Iterator[Runs]:
    """The runs of a home, on its own Dagster instance."""
    workspace = Workspace(home)
    workspace.settings  # noqa: B018 - mistakes in settings are told before anything is loaded
    os.environ["DAGSTER_HOME"] = str(prepare_instance(home))
    os.environ["ORCHESTRATE_HOME"] = str(home.path)
    warnings.filterwarnings("ignore", module="dagster")
    warnings.filterwarnings("ignore", message=".*currently in beta")
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        runs = Runs(workspace, instance, report)
        # What is loaded by now stays until the end; to look for garbage in it until then takes a tenth of a scan. What
        # belongs to DuckDB is left out: it complains at the end of what can't be freed.
        if "duckdb" not in sys.modules:
            gc.freeze()
        yield runs


def run_ids(home: Home, lake: Lake, tables: Iterable[str], day: date) -> dict[str, str]:
    """The run that wrote the day of each table, as far as the home's Dagster instance knows.

    A run that died after it wrote told nothing of it, and another instance may have written: no run is told then.
    """
    if not (home.dagster / "dagster.yaml").exists():
        return {}
    import dagster as dg

    found: dict[str, str] = {}
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        for table in tables:
            wanted = dg.AssetRecordsFilter(dg.AssetKey(table), asset_partitions=[day.isoformat()])
            records = instance.fetch_materializations(wanted, limit=1).records
            written = lake.written_at(table, day.isoformat(), "scan_day").timestamp()
            if records and records[0].timestamp >= written:
                found[table] = records[0].run_id
    return found


def prepare_instance(home: Home) -> Any:
    """The folder of the home's Dagster instance, configured."""
    home.dagster.mkdir(parents=True, exist_ok=True)
    file = home.dagster / "dagster.yaml"
    if not file.exists():
        file.write_text(INSTANCE, encoding="utf-8")
    return home.dagster


def wanted_day(text: str | None, workspace: Workspace, option: str) -> date:
    """A scan day from the command line; yesterday where none is named."""
    day = workspace.yesterday if text is None else _parsed(text, option)
    start = workspace.settings.history_start
    if day > workspace.yesterday:
        why = "is after `history_end`" if workspace.settings.history_end else "is not over yet (UTC)"
        raise CommandError(f"{option} {day} {why}; the latest day that can be scanned is {workspace.yesterday}.")
    if day < start:
        raise CommandError(f"{option} {day} is before `history_start` {start} in settings.yaml; set that earlier.")
    return day


def _parsed(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option} {text!r} is no date; write it as 2026-11-22.") from error
