"""Triggers: the daily schedule, the automation that scans refreshed sources, the look-outs for data and messages."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.delivery import DELIVER
from orchestration_project.jobs import DAILY_GROUPS, LEARN, REFRESH, RETAIN
from orchestration_project.partitions import month_key, months_to_refresh
from orchestration_project.resources import Workspace
from orchestration_project.settings import SettingsError, cutoff, last_full_day
from orchestration_project.sources.errors import SourceError

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
LOOK_SECONDS = 300
DUE_SECONDS = 30
RETRY_SECONDS = 900
"""After a run that failed, the same work is asked for again no sooner."""
BUSY = timedelta(hours=1)
"""How long a run of deliveries may take; one that began before is taken for dead."""
UNFINISHED = [dg.DagsterRunStatus[name] for name in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")]
REFIT_DAY = 3
"""Day of the month on which the month before is learned from: late facts of its last day are there by then."""
RETENTION_DAY = 5


def schedules(workspace: Workspace) -> list[dg.ScheduleDefinition]:
    """The daily scan, the monthly refit, and the monthly end of what was kept for long enough."""
    when = workspace.settings.schedule

    @dg.schedule(
        name="daily_scan",
        cron_schedule=f"0 {when.hour} * * *",
        execution_timezone=when.timezone,
        job_name=REFRESH,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every day: reads the sources anew; the scan of yesterday follows by itself.",
    )
    def daily_scan(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now, end = context.scheduled_execution_time, workspace.settings.history_end
        if end is not None and last_full_day(now) > end:
            return dg.SkipReason(f"This history ended on {end} (`history_end` in settings.yaml).")
        day = last_full_day(now)
        closes = cutoff(day, workspace.settings.grace_hours)
        if now < closes:
            return dg.SkipReason(
                f"Scan day {day} closes at {closes:%Y-%m-%d %H:%M} UTC, after this tick; set `schedule.hour` later or "
                "`grace_hours` lower in settings.yaml."
            )
        # The months are those of UTC, where a new one may begin before or after it does in the schedule's zone.
        return dg.RunRequest(run_key=f"scan-{day}", tags=_range(workspace, day, now.astimezone(UTC).date()))

    @dg.schedule(
        name="monthly_refit",
        cron_schedule=f"0 {when.hour} {REFIT_DAY} * *",
        execution_timezone=when.timezone,
        job_name=LEARN,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every month: tells who left, and refits the weights by the month that is over.",
    )
    def monthly_refit(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        settings, now = workspace.settings, context.scheduled_execution_time
        over = last_full_day(now).replace(day=1) - timedelta(days=1)
        if over < settings.history_start:
            return dg.SkipReason(f"No month since `history_start` {settings.history_start} is over.")
        if settings.history_end is not None and over.replace(day=1) > settings.history_end:
            return dg.SkipReason(f"This history ended on {settings.history_end} (`history_end` in settings.yaml).")
        key = month_key(over)
        return dg.RunRequest(run_key=f"refit-{key}", tags={RANGE_START: key, RANGE_END: key})

    @dg.schedule(
        name="retention",
        cron_schedule=f"0 {when.hour} {RETENTION_DAY} * *",
        execution_timezone=when.timezone,
        job_name=RETAIN,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every month: removes or masks what was kept for as long as the settings say.",
    )
    def retention(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"retention-{context.scheduled_execution_time:%Y-%m}")

    return [daily_scan, monthly_refit, retention]


def sensors(workspace: Workspace) -> list[dg.SensorDefinition]:
    """The look-outs for new data and for messages that are due, and the automation."""

    @dg.sensor(
        name="new_data",
        job_name=REFRESH,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Asks for a refresh, and so for a scan, when a source's newest data moved on.",
    )
    def new_data(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        try:
            found = _fingerprint(workspace)
        except (SettingsError, SourceError) as error:
            yield dg.SkipReason(str(error))
            return
        if context.cursor is None:
            context.update_cursor(found)
            yield dg.SkipReason("First look: what is there now is taken as known.")
        elif found == context.cursor:
            yield dg.SkipReason("No source has moved on since the last look.")
        else:
            context.update_cursor(found)
            tags = _range(workspace, workspace.yesterday, workspace.now().date())
            yield dg.RunRequest(run_key=f"data-{found}", tags=tags)

    @dg.sensor(
        name="messages_due",
        job_name=DELIVER,
        minimum_interval_seconds=DUE_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a delivery when a decision waits to be carried out, a message is due, a review is to "
        "expire, or a worker has not come back.",
    )
    def messages_due(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from orchestration_project.operations.store import StoreError
        from orchestration_project.outgoing import waiting

        try:
            found = waiting(workspace)
        except (SettingsError, StoreError) as error:
            return dg.SkipReason(str(error))
        if not found:
            return dg.SkipReason("Nothing waits to be carried out, sent, or to expire.")
        now = workspace.now()
        if _under_way(context.instance, now):
            return dg.SkipReason("A delivery is under way; what waits is looked at when it is done.")
        return dg.RunRequest(run_key=f"messages-{found.key}-{int(now.timestamp()) // RETRY_SECONDS}")

    automation = dg.AutomationConditionSensorDefinition(
        name="scan_automation",
        target=dg.AssetSelection.groups(*DAILY_GROUPS),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Scans the latest day when what it depends on was refreshed.",
    )
    return [new_data, messages_due, automation]


def _under_way(instance: dg.DagsterInstance, now: datetime) -> bool:
    running = dg.RunsFilter(job_name=DELIVER, statuses=UNFINISHED, updated_after=now - BUSY)
    return bool(instance.get_runs(running, limit=1))


def _range(workspace: Workspace, day: date, today: date) -> dict[str, str]:
    """Tags of a refresh for a scan day: the months of usage to read."""
    settings = workspace.settings
    months = months_to_refresh(day, min(today, settings.history_end or today))
    keys = [month_key(month) for month in months if month >= settings.history_start.replace(day=1)]
    return {RANGE_START: keys[0], RANGE_END: keys[-1]}


def _fingerprint(workspace: Workspace) -> str:
    from orchestration_project.sources.config import load_sources
    from orchestration_project.sources.open import open_table

    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        parts = [
            f"{name}={open_table(name, sources, workspace, lake.engine).fingerprint()}" for name in sources.connected
        ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
