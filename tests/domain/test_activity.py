"""Activity: windows over late facts, the kinds that are told apart, the season, and each customer's own rhythm."""

from datetime import date, datetime, timedelta

import hypothesis.strategies as st
import ibis
import pytest
from hypothesis import given, settings

from orchestration_project.domain import activity
from orchestration_project.domain.days import DayRange, day_number
from orchestration_project.domain.rules import SeverityRules
from orchestration_project.domain.windows import window_sums

DAY = date(2024, 2, 29)
DAYS = DayRange(DAY, DAY + timedelta(2))
EVENTS = ("export", "login")
KINDS = {event: list(range(DAYS.start, DAYS.stop + 1)) for event in EVENTS}
EDGES = (0, 1, 29, 30, 31, 89, 90, 91, 363, 364, 365, 366)
MANY = settings(max_examples=settings().max_examples * 4)


def ago(days: int) -> date:
    return DAY - timedelta(days)


@st.composite
def uses(draw: st.DrawFn) -> dict:
    day = ago(draw(st.sampled_from(EDGES) | st.integers(-3, 400)))
    return {
        "customer_id": draw(st.sampled_from(["a", "b"])),
        "day": day,
        "event": draw(st.sampled_from([*EVENTS, "other"])),
        "known_on": max(day, draw(st.sampled_from([day, day + timedelta(30), *DAYS.dates]))),
        "quantity": draw(st.sampled_from([0.0, 0.5, 1.0, 12.25])),
        "users": draw(st.integers(0, 2)),
    }


def rolled(rows: list[dict]) -> list[dict]:
    """One row per customer, day, kind and day known, as ingestion leaves it."""
    return list({(row["customer_id"], row["day"], row["event"], row["known_on"]): row for row in rows}.values())


def windows_by_loop(rows: list[dict], customer: str, day: date) -> dict:
    known = [row for row in rows if row["customer_id"] == customer and row["known_on"] <= day]
    found = {"customer_id": customer, "day": day_number(day)}
    for period, newest, oldest in (("recent", 0, 29), ("prior", 30, 89)):
        own = [row for row in known if newest <= (day - row["day"]).days <= oldest]
        found |= {
            f"{period}_quantity": sum(row["quantity"] for row in own),
            f"{period}_squares": sum(round(row["quantity"] ** 2 * 1024) / 1024 for row in own),
            f"{period}_active": len({row["day"] for row in own}),
            f"{period}_users": sum(row["users"] for row in own),
        }
        for n, kind in enumerate(EVENTS):
            found[f"{period}_kind_{n}"] = sum(row["quantity"] for row in own if row["event"] == kind)
    for name, newest, oldest in (("quarter", 90, 179), ("older", 180, 364)):
        found[f"{name}_active"] = len({row["day"] for row in known if newest <= (day - row["day"]).days <= oldest})
    year = [row["day"] for row in known if (day - row["day"]).days < 365]
    return found | {"last_used": day_number(max(year)) if year else None}


@MANY
@given(st.lists(uses(), min_size=5, max_size=60).map(rolled))
def test_the_windows_are_what_a_loop_over_customers_and_days_finds_late_rows_included(company, rows) -> None:
    usage, grid = company.usage(rows), company.people("a", "b", days=DAYS).select("customer_id", "day")
    told = company.compute(
        lambda: window_sums(grid, activity.activity_windows(activity.numbered(usage), DAYS, list(KINDS)), DAYS),
        "windows",
    )
    found = company.rows(told)
    for row in found:
        if row["last_used"] is not None and row["last_used"] <= row["day"] - 365:
            row["last_used"] = None
    assert found == [windows_by_loop(rows, customer, day) for day in DAYS.dates for customer in ("a", "b")]


def test_the_row_by_which_a_day_was_first_known_marks_it_and_only_that(company) -> None:
    day = {"day": ago(5)}
    rows = [day | {"event": "b"}, day | {"event": "a", "known_on": ago(4)}, day | {"event": "c"}, {"day": ago(4)}]
    found = [(row["day"], row["event"]) for row in company.rows(company.usage(rows)) if row["first_of_day"]]
    assert found == [(ago(5), "b"), (ago(4), "login")]


def test_single_contacts_are_counted_per_customer_day_kind_and_day_known(company) -> None:
    contacts = [
        {"occurred_at": datetime.fromisoformat(f"2024-02-29 0{hour}:00"), "kind": kind}
        for hour, kind in ((1, "a"), (9, "a"), (9, "b"))
    ]
    table = company.load("engagements", contacts)
    dated = company.compute(lambda: activity.contact_days(table), "contacts_daily")
    found = {row["event"]: (row["quantity"], row["first_of_day"]) for row in company.rows(dated)}
    assert found == {"a": (2, True), "b": (1, False)}


@pytest.fixture
def coverage(company):
    """First and last day seen by each scan day, as days before it."""

    def of(rows, days=DAYS):
        usage = company.usage(rows)
        table = company.compute(lambda: activity.coverage(activity.numbered(usage), days), "coverage", days)
        return [
            tuple(row["day"] - row[name] if row[name] is not None else None for name in ("first_seen", "last_seen"))
            for row in company.rows(table)
        ]

    return of


def test_a_source_is_seen_from_its_first_to_its_last_day_known_by_then(coverage) -> None:
    rows = [{"day": ago(9)}, {"day": ago(100), "known_on": ago(-1)}, {"day": ago(1), "known_on": ago(-2)}]
    assert coverage(rows) == [(9, 9), (101, 10), (102, 3)]


def test_before_anything_is_known_nothing_is_seen(coverage) -> None:
    assert coverage([{"day": ago(3), "known_on": ago(-1)}]) == [(None, None), (4, 4), (5, 5)]


def test_only_the_last_year_is_seen_whatever_range_is_asked_for(coverage) -> None:
    rows = [{"day": ago(363)}]
    assert coverage(rows) == [(363, 363), (364, 364), (None, None)]
    assert coverage(rows, DayRange(DAYS.last, DAYS.last)) == [(None, None)]
    assert coverage([*rows, {"day": ago(5)}])[2] == (7, 7)


@pytest.fixture
def ranked(company):
    """The kinds tracked on each scan day."""

    def of(rows, tracked=2):
        usage = company.usage(rows)
        table = company.compute(
            lambda: activity.kind_ranks(activity.numbered(activity.days_seen(usage)), DAYS, tracked), "ranked", tracked
        )
        found = company.rows(table)
        return [sorted(row["event"] for row in found if row["day"] == day) for day in range(DAYS.start, DAYS.stop + 1)]

    return of


def test_the_most_used_kinds_are_tracked_by_customer_days_and_then_by_name(ranked) -> None:
    often = [{"day": ago(n), "event": "often", "quantity": 0.5} for n in range(5)]
    once = [{"day": ago(9), "event": name, "quantity": 99.0} for name in ("b", "a", "c")]
    assert ranked([*often, *once]) == [["a", "often"]] * 3
    assert ranked([*often, *once], 0) == [[], [], []]


def test_a_kind_is_tracked_by_what_was_known_of_the_last_90_days(ranked) -> None:
    rows = [{"day": ago(88), "event": "old"}, {"day": ago(3), "event": "late", "known_on": ago(-1)}]
    assert ranked(rows) == [["old"], ["late", "old"], ["late"]]


def test_tracked_kinds_are_in_order_of_name_with_their_days() -> None:
    assert list(activity.tracked_kinds([("b", 2), ("a", 2), ("b", 1)]).items()) == [("a", [2]), ("b", [1, 2])]


@pytest.mark.parametrize(
    ("kinds", "counts", "rates"),
    [
        ({}, [0, 0, 0], [{}, {}, {}]),
        ({"a": [0, 1, 2], "b": [1]}, [1, 2, 1], [{"a": 1.0}, {"a": 1.0, "b": 2.0}, {"a": 1.0}]),
        ({"z": [0, 1, 2]}, [0, 0, 0], [{"z": 0.0}] * 3),
    ],
)
def test_rates_hold_the_kinds_that_are_tracked_that_day(engine, kinds, counts, rates) -> None:
    days = DayRange(date(1970, 1, 1), date(1970, 1, 3))
    quantities = {f"recent_kind_{n}": {"a": 30.0, "b": 60.0, "z": 0.0}[kind] for n, kind in enumerate(kinds)}
    table = activity.day_table(days).mutate(**{"unused": 0.0, **quantities})
    told = table.select(
        "day",
        n=activity.kind_count(table, "recent", kinds, days),
        rates=activity.kind_rates(table, "recent", 30, kinds, days),
    )
    found = engine.rows(told.order_by("day"))
    assert [(row["n"], dict(row["rates"])) for row in found] == list(zip(counts, rates, strict=True))


def trended(engine, rules=SeverityRules(), **columns):  # noqa: B008
    """`trends` of made-up windows of one day: each column is a value for all, or a list with one per customer."""
    base = {
        "recent_quantity": 300.0, "recent_squares": 3000.0, "prior_quantity": 600.0, "prior_squares": 6000.0,
        "recent_active": 0, "prior_active": 60, "quarter_active": 90, "older_active": 215,
        "last_used": 1000, "observed_from": 636, "day": 1000,
    } | columns  # fmt: skip
    count = max(len(value) if isinstance(value, list) else 1 for value in base.values())
    full = {name: value if isinstance(value, list) else [value] * count for name, value in base.items()}
    rows = [{"customer_id": f"{n:03}", **{name: values[n] for name, values in full.items()}} for n in range(count)]
    schema = dict.fromkeys(full, "int64") | {name: "float64" for name in full if name.endswith(("quantity", "squares"))}
    with engine.scope():
        table = engine.keep(ibis.memtable(rows, schema={"customer_id": "string", **schema}))
        windows = table.mutate(present=table.last_used.notnull())
        return engine.rows(activity.trends(windows, rules).order_by("customer_id"))


@pytest.mark.parametrize(
    ("recent", "decline", "overlap"),
    [(240.0, 20, 100 / 7), (60.0, 80, 100 * (1 - 2 / (660 / 90))), (0.0, 100, 100), (600.0, -100, -50)],
)
def test_a_true_decline_is_told_and_the_overlapping_figure_understates_it(engine, recent, decline, overlap) -> None:
    row = trended(engine, recent_quantity=recent)[0]
    assert row["decline_pct"] == pytest.approx(decline)
    assert row["overlap_decline_pct"] == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"observed_from": 911}, True),
        ({"observed_from": 912}, False),
        ({"prior_active": 3}, True),
        ({"prior_active": 2}, False),
        ({"prior_quantity": 0.0}, False),
    ],
)
def test_a_decline_needs_90_days_and_3_active_days_with_some_use_before(engine, override, told) -> None:
    row = trended(engine, **override)[0]
    assert [row[name] is not None for name in ("decline_pct", "overlap_decline_pct", "decline_z")] == [told] * 3


def test_z_is_the_change_in_rate_over_its_spread(engine) -> None:
    row = trended(engine, recent_quantity=240.0, recent_squares=1920.0)[0]
    assert row["decline_z"] == pytest.approx(-2 / (1920 / 900 + 6000 / 3600) ** 0.5)


ENOUGH = SeverityRules(season_min_customers=10)


def test_a_dip_of_everyone_is_the_calendars_and_flags_nobody(engine) -> None:
    rows = trended(engine, ENOUGH, recent_quantity=[180.0] * 10)
    assert {row["calendar_ratio"] for row in rows} == {0.6}
    assert all(row["decline_pct"] == pytest.approx(0) for row in rows)


def test_one_who_drops_alone_is_flagged_and_the_others_are_not(engine) -> None:
    rows = trended(engine, SeverityRules(season_min_customers=10), recent_quantity=[0.0] + [300.0] * 99)
    assert rows[0]["decline_pct"] == 100
    assert all(row["decline_pct"] == pytest.approx(-100 / 99) for row in rows[1:])


def test_too_few_customers_tell_no_season(engine) -> None:
    assert {row["calendar_ratio"] for row in trended(engine, ENOUGH, recent_quantity=[180.0] * 9)} == {1}
    short = trended(engine, ENOUGH, recent_quantity=[180.0] * 10, observed_from=[636] * 9 + [990])
    assert {row["calendar_ratio"] for row in short} == {1}


@pytest.mark.parametrize(("recent", "ratio"), [(30.0, 0.5), (3000.0, 2)])
def test_the_calendar_explains_at_most_half_or_double(engine, recent, ratio) -> None:
    assert {row["calendar_ratio"] for row in trended(engine, ENOUGH, recent_quantity=[recent] * 10)} == {ratio}


def test_the_typical_gap_is_the_customers_own_drawn_to_the_populations(engine) -> None:
    rows = trended(engine, prior_active=[60, 5], quarter_active=[90, 0], older_active=[215, 0], last_used=1000)
    population = 2 * 365 / 370
    assert [row["typical_gap_days"] for row in rows] == [
        pytest.approx((365 + 3 * population) / 368), pytest.approx((365 + 3 * population) / 8),
    ]  # fmt: skip


def test_who_never_used_has_no_gap_and_moves_nobody_elses(engine) -> None:
    alone = trended(engine)[0]
    shown = {"prior_active": [60, 0, 0], "quarter_active": [90, 0, 0], "older_active": [215, 0, 0]}
    rows = trended(engine, **shown, last_used=[1000, None, 635])
    assert [row["typical_gap_days"] for row in rows] == [alone["typical_gap_days"], None, alone["typical_gap_days"]]
    assert [row["days_since_use"] for row in rows] == [0, None, 365]
