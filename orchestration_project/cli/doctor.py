"""Doctor: is this machine, this home and its Dagster fit to scan, and if not, what to do."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Literal

from orchestration_project.cli.console import STATE_STYLES, emit_json, table
from orchestration_project.cli.runs import opened
from orchestration_project.resources import Workspace, utc_now
from orchestration_project.settings import Home, Settings, SettingsError, cutoff, last_full_day
from orchestration_project.sources.config import load_sources

PACKAGE = "customer-health-orchestration"
OLDEST_PYTHON = (3, 11)
LOW_DISK_GIB = 5
DAEMON_FIX = "start the UI and its daemon with `make dev`, or `dg dev` with ORCHESTRATE_HOME and DAGSTER_HOME set"

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    fix: str = ""


def examine(home: Home, as_json: bool) -> int:
    """Prints all findings; returns 1 where any is an error, else 0."""
    findings = list(diagnose(home))
    if as_json:
        emit_json([asdict(each) for each in findings])
    else:
        rows = [(each.what, f"[{STATE_STYLES[each.state]}]{each.state}[/]", each.found, each.fix) for each in findings]
        table("Doctor", ("what", "state", "found", "what to do"), rows)
    return int(any(each.state == "error" for each in findings))


def diagnose(home: Home) -> Iterator[Finding]:
    """Looks at Python, packages, disk, home, sources, scans and Dagster; one finding never stops the next."""
    yield _python()
    yield _packages()
    yield _disk(home)
    for look in (_home, _settings, _schedule, _sources, _scans, _outbox):
        finding = _attempt(look, home)
        yield finding
        if finding.state == "error":
            return
    yield from _dagster(home)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("Python", "ok", found)
    return Finding("Python", "error", found, "install Python 3.11 or newer and run `make install`")


def _packages() -> Finding:
    names = [line.partition(";")[0] for line in requires(PACKAGE) or () if "extra ==" not in line]
    absent = []
    for name in (_distribution(line) for line in names):
        try:
            version(name)
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return Finding("Packages", "error", f"not installed: {', '.join(absent)}", "run `make install`")
    return Finding(
        "Packages", "ok", f"{len(names)} installed, Dagster {version('dagster')}, DuckDB {version('duckdb')}"
    )


def _distribution(requirement: str) -> str:
    for end, char in enumerate(requirement):
        if not (char.isalnum() or char in "-_."):
            return requirement[:end]
    return requirement


def _disk(home: Home) -> Finding:
    folder = next(each for each in (home.path, *home.path.parents) if each.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if free < LOW_DISK_GIB:
        return Finding("Disk", "warning", f"{free:.1f} GiB free at {folder}", "free some space, or move the home")
    return Finding("Disk", "ok", f"{free:.0f} GiB free")


def _home(home: Home) -> Finding:
    if not home.exists:
        return Finding("Home", "error", f"{home.path} is none", f"run `orchestrate init --home {home.path}`")
    return Finding("Home", "ok", str(home.path))


def _settings(home: Home) -> Finding:
    settings = home.settings()
    return Finding("Settings", "ok", f"history from {settings.history_start}, rules {Workspace(home).risk.version}")


def _schedule(home: Home) -> Finding:
    settings = home.settings()
    when = settings.schedule
    found = f"daily at {when.hour}:00 {when.timezone}"
    if _in_time(when.hour, settings):
        return Finding("Schedule", "ok", found)
    hours = (*range(when.hour, 24), *range(when.hour))
    better = next((hour for hour in hours if _in_time(hour, settings)), None)
    fix = "set `grace_hours` lower in settings.yaml" if better is None else f"set `schedule.hour` to {better} or so"
    return Finding(
        "Schedule", "warning", f"{found}, when the day before is not closed all year round: then it skips", fix
    )


def _in_time(hour: int, settings: Settings) -> bool:
    """Whether the scan day before is closed at that hour, in every month: clocks change."""
    ticks = [datetime(utc_now().year, month, 1, hour, tzinfo=settings.schedule.zone) for month in range(1, 13)]
    return all(tick >= cutoff(last_full_day(tick), settings.grace_hours) for tick in ticks)


def _sources(home: Home) -> Finding:
    connected = load_sources(home).connected
    absent = 5 - len(connected)
    if absent:
        return Finding("Sources", "warning", f"connected: {', '.join(connected)}",
                       "families without a source are missing for everyone; `orchestrate sources check` reads them"
                       )  # fmt: skip
    return Finding("Sources", "ok", "all five connected; `orchestrate sources check` reads them")


def _scans(home: Home) -> Finding:
    workspace = Workspace(home)
    with workspace.lake() as lake:
        scanned = lake.partitions("risk_scores")
    if not scanned:
        return Finding("Scans", "warning", "none yet", f"run `orchestrate scan --home {home.path}`")
    if scanned[-1] < workspace.yesterday.isoformat():
        return Finding("Scans", "warning", f"latest is of {scanned[-1]}", "check the daemon and the schedule below, "
                       f"or run `orchestrate scan --home {home.path}`")  # fmt: skip
    return Finding("Scans", "ok", f"{len(scanned)} days, latest {scanned[-1]}")


def _outbox(home: Home) -> Finding:
    """Whether everything that is to be sent has a channel, and what has failed."""
    from orchestration_project.operations import outbox
    from orchestration_project.operations.channels.open import names
    from orchestration_project.operations.store import Store

    store = Store.existing(home)
    if store is None:
        return Finding("Outbox", "ok", "nothing was ever to be sent")
    there = names(home.settings().channels, load_sources(home).servers)
    with store, store.reading() as session:
        counts, stranded = outbox.counts(session), outbox.without_channel(session, there)
    told = ", ".join(f"{number:,} {state}" for state, number in sorted(counts.items())) or "empty"
    if stranded:
        waiting = ", ".join(f"{number:,} for {channel}" for channel, number in sorted(stranded.items()))
        return Finding("Outbox", "warning", f"{told}; no such channel: {waiting}", "configure it under `channels` in "
                       "settings.yaml, or name another in the workflow's manifest")  # fmt: skip
    return Finding("Outbox", "ok", told)


def _dagster(home: Home) -> Iterator[Finding]:
    with opened(home) as runs:
        instance = runs.instance
        failed = [run for run in instance.get_runs(limit=20) if run.status.value == "FAILURE"]
        if failed:
            yield Finding("Dagster runs", "warning", f"{len(failed)} of the last 20 failed, latest {failed[0].run_id}",
                          "open that run in the UI and read its first error")  # fmt: skip
        else:
            yield Finding("Dagster runs", "ok", "none of the last 20 failed")
        yield _daemon(instance)
        yield from _triggers(runs.definitions, instance)


def _daemon(instance: Any) -> Finding:
    statuses = instance.get_daemon_statuses()
    healthy = [name for name, status in statuses.items() if status.healthy]
    if not healthy:
        return Finding("Dagster daemon", "warning", "not running: schedules and sensors do not tick", DAEMON_FIX)
    ill = sorted(set(statuses) - set(healthy))
    if ill:
        return Finding("Dagster daemon", "warning", f"not healthy: {', '.join(ill)}", DAEMON_FIX)
    return Finding("Dagster daemon", "ok", "running")


def _triggers(definitions: Any, instance: Any) -> Iterator[Finding]:
    states = {state.name: state.status.value for state in instance.all_instigator_state()}
    repository = definitions.get_repository_def()
    for trigger in (*repository.schedule_defs, *repository.sensor_defs):
        status = states.get(trigger.name, trigger.default_status.value)
        what = f"Trigger {trigger.name}"
        if status in ("RUNNING", "DECLARED_IN_CODE"):
            yield Finding(what, "ok", "running")
        elif trigger.default_status.value == "RUNNING":
            yield Finding(what, "warning", "stopped", f"switch {trigger.name} on in the UI, under Automation")
        else:
            yield Finding(what, "ok", "stopped, as by default; switch it on in the UI where it is wanted")


def _attempt(look: Callable[[Home], Finding], home: Home) -> Finding:
    try:
        return look(home)
    except SettingsError as error:
        return Finding(look.__name__.strip("_").capitalize(), "error", str(error), "correct that file")
