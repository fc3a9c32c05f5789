"""Usage: trends from daily use, who is flagged, who has stopped, and what is said where nothing is known."""

from datetime import date, datetime, timedelta

import pytest

from orchestration_project.domain.activity import coverage, numbered
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import ChurnRules, SeverityRules
from orchestration_project.domain.usage import TREND_COLUMNS, trends_without_usage, usage_trends, usage_windows

DAY = date(2024, 12, 31)
RULES = SeverityRules(season_min_customers=20)
OLD = "2022-01-01"


def ago(days: int) -> date:
    return DAY - timedelta(days)


def daily(first: int, last: int, quantity: float = 10.0, **override) -> list[dict]:
    """Use on each day from `first` to `last` days ago."""
    return [{"day": ago(n), "quantity": quantity} | override for n in range(last, first + 1)]


@pytest.fixture
def told(company, facts_of, profiles_of):
    """The trends of customers, by id, on a scan day."""

    def of(rows, ids=("c",), day=DAY, signed_up=OLD):
        days = DayRange(day, day)
        people = [{"customer_id": each, "signed_up_at": datetime.fromisoformat(signed_up)} for each in ids]
        customers, rolled = company.load("customers", people), company.usage(rows)
        facts = facts_of({"customers": customers}, rolled)
        profiles = company.compute(lambda: profiles_of(facts, days, ChurnRules(), RULES, {}), "usage_profiles", days)
        usage = numbered(rolled)
        kinds = {"login": [days.start]}
        table = company.compute(
            lambda: usage_trends(
                usage_windows(profiles, usage, days, kinds), coverage(usage, days), days, kinds, RULES
            ),
            "trends_told", days,
        )  # fmt: skip
        return {row["customer_id"]: row for row in company.rows(table)}

    return of


def test_steady_use_is_flat_and_told_in_full(told) -> None:
    assert told(daily(400, 0, users=2))["c"] == {
        "customer_id": "c", "scan_day": DAY, "usage_30d": 300.0, "usage_prior_60d": 600.0,
        "usage_year_ago": 300.0, "rate_30d": 10.0,
        "rate_prior_60d": 10.0, "active_days_30d": 30, "active_days_prior_60d": 60, "active_days_7d": 7,
        "active_days_180d": 180, "active_days_365d": 365,
        "user_days_30d": 60, "user_days_prior_60d": 120, "kinds_30d": 1, "kinds_prior_60d": 1,
        "kind_rates_30d": {"login": 10.0}, "kind_rates_prior_60d": {"login": 10.0}, "last_used_on": DAY,
        "days_since_use": 0, "typical_gap_days": 1.0, "observed_days": 365, "calendar_ratio": 1.0, "decline_pct": 0.0,
        "overlap_decline_pct": 0.0, "decline_z": 0.0, "significant": False, "trend": "flat", "usage_missing": None,
    }  # fmt: skip


def test_the_same_weeks_of_last_year_are_unknown_where_they_could_not_be_seen(told) -> None:
    seen, elsewhere = daily(394, 0), {"customer_id": "d"}
    assert told(seen)["c"]["usage_year_ago"] == 300
    assert told(daily(392, 0))["c"]["usage_year_ago"] is None
    assert told([*daily(100, 0), *daily(400, 0, **elsewhere)], ids=("c", "d"))["c"]["usage_year_ago"] == 0
    assert told(seen, signed_up=str(ago(393)))["c"]["usage_year_ago"] == 300
    assert told(seen, signed_up=str(ago(392)))["c"]["usage_year_ago"] is None


@pytest.mark.parametrize(
    ("quantity", "decline", "trend"), [(10.0, 0, "flat"), (8.0, 20, "flat"), (2.0, 80, "down"), (20.0, -100, "up")]
)
def test_use_of_the_last_30_days_is_set_against_the_60_before(told, quantity, decline, trend) -> None:
    row = told(daily(400, 30) + daily(29, 0, quantity))["c"]
    assert row["decline_pct"] == pytest.approx(decline)
    assert (row["trend"], row["significant"]) == (trend, trend == "down")


def test_a_true_drop_of_20_percent_reads_14_3_in_the_overlapping_figure(told) -> None:
    row = told(daily(400, 30) + daily(29, 0, 8.0))["c"]
    assert round(row["overlap_decline_pct"], 1) == 14.3


def test_a_large_but_uncertain_decline_is_not_flagged(told) -> None:
    """A single day of much use before makes a fall of 100 % of what is known, but says little."""
    rows = [{"day": ago(80), "quantity": 100.0}, {"day": ago(70)}, {"day": ago(60)}, {"day": ago(3)}]
    row = told([*rows, *daily(400, 0, customer_id="d")])["c"]
    assert row["decline_pct"] > 90
    assert (row["significant"], row["trend"]) == (False, "flat")


@pytest.mark.parametrize(("age", "told_", "trend"), [(89, True, "flat"), (88, False, "insufficient_history")])
def test_a_customer_needs_90_days_before_a_decline_is_told(told, age, told_, trend) -> None:
    row = told(daily(400, 0), signed_up=str(ago(age)))["c"]
    assert (row["observed_days"], row["decline_pct"] is not None, row["trend"]) == (age + 1, told_, trend)


def test_history_begins_where_the_source_begins(told) -> None:
    row = told(daily(88, 0))["c"]
    assert (row["observed_days"], row["decline_pct"]) == (89, None)


@pytest.mark.parametrize(("before", "told_"), [([40, 50, 60], True), ([40, 50], False)])
def test_three_active_days_before_are_needed(told, before, told_) -> None:
    rows = [{"day": ago(n)} for n in [*before, 3]] + daily(400, 0, customer_id="d")
    assert (told(rows)["c"]["decline_pct"] is not None) is told_


MANY = tuple(f"{n:02}" for n in range(20))


def everyone(first: int, last: int, quantity: float = 10.0, ids=MANY) -> list[dict]:
    return [row for each in ids for row in daily(first, last, quantity, customer_id=each)]


def test_a_dip_of_everyone_at_christmas_flags_nobody(told) -> None:
    found = told(everyone(100, 12) + everyone(11, 0, 1.0), MANY)
    assert {row["trend"] for row in found.values()} == {"flat"}
    assert all(row["decline_pct"] == pytest.approx(0) for row in found.values())
    assert {row["calendar_ratio"] for row in found.values()} == {(18 * 10 + 12) / 300}


def test_one_who_drops_alone_is_flagged_even_at_christmas(told) -> None:
    ids = MANY[1:]
    drop = daily(100, 30, customer_id="00") + daily(29, 0, 1.0, customer_id="00")
    found = told(everyone(100, 12, ids=ids) + everyone(11, 0, 1.0, ids=ids) + drop, MANY)
    assert (found["00"]["trend"], found["00"]["significant"]) == ("down", True)
    assert {found[each]["trend"] for each in ids} == {"flat"}


@pytest.mark.parametrize("back", range(3))
def test_a_weekly_rhythm_is_no_change_on_any_day_of_the_week(told, back) -> None:
    rows = [row for row in everyone(110, 0) if row["day"].weekday() < 5]
    found = told(rows, MANY, ago(2 * back))
    assert all(row["decline_pct"] == pytest.approx(0) for row in found.values())


@pytest.mark.parametrize(("silence", "trend"), [(13, "down"), (14, "stopped")])
def test_daily_use_has_stopped_after_14_days(told, silence, trend) -> None:
    found = told(daily(400, silence) + daily(400, 0, customer_id="d"), ("c", "d"))
    assert (found["c"]["days_since_use"], found["c"]["trend"], found["d"]["trend"]) == (silence, trend, "flat")


def test_rare_use_has_not_stopped_until_three_of_its_own_gaps_have_passed(told) -> None:
    rows = [{"day": ago(n)} for n in range(20, 400, 20)] + daily(400, 0, customer_id="d")
    row = told(rows, ("c", "d"))["c"]
    assert 14 < row["days_since_use"] < 3 * row["typical_gap_days"]
    assert row["trend"] == "flat"
    late = told([each for each in rows if each["day"] < ago(70) or "customer_id" in each], ("c", "d"))["c"]
    assert late["days_since_use"] >= 3 * late["typical_gap_days"]
    assert late["trend"] == "stopped"


@pytest.mark.parametrize(("newest", "reason"), [(3, None), (4, "source_stale"), (300, "source_stale")])
def test_a_stale_source_yields_unknown_figures_and_its_reason_never_zeros(told, newest, reason) -> None:
    row = told(daily(400, newest))["c"]
    assert row["usage_missing"] == reason
    figures = {row[name] is None for name in TREND_COLUMNS}
    assert figures == ({True} if reason else {False})
    assert not reason or not row["significant"]


def test_before_the_source_has_started_everything_is_unknown(told) -> None:
    row = told([{"day": ago(5), "known_on": ago(-1)}])["c"]
    assert row["usage_missing"] == "source_not_started"
    assert {row[name] for name in TREND_COLUMNS} == {None}


def test_who_never_used_it_is_missing_and_who_did_a_year_ago_has_stopped(told) -> None:
    found = told([*daily(400, 0), {"customer_id": "d", "day": ago(365)}], ("c", "d", "e"))
    assert [found[each]["usage_missing"] for each in "cde"] == [None, None, "no_rows"]
    assert {found["e"][name] for name in TREND_COLUMNS} == {None}
    assert found["e"]["trend"] == "unknown"
    assert (found["d"]["days_since_use"], found["d"]["trend"]) == (365, "stopped")


def test_where_usage_is_not_connected_every_figure_is_unknown(company) -> None:
    profiles = company.load("scanned", [{}])
    row = company.rows(company.compute(lambda: trends_without_usage(profiles), "unconnected"))[0]
    assert {row[name] for name in TREND_COLUMNS} == {None}
    assert (row["usage_missing"], row["trend"], row["significant"]) == ("source_not_connected", "unknown", False)


def test_the_columns_are_the_same_whether_usage_is_connected_or_not(company, told) -> None:
    told([])
    profiles = company.load("scanned", [{}])
    unconnected = company.compute(lambda: trends_without_usage(profiles), "unconnected")
    connected = company.compute(lambda: pytest.fail("compiled before"), "trends_told", DayRange(DAY, DAY))
    assert connected.schema() == unconnected.schema()
