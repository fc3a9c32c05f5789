"""Triggers: when a run is asked for, for what, and what is said when it is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests
from dagster._utils.schedules import schedule_execution_time_iterator

from orchestration_project.definitions import build
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SOURCES = ("customers", "usage_daily", "support_tickets", "invoices", "engagements")
DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores", "action_plan", "outreach_drafts",
         "account_alerts", "business_outcomes")  # fmt: skip


class Place:
    """A home, and its triggers at a chosen time."""

    def __init__(self, path: Path) -> None:
        self.home, self.now = Home(path), NOW

    def configure(self, **settings) -> None:
        self.home.settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def connect(self, **tables) -> None:
        self.home.sources_file.write_text(yaml.safe_dump({"tables": tables}), encoding="utf-8")

    @property
    def definitions(self) -> dg.Definitions:
        return build(Workspace(self.home, lambda: self.now))

    def tick(self, local: datetime, name: str = "daily_scan") -> dg.RunRequest | str:
        """What a schedule asks for at a time, or why it does not."""
        schedule = self.definitions.get_schedule_def(name)
        with dg.build_schedule_context(scheduled_execution_time=local) as context:
            data = schedule.evaluate_tick(context)
        return data.run_requests[0] if data.run_requests else data.skip_message

    def look(self, cursor: str | None) -> tuple[dg.RunRequest | str, str | None]:
        """What the look-out for new data asks for, or why it does not; and the cursor that it leaves."""
        sensor = self.definitions.get_sensor_def("new_data")
        with dg.build_sensor_context(cursor=cursor, sensor_name="new_data") as context:
            data = sensor.evaluate_tick(context)
        return (data.run_requests[0] if data.run_requests else data.skip_message), data.cursor


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def months(request: dg.RunRequest) -> tuple[str, str]:
    return tuple(request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))


def at(zone: str, *moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(zone))


TICKS = {
    "a usual day": (at("UTC", 2026, 11, 23, 7), "scan-2026-11-22", ("2026-11", "2026-11")),
    "the first of a month": (at("UTC", 2026, 12, 1, 7), "scan-2026-11-30", ("2026-11", "2026-12")),
    "the first of a year": (at("UTC", 2027, 1, 1, 7), "scan-2026-12-31", ("2026-12", "2027-01")),
    "the day after a leap day": (at("UTC", 2028, 3, 1, 7), "scan-2028-02-29", ("2028-02", "2028-03")),
    "New York, the day before its clocks go forward": (
        at("America/New_York", 2026, 3, 7, 7), "scan-2026-03-06", ("2026-02", "2026-03"),
    ),
    "New York, the day its clocks go forward": (
        at("America/New_York", 2026, 3, 8, 7), "scan-2026-03-07", ("2026-02", "2026-03"),
    ),
    "New York, the day its clocks go back": (
        at("America/New_York", 2026, 11, 1, 7), "scan-2026-10-31", ("2026-10", "2026-11"),
    ),
    "Kolkata at noon": (at("Asia/Kolkata", 2026, 12, 1, 12), "scan-2026-11-30", ("2026-11", "2026-12")),
    "Auckland, where it is a day later": (
        at("Pacific/Auckland", 2026, 11, 23, 7), "scan-2026-11-21", ("2026-11", "2026-11"),
    ),
    "Auckland, where a month began that has not begun in UTC": (
        at("Pacific/Auckland", 2026, 12, 1, 7), "scan-2026-11-29", ("2026-11", "2026-11"),
    ),
    "Auckland, the day its clocks go forward": (
        at("Pacific/Auckland", 2026, 9, 27, 7), "scan-2026-09-25", ("2026-09", "2026-09"),
    ),
    "Auckland, the day its clocks go back": (
        at("Pacific/Auckland", 2026, 4, 5, 7), "scan-2026-04-03", ("2026-03", "2026-04"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TICKS)
def test_the_schedule_asks_for_the_latest_closed_day_and_its_months(place, case):
    local, run_key, span = TICKS[case]
    place.configure(schedule={"timezone": local.tzinfo.key, "hour": local.hour})
    request = place.tick(local)
    assert isinstance(request, dg.RunRequest)
    assert (request.run_key, months(request)) == (run_key, span)


@pytest.mark.parametrize("case", TICKS)
def test_the_months_of_a_tick_are_partitions_that_exist_by_then(place, case):
    local, _, span = TICKS[case]
    usage = place.definitions.get_repository_def().asset_graph.get(dg.AssetKey("usage_daily"))
    with dg.partition_loading_context(effective_dt=local.astimezone(UTC)):
        assert set(span) <= set(usage.partitions_def.get_partition_keys())


def test_the_schedule_ticks_once_on_each_local_day_through_both_changes_of_the_clock(place):
    place.configure(schedule={"timezone": "America/New_York", "hour": 7})
    schedule = place.definitions.get_schedule_def("daily_scan")
    for first in (datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC)):
        ticks = next_ticks(schedule, first, 5)
        assert [tick.astimezone(ZoneInfo("America/New_York")).hour for tick in ticks] == [7] * 5
        keys = [place.tick(tick).run_key for tick in ticks]
        assert len(set(keys)) == 5


def next_ticks(schedule: dg.ScheduleDefinition, first: datetime, count: int) -> list[datetime]:
    """The next times at which Dagster ticks a schedule."""
    ticks = schedule_execution_time_iterator(first.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    return [next(ticks) for _ in range(count)]


@pytest.mark.parametrize(
    ("local", "grace", "day", "closes"),
    [
        (at("UTC", 2026, 11, 23, 5), 6, "2026-11-22", "2026-11-23 06:00"),
        (at("Asia/Kolkata", 2026, 11, 23, 7), 6, "2026-11-22", "2026-11-23 06:00"),
        (at("Europe/Berlin", 2026, 7, 1, 7), 6, "2026-06-30", "2026-07-01 06:00"),
        (at("UTC", 2026, 11, 23, 7), 30, "2026-11-22", "2026-11-24 06:00"),
    ],
)
def test_the_schedule_waits_for_the_cut_off_and_says_what_to_change(place, local, grace, day, closes):
    place.configure(schedule={"timezone": local.tzinfo.key, "hour": local.hour}, grace_hours=grace)
    assert place.tick(local) == (
        f"Scan day {day} closes at {closes} UTC, after this tick; set `schedule.hour` later or `grace_hours` lower in "
        "settings.yaml."
    )


def test_the_schedule_ticks_at_the_very_cut_off(place):
    place.configure(schedule={"hour": 6})
    assert place.tick(at("UTC", 2026, 11, 23, 6)).run_key == "scan-2026-11-22"


@pytest.mark.parametrize(
    ("moment", "month"), [((2026, 11, 3, 7), "2026-10"), ((2027, 1, 3, 7), "2026-12"), ((2028, 3, 3, 7), "2028-02")]
)
def test_the_month_that_is_over_is_learned_from_on_the_third(place, moment, month):
    place.configure(history_start="2026-01-01")
    request = place.tick(at("UTC", *moment), "monthly_refit")
    assert (request.run_key, months(request)) == (f"refit-{month}", (month, month))


def test_before_any_month_is_over_there_is_nothing_to_learn_from(place):
    place.configure(history_start="2026-11-01")
    told = place.tick(at("UTC", 2026, 11, 3, 7), "monthly_refit")
    assert told == "No month since `history_start` 2026-11-01 is over."


@pytest.fixture
def watched(place):
    """A place with one file to look at."""
    (place.home.path / "customers.csv").write_text("customer_id,signed_up_at\nC1,2025-01-01\n", encoding="utf-8")
    place.connect(customers={"connector": "files", "path": "customers.csv"})
    return place


def test_the_first_look_takes_what_is_there_as_known(watched):
    said, cursor = watched.look(None)
    assert said == "First look: what is there now is taken as known."
    assert cursor is not None


def test_nothing_is_asked_for_while_no_source_has_moved_on(watched):
    _, cursor = watched.look(None)
    watched.now += timedelta(days=1)
    assert watched.look(cursor) == ("No source has moved on since the last look.", cursor)


def test_a_source_that_moved_on_is_asked_for_once(watched):
    _, cursor = watched.look(None)
    with (watched.home.path / "customers.csv").open("a", encoding="utf-8") as file:
        file.write("C2,2026-11-20\n")
    request, moved = watched.look(cursor)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == f"data-{moved}"
    assert months(request) == ("2026-11", "2026-11")
    assert moved != cursor
    assert watched.look(moved) == ("No source has moved on since the last look.", moved)


def test_on_the_first_of_a_month_the_month_before_is_read_too(watched):
    watched.now = datetime(2026, 12, 1, 3, tzinfo=UTC)
    request, _ = watched.look("something else")
    assert months(request) == ("2026-11", "2026-12")


def test_a_source_that_is_connected_later_counts_as_new(watched):
    _, cursor = watched.look(None)
    (watched.home.path / "invoices.csv").write_text("invoice_id,customer_id,due_at\n", encoding="utf-8")
    watched.connect(
        customers={"connector": "files", "path": "customers.csv"},
        invoices={"connector": "files", "path": "invoices.csv"},
    )
    assert isinstance(watched.look(cursor)[0], dg.RunRequest)


def test_a_source_that_is_gone_is_said_and_what_was_known_stays_known(watched):
    _, cursor = watched.look(None)
    (watched.home.path / "customers.csv").rename(watched.home.path / "elsewhere.csv")
    said, after = watched.look(cursor)
    assert said == (
        f"customers: no file matches {watched.home.path}/customers.csv; "
        "correct `tables.customers.path` in sources.yaml."
    )
    assert after in (None, cursor)
    (watched.home.path / "elsewhere.csv").rename(watched.home.path / "customers.csv")
    assert watched.look(cursor)[0] == "No source has moved on since the last look."


def test_a_mistake_in_the_sources_is_said(watched):
    watched.home.sources_file.write_text("tables: {customers: {connector: fax}}", encoding="utf-8")
    said, _ = watched.look("known")
    assert said.startswith(f"{watched.home.sources_file}: `tables.customers` does not fit")


def test_a_place_without_home_is_said(place):
    assert place.look("known")[0].startswith(f"{place.home.path} is no home yet; run `orchestrate init")


def test_the_schedule_and_the_automation_run_by_default_and_the_look_out_does_not(place):
    repository = place.definitions.get_repository_def()
    statuses = {each.name: each.default_status.value for each in (*repository.schedule_defs, *repository.sensor_defs)}
    assert statuses == {
        "daily_scan": "RUNNING",
        "monthly_refit": "RUNNING",
        "retention": "RUNNING",
        "scan_automation": "RUNNING",
        "new_data": "STOPPED",
        "messages_due": "RUNNING",
    }
    assert all(each.description for each in (*repository.schedule_defs, *repository.sensor_defs))


class Automation:
    """What the automation asks for, tick by tick, while assets are reported as materialized."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions, self._instance, self._cursor, self._now = definitions, instance, None, NOW

    def happened(self, assets: tuple[str, ...], partition: str | None = None) -> None:
        for name in assets:
            self._instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=partition))

    def refreshed(self, month: str = "2026-11") -> None:
        self.happened(tuple(name for name in SOURCES if name != "usage_daily"))
        self.happened(("usage_daily",), month)

    def tick(self) -> dict[str, set[str]]:
        """The partitions asked for, by asset."""
        self._now += timedelta(seconds=30)
        result = dg.evaluate_automation_conditions(
            self._definitions, self._instance, cursor=self._cursor, evaluation_time=self._now
        )
        self._cursor = result.cursor
        graph = self._definitions.get_repository_def().asset_graph
        # What Dagster's daemon makes of it; the public result tells partitions only.
        self.runs = list(build_run_requests(result._requested_subsets, graph, {}, emit_backfills=False))
        asked = {name: result.get_requested_partitions(dg.AssetKey(name)) for name in (*SOURCES, *DAILY)}
        return {name: partitions for name, partitions in asked.items() if partitions}

    def day_passes(self) -> None:
        self._now += timedelta(days=1)


@pytest.fixture
def automation(place):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Automation(place.definitions, instance)


ONE_SCAN = {name: {"2026-11-22"} for name in DAILY}


def test_a_refresh_is_followed_by_one_scan_of_the_latest_day_by_all_daily_assets(automation):
    assert automation.tick() == {}
    automation.refreshed()
    assert automation.tick() == ONE_SCAN
    assert [(run.partition_key, {key.to_user_string() for key in run.asset_selection}) for run in automation.runs] == [
        ("2026-11-22", set(DAILY))
    ]
    assert automation.tick() == {}
    automation.happened(DAILY, "2026-11-22")
    assert automation.tick() == {}


def test_the_next_refresh_is_followed_by_the_next_scan(automation):
    automation.tick()
    automation.refreshed()
    automation.tick()
    automation.happened(DAILY, "2026-11-22")
    automation.tick()
    automation.day_passes()
    automation.refreshed()
    assert automation.tick() == {name: {"2026-11-23"} for name in DAILY}


def test_a_backfill_of_old_days_is_followed_by_nothing(automation):
    automation.tick()
    automation.refreshed()
    automation.tick()
    automation.happened(DAILY, "2026-11-22")
    automation.tick()
    for day in ("2026-09-14", "2026-09-15"):
        automation.happened(DAILY, day)
    assert automation.tick() == {}
    assert automation.tick() == {}


def test_nothing_is_scanned_before_every_source_was_read_once(automation):
    automation.tick()
    automation.happened(("customers", "invoices"))
    assert automation.tick() == {}


def test_a_scan_that_was_started_by_hand_is_not_repeated(automation):
    automation.tick()
    automation.refreshed()
    automation.happened(DAILY, "2026-11-22")
    assert automation.tick() == {}
