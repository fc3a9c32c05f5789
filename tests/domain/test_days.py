"""Days: ranges, day numbers, and from which scan day on a fact may be used."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import ibis
import pyarrow as pa
import pytest
from hypothesis import given

from orchestration_project.domain.days import DayRange, day_number, known_on, number, number_of_time, to_date

BERLIN = ZoneInfo("Europe/Berlin")
TIMES = pa.schema({"happened": pa.timestamp("us"), "recorded": pa.timestamp("us")})
DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """A local time as the UTC timestamp that a table holds."""
    return at(text).replace(tzinfo=zone).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def first_days(engine, facts: list[tuple[datetime, datetime | None]], grace_hours: float) -> list[date]:
    rows = [{"n": n, "happened": happened, "recorded": recorded} for n, (happened, recorded) in enumerate(facts)]
    with engine.scope():
        table = engine.arrow(pa.Table.from_pylist(rows, TIMES.append(pa.field("n", pa.int64()))))
        known = table.select("n", known=known_on(table.happened, table.recorded, grace_hours))
        return [row["known"] for row in engine.rows(known.order_by("n"))]


def test_a_range_knows_its_days_and_is_cut_into_consecutive_parts() -> None:
    days = DayRange(date(2024, 2, 28), date(2024, 3, 1))
    assert days.dates == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert len(days) == 3
    assert (days.start, days.stop) == (day_number(date(2024, 2, 28)), day_number(date(2024, 3, 1)))
    assert days.parts(2) == [
        DayRange(date(2024, 2, 28), date(2024, 2, 29)),
        DayRange(date(2024, 3, 1), date(2024, 3, 1)),
    ]
    assert days.parts(5) == [days]
    assert days.reaching_back(59) == DayRange(date(2023, 12, 31), date(2024, 3, 1))


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="2024-03-01 to 2024-02-29"):
        DayRange(date(2024, 3, 1), date(2024, 2, 29))


@given(first=DAYS, length=st.integers(0, 800), at_most=st.integers(1, 100))
def test_the_parts_of_a_range_are_its_days_in_order(first, length, at_most) -> None:
    days = DayRange(first, first + timedelta(length))
    parts = days.parts(at_most)
    assert [day for part in parts for day in part.dates] == days.dates
    assert all(len(part) <= at_most for part in parts)


def test_dates_and_numbers_are_the_same_days_leap_days_and_days_before_1970_too(engine) -> None:
    days = [date(1969, 12, 31), date(1970, 1, 1), date(2000, 2, 29), date(2023, 12, 31), date(2024, 2, 29)]
    days += [date(2024, 3, 1), date(2100, 3, 1)]
    with engine.scope():
        rows = pa.table(
            {"day": pa.array(days, pa.date32()), "time": [datetime.combine(d, datetime.max.time()) for d in days]}
        )
        table = engine.arrow(rows)
        told = table.select(
            "day", n=number(table.day), same=number_of_time(table.time), back=to_date(number(table.day))
        )
        found = engine.rows(told.order_by("day"))
    expected = [{"day": day, "n": day_number(day), "same": day_number(day), "back": day} for day in sorted(days)]
    assert found == expected


def test_a_fact_recorded_at_the_last_moment_of_the_cutoff_counts_and_a_microsecond_later_the_day_after(engine) -> None:
    happened = at("2024-02-29 10:00")
    last, after = at("2024-02-29 23:59:59.999999"), at("2024-03-01 00:00")
    assert first_days(engine, [(happened, last), (happened, after)], 0) == [date(2024, 2, 29), date(2024, 3, 1)]
    graced = [(happened, last + timedelta(days=3)), (happened, after + timedelta(days=3))]
    assert first_days(engine, graced, 72) == [date(2024, 2, 29), date(2024, 3, 1)]


def test_grace_never_lets_a_fact_count_before_the_day_it_happened(engine) -> None:
    happened = at("2024-03-01 00:00")
    facts = [(happened, happened), (happened, at("2024-02-01 00:00")), (happened, None)]
    assert first_days(engine, facts, 72) == [date(2024, 3, 1)] * 3


def test_grace_in_parts_of_an_hour_is_exact(engine) -> None:
    happened = at("2024-02-29 10:00")
    facts = [(happened, at("2024-03-01 00:29:59.999999")), (happened, at("2024-03-01 00:30"))]
    assert first_days(engine, facts, 0.5) == [date(2024, 2, 29), date(2024, 3, 1)]


@pytest.mark.parametrize("grace", [0, 72])
@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2024-03-31 00:00", date(2024, 3, 30)),  # the night the clocks go forward: still 23:00 UTC of the day before
        ("2024-04-01 00:00", date(2024, 3, 31)),  # the night after: 22:00 UTC of the day before
        ("2024-03-31 01:00", date(2024, 3, 31)),
        ("2024-04-01 02:00", date(2024, 4, 1)),
        ("2024-10-27 00:00", date(2024, 10, 26)),
        ("2024-10-28 00:00", date(2024, 10, 27)),
        ("2024-10-28 01:00", date(2024, 10, 28)),
    ],
)
def test_local_midnights_around_clock_changes_fall_on_their_utc_day(engine, local, day, grace) -> None:
    assert first_days(engine, [(utc(local), None), (utc(local), utc(local))], grace) == [day, day]


@given(
    happened=st.datetimes(at("2023-12-30"), at("2024-03-02")),
    late=st.timedeltas(timedelta(-1), timedelta(6)),
    grace=st.sampled_from([0, 1, 72]),
)
def test_a_fact_is_known_on_the_first_day_by_whose_end_it_happened_and_whose_cutoff_it_met(
    engine, happened, late, grace
) -> None:
    first = first_days(engine, [(happened, happened + late)], grace)[0]
    ends = [datetime.combine(first + timedelta(n), datetime.min.time()) for n in (0, 1)]
    allowed = [happened < end and happened + late < end + timedelta(hours=grace) for end in ends]
    assert allowed == [False, True]


def test_the_session_of_the_engine_is_in_utc(engine) -> None:
    zoned = ibis.literal("2024-03-31 00:30:00+01:00").cast("timestamp('UTC')").cast("timestamp")
    assert engine.value(zoned.date()) == date(2024, 3, 30)
