"""Quiet hours: the first time that is not quiet, where the customer is, over nights, weekends and changed clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.domain.quiet_hours import Quiet, allowed_from

NIGHT = Quiet(18, 8, weekends=True)
BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("moment", "zone", "allowed"),
    [
        (at("2026-11-24T10:00", BERLIN), BERLIN, at("2026-11-24T10:00", BERLIN)),
        (at("2026-11-24T17:59", BERLIN), BERLIN, at("2026-11-24T17:59", BERLIN)),
        (at("2026-11-24T18:00", BERLIN), BERLIN, at("2026-11-25T08:00", BERLIN)),
        (at("2026-11-24T07:59", BERLIN), BERLIN, at("2026-11-24T08:00", BERLIN)),
        (at("2026-11-24T08:00", BERLIN), BERLIN, at("2026-11-24T08:00", BERLIN)),
        (at("2026-11-27T18:00", BERLIN), BERLIN, at("2026-11-30T08:00", BERLIN)),
        (at("2026-11-28T12:00", BERLIN), BERLIN, at("2026-11-30T08:00", BERLIN)),
        (at("2026-11-24T10:00"), TOKYO, at("2026-11-25T08:00", TOKYO)),
        (at("2026-11-29T23:30"), TOKYO, at("2026-11-30T08:30", TOKYO)),
        (at("2026-11-24T20:00"), "no zone", at("2026-11-25T08:00")),
        (at("2026-11-24T20:00"), None, at("2026-11-25T08:00")),
        (at("2026-11-24T20:00"), "../etc/passwd", at("2026-11-25T08:00")),
    ],
)
def test_it_is_sent_at_the_first_hour_that_is_not_quiet_where_the_customer_is(moment, zone, allowed) -> None:
    assert allowed_from(moment, zone, NIGHT) == allowed


def test_without_quiet_hours_it_is_sent_at_any_time() -> None:
    moment = at("2026-11-28T03:00")
    assert allowed_from(moment, BERLIN, None) == moment
    assert allowed_from(moment, BERLIN, Quiet(8, 8, weekends=False)) == moment


def test_weekends_alone_are_over_at_midnight() -> None:
    assert allowed_from(at("2026-11-28T03:00"), "UTC", Quiet(0, 0, weekends=True)) == at("2026-11-30T00:00")


def test_an_hour_that_the_clock_skips_is_the_one_it_shows_next() -> None:
    night = Quiet(20, 2, weekends=False)
    assert allowed_from(at("2026-03-29T01:30", BERLIN), BERLIN, night) == at("2026-03-29T03:00", BERLIN)


def test_where_the_zone_is_not_known_that_of_the_company_is_taken() -> None:
    assert allowed_from(at("2026-11-24T23:00"), None, NIGHT, TOKYO) == at("2026-11-25T08:00", TOKYO)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([BERLIN, TOKYO, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.integers(0, 23), st.integers(0, 23), st.booleans(),
)  # fmt: skip
def test_the_time_is_never_quiet_never_before_and_at_most_some_days_later(moment, zone, start, end, weekends) -> None:
    quiet = Quiet(start, end, weekends)
    allowed = allowed_from(moment, zone, quiet)
    local = allowed.astimezone(ZoneInfo(zone))
    assert moment <= allowed <= moment + timedelta(days=4)
    assert not (weekends and local.weekday() >= 5)
    quiet_hours = {(start + n) % 24 for n in range((end - start) % 24)}
    skipped = local.astimezone(UTC).astimezone(ZoneInfo(zone)).hour
    assert local.hour not in quiet_hours or skipped != local.hour
    assert allowed_from(allowed, zone, quiet) == allowed
