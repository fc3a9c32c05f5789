"""Scanning: the commands that compute."""

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING

from orchestration_project.cli.console import emit_json, say, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import Runs, opened, told, wanted_day
from orchestration_project.domain.rules import RHYTHM_DAYS
from orchestration_project.partitions import month_key, months_between, months_to_refresh
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources

if TYPE_CHECKING:
    import dagster as dg


USAGE_TABLES = ("usage_daily", "usage_customers", "usage_coverage")


def run_scan(home: Home, day: str | None, as_json: bool) -> None:
    """Refreshes the sources and scans one day."""
    workspace = Workspace(home)
    load_sources(home)
    wanted = wanted_day(day, workspace, "--date")
    _scanned(home, wanted, wanted, as_json)


def run_backfill(home: Home, first: str, last: str | None, as_json: bool) -> None:
    """Refreshes the sources and scans a range of days."""
    workspace = Workspace(home)
    load_sources(home)
    start, stop = wanted_day(first, workspace, "--from"), wanted_day(last, workspace, "--to")
    if start > stop:
        raise CommandError(f"--from {start} is after --to {stop}; swap them.")
    _scanned(home, start, stop, as_json)


def compute(runs: Runs, first: date, last: date) -> dict[str, object]:
    """Runs the refresh and the scan of a range; returns what was done, with seconds."""
    began = time.monotonic()
    runs.refresh(months_to_read(runs.workspace, first, last))
    refreshed = time.monotonic()
    result = runs.scan(first, last)
    return {
        "from": first,
        "to": last,
        "days": (last - first).days + 1,
        "refresh_seconds": round(refreshed - began, 2),
        "scan_seconds": round(time.monotonic() - refreshed, 2),
        "run_id": result.run_id,
        "warnings": _warnings(result),
    }


def months_to_read(workspace: Workspace, first: date, last: date) -> list[date]:
    """Months of usage to read for a range of scan days: its own, and those of the year before that were never read."""
    start = max(workspace.settings.history_start, first - timedelta(days=RHYTHM_DAYS))
    needed = months_between(start, last)
    with workspace.lake() as lake:
        loaded = set.intersection(*(set(lake.partitions(name)) for name in USAGE_TABLES))
    own = max(months_to_refresh(first, last)[0], start.replace(day=1))
    unread = next((month for month in needed if month_key(month) not in loaded), own)
    return months_between(min(unread, own), last)


def _scanned(home: Home, first: date, last: date, as_json: bool) -> None:
    span = str(first) if first == last else f"{first} to {last}"
    with working(f"Scanning {span}", quiet=as_json) as status:
        report = (lambda text: status.update(f"Scanning {span}: {text}")) if status else (lambda _: None)
        with opened(home, report) as runs:
            done = compute(runs, first, last)
    if as_json:
        emit_json(done)
        return
    say(f"Scanned {span}: sources read in {done['refresh_seconds']} s, scan in {done['scan_seconds']} s.")
    for warning in done["warnings"]:  # type: ignore[attr-defined]
        say(f"[yellow]warning[/]: {warning}")
    say(f"See who is at risk: orchestrate top --home {home.path} --date {last}")


def _warnings(result: "dg.ExecuteInProcessResult") -> list[str]:
    return [told(each) for each in result.get_asset_check_evaluations() if not each.passed]
