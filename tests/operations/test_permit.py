"""A permit: only the scan of the latest day, from fresh sources, outside any backfill, may act."""

import dataclasses
from datetime import date

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.operations.permit import NotLive, Permit

from .conftest import DAY, NOW, PERMIT

LIVE = {
    "run_id": "run-1", "tags": {"dagster/asset_partition_range_start": "2026-11-22"}, "days": DayRange(DAY, DAY),
    "latest": DAY, "fresh": {"customers": True, "usage_events": True}, "now": NOW,
}  # fmt: skip


def test_the_scan_of_the_latest_day_gets_one():
    permit = Permit.for_run(**LIVE)
    assert (permit.scan_day, permit.run_id, permit.now) == (DAY, "run-1", NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tags": {"dagster/backfill": "abc"}}, "part of a backfill"),
        ({"days": DayRange(date(2026, 11, 21), DAY)}, "scans 2 days, 2026-11-21 to 2026-11-22"),
        ({"latest": date(2026, 11, 23)}, "the latest full day is 2026-11-23"),
        ({"latest": date(2026, 11, 21)}, "the latest full day is 2026-11-21"),
        ({"fresh": {"customers": True, "usage_events": False}}, "the newest data of usage_events is old or unknown"),
        ({"fresh": {"customers": None}}, "customers is old or unknown"),
        ({"fresh": {}}, "every source is old or unknown"),
    ],
)
def test_any_other_run_is_refused_with_the_reason(change, reason):
    with pytest.raises(NotLive, match=reason):
        Permit.for_run(**(LIVE | change))


def test_nothing_else_makes_one():
    with pytest.raises(TypeError, match=r"Permit\.for_run"):
        Permit(DAY, "run-1", NOW, None)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(PERMIT, scan_day=date(2020, 1, 1))
