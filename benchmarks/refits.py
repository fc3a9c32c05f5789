"""Refits: a month's refit against one plain logistic regression on the same rows, and how much memory it takes."""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import ibis
import numpy as np
import yaml

from benchmarks.accuracy import FACTORS, QUIET
from benchmarks.measures import Row, row
from orchestration_project.definitions import build
from orchestration_project.domain.days import DayRange
from orchestration_project.jobs import REFRESH
from orchestration_project.partitions import month_key, months_between
from orchestration_project.refits import Learner, month_end
from orchestration_project.resources import Workspace
from orchestration_project.scans import Scan
from orchestration_project.settings import Home

CUSTOMERS, SCAN_DAYS = 100_000, 24
START, LAST_MONTH = date(2024, 1, 1), date(2026, 6, 1)
MONTHS = months_between(START, LAST_MONTH)[-SCAN_DAYS:]
SIMULATED = {"start": START, "until": month_end(LAST_MONTH), "customers": 4000, "months": 24, "monthly_churn": 0.03}
TABLES = ("customers", "usage_events", "support_tickets", "invoices", "engagements")


def refits(folder: Path) -> list[Row]:
    """A refit over 100,000 customers and 24 scan days, in a process of its own."""
    workspace = _simulated(folder / "refits")
    _multiplied(workspace)
    ours, plain = (_child(workspace, name) for name in ("child_refit", "child_regression"))
    ratio, peak = ours["seconds"] / plain["seconds"], ours["peak_gb"]
    return [
        row("scikit-learn: one logistic regression", f"{plain['seconds']:.0f} s, {plain['rows']:,} rows x "
            f"{plain['signals']} signals, {plain['iterations']} iterations"),
        row("refit", f"{ours['seconds']:.0f} s = {ratio:.2f}x, learned from {ours['rows']:,} rows", "3x", ratio <= 3),
        row("peak memory of the refit", f"{peak:.1f} GB", "6 GB", peak < 6),
    ]  # fmt: skip


def child_refit() -> None:
    """In a process of its own: the refit of a month as the asset does it, and the peak memory."""
    from sklearn import ensemble, linear_model  # noqa: F401 - importing is not counted

    workspace = Workspace(Home(Path(os.environ["BENCH_HOME"])))
    began = time.perf_counter()
    with workspace.lake() as lake:
        refit = Learner(lake, workspace).write_refit(LAST_MONTH)
    seconds = time.perf_counter() - began
    assert refit.candidate is not None
    _print(seconds, rows=refit.training_rows + refit.validation_rows)


def child_regression() -> None:
    """In a process of its own: scikit-learn's logistic regression, all defaults, on all rows of the 24 scan days.

    Reading, filling in what is unknown and standardising are not counted.
    """
    from sklearn.linear_model import LogisticRegression

    workspace = Workspace(Home(Path(os.environ["BENCH_HOME"])))
    _set(workspace, rows_at_most=3 * CUSTOMERS * SCAN_DAYS)
    workspace = Workspace(workspace.home)
    with workspace.lake() as lake:
        rows = Learner(lake, workspace).rows(LAST_MONTH)
    assert rows is not None
    matrix = np.where(np.isnan(rows.matrix), np.nanmedian(rows.matrix, axis=0), rows.matrix)
    matrix = matrix[:, ~np.isnan(matrix).any(axis=0)]
    matrix = (matrix - matrix.mean(axis=0)) / np.where(matrix.std(axis=0) > 0, matrix.std(axis=0), 1)
    began = time.perf_counter()
    model = LogisticRegression().fit(matrix, rows.churned)
    seconds = time.perf_counter() - began
    _print(seconds, rows=len(matrix), signals=matrix.shape[1], iterations=int(model.n_iter_[0]))


def _simulated(folder: Path) -> Workspace:
    """A simulated company of which 24 days are scanned and their outcomes told."""
    folder.mkdir()
    workspace = Workspace(Home(folder), lambda: datetime(2026, 7, 1, 8, tzinfo=UTC))
    _set(workspace)
    sources = {"simulation": SIMULATED, "tables": {name: {"connector": "simulated"} for name in TABLES}}
    workspace.home.sources_file.write_text(yaml.safe_dump(sources))
    first, last = month_key(START), month_key(LAST_MONTH)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    workspace = Workspace(workspace.home, workspace.now)
    with dg.DagsterInstance.ephemeral() as instance:
        refresh = build(workspace).resolve_job_def(REFRESH)
        assert refresh.execute_in_process(instance=instance, run_config=QUIET, tags=tags).success
    with workspace.lake() as lake:
        scan, learner = Scan(lake, workspace), Learner(lake, workspace)
        for month in MONTHS:
            day = learner.scan_day(month)
            for table in FACTORS:
                scan.write(table, DayRange(day, day))
            learner.write_outcomes(month)
    return workspace


def _multiplied(workspace: Workspace) -> None:
    """So many copies of every customer that each scan day has 100,000."""
    with workspace.lake() as lake:
        learner = Learner(lake, workspace)
        for month in MONTHS:
            key, day = month_key(month), str(learner.scan_day(month))
            customers = lake.engine.value(lake.read("risk_factors", [day], "scan_day").count())
            copies = ibis.range(-(-CUSTOMERS // customers)).unnest().name("copy").as_table()
            for table, part, column in (("risk_factors", day, "scan_day"), ("churn_outcomes", key, "month")):
                rows = lake.engine.keep(lake.read(table, [part], column)).cross_join(copies)
                named = rows.mutate(customer_id=rows.customer_id + "-" + rows["copy"].cast("string"))
                lake.replace(table, named.drop("copy"), [part], column)


def _set(workspace: Workspace, **learning: int) -> None:
    told = {"history_start": START, "engine": {"threads": 2, "memory_limit": "4GB"}, "learning": learning}
    workspace.home.settings_file.write_text(yaml.safe_dump(told))


def _child(workspace: Workspace, name: str) -> dict[str, float]:
    script = f"from benchmarks.refits import {name}; {name}()"
    environment = os.environ | {"BENCH_HOME": str(workspace.home.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print(seconds: float, **counts: int) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "peak_gb": peak, **counts}))
