"""Tickets: what counts as recent, before, open and rated on a scan day."""

from datetime import date, datetime, timedelta

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.rules import SeverityRules
from orchestration_project.domain.tickets import ticket_facts, ticket_windows
from orchestration_project.domain.windows import window_sums

DAY = date(2024, 2, 29)
RULES = SeverityRules()
TODAY = DayRange(DAY, DAY)


def ago(days: float, hours: float = 12) -> datetime:
    return datetime.combine(DAY, datetime.min.time()) - timedelta(days=days) + timedelta(hours=hours)


@pytest.fixture
def told(company):
    """The ticket facts of one customer on `DAY`, or those of each day of a range."""

    def facts(people, rows, days):
        sums = window_sums(people.select("customer_id", "day"), ticket_windows(rows, RULES), days)
        seen = people.inner_join(sums, ["customer_id", "day"])
        return seen.select("customer_id", "day", **ticket_facts(seen, seen.observed_from, RULES))

    def of(*tickets, since=date(2022, 1, 1), days=TODAY):
        rows = company.load("support_tickets", tickets)
        people = company.people("c", days=days, signed_up=since)
        found = company.rows(company.compute(lambda: facts(people, rows, days), "ticket_facts", days))
        return found[0] if len(days) == 1 else found

    return of


def test_without_tickets_the_counts_are_zero_and_nothing_is_rated(told) -> None:
    assert told() == {
        "customer_id": "c", "day": TODAY.start, "tickets_30d": 0, "tickets_open": 0,
        "tickets_urgent_open": 0, "tickets_open_days": 0.0, "tickets_prior_monthly": 0.0, "satisfaction_90d": None,
    }  # fmt: skip


def test_tickets_of_others_do_not_count(told) -> None:
    assert told({"customer_id": "d", "opened_at": ago(1)}) == told()


@pytest.mark.parametrize(("age", "recent"), [(0, 1), (29, 1), (30, 0), (-1, 0)])
def test_the_last_30_days_count_as_recent(told, age, recent) -> None:
    assert told({"opened_at": ago(age)})["tickets_30d"] == recent


@pytest.mark.parametrize(("age", "before"), [(0, 0), (29, 0), (30, 1), (209, 1), (210, 0)])
def test_the_baseline_is_the_180_days_before_the_last_30(told, age, before) -> None:
    assert told({"opened_at": ago(age)})["tickets_prior_monthly"] == before * 30 / 180


@pytest.mark.parametrize(("age", "monthly"), [(58, None), (59, 2.0), (89, 1.0), (300, 1 / 3)])
def test_the_baseline_counts_only_the_days_that_could_be_seen_and_needs_30(told, age, monthly) -> None:
    row = told(*[{"opened_at": ago(days)} for days in (31, 40)], since=DAY - timedelta(age))
    assert row["tickets_prior_monthly"] == (monthly if monthly is None else pytest.approx(monthly))


@pytest.mark.parametrize(
    ("resolved", "open_"), [(None, 1), (ago(-5), 1), (ago(-1, 0), 1), (ago(0, 23), 0), (ago(1), 0)]
)
def test_a_ticket_is_open_until_the_end_of_the_day_before_it_is_resolved(told, resolved, open_) -> None:
    row = told({"opened_at": ago(400), "resolved_at": resolved, "priority": "urgent"})
    assert (row["tickets_open"], row["tickets_urgent_open"]) == (open_, open_)


def test_the_age_of_open_tickets_is_their_mean_and_grows_day_by_day(told) -> None:
    tickets = [{"opened_at": ago(10)}, {"opened_at": ago(1)}, {"opened_at": ago(50), "resolved_at": ago(20)}]
    assert told(*tickets)["tickets_open_days"] == 5.5
    days = DayRange(DAY - timedelta(1), DAY + timedelta(1))
    assert [row["tickets_open_days"] for row in told(*tickets, days=days)] == [4.5, 5.5, 6.5]


@pytest.mark.parametrize(("priority", "urgent"), [("urgent", 1), ("high", 1), ("normal", 0), ("low", 0), (None, 0)])
def test_open_tickets_of_high_priority_are_urgent(told, priority, urgent) -> None:
    row = told({"opened_at": ago(1), "priority": priority})
    assert (row["tickets_open"], row["tickets_urgent_open"]) == (1, urgent)


def test_satisfaction_is_the_mean_of_ratings_whose_tickets_were_resolved_in_the_last_90_days(told) -> None:
    rated = [(0, 1.0), (89, 4.4), (90, 5.0), (-1, 5.0)]
    tickets = [{"opened_at": ago(200), "resolved_at": ago(age), "satisfaction": rating} for age, rating in rated]
    tickets.append({"opened_at": ago(3), "resolved_at": None, "satisfaction": 5.0})
    assert told(*tickets)["satisfaction_90d"] == pytest.approx(2.7, abs=1e-6)


def test_a_ticket_recorded_late_counts_from_the_day_it_was_known(told) -> None:
    days = DayRange(DAY - timedelta(1), DAY + timedelta(20))
    rows = told({"opened_at": ago(10), "known_on": DAY, "resolved_at": ago(-3)}, days=days)
    assert [row["tickets_30d"] for row in rows] == [0] + [1] * 20 + [0]
    assert [row["tickets_open"] for row in rows] == [0] + [1] * 3 + [0] * 18
    assert rows[-1]["tickets_prior_monthly"] == 30 / 180


def test_a_ticket_known_only_after_it_was_resolved_never_was_open(told) -> None:
    assert told({"opened_at": ago(10), "resolved_at": ago(5), "known_on": DAY})["tickets_open"] == 0


def test_a_mean_rating_is_the_same_to_the_last_bit_alone_or_in_a_range(told) -> None:
    tickets = [
        {"opened_at": ago(200), "resolved_at": ago(age), "satisfaction": 1 + n % 37 / 10}
        for n, age in enumerate(range(150, -5, -3))
    ]
    together = told(*tickets, days=DayRange(DAY - timedelta(60), DAY))
    assert repr(together[-1]) == repr(told(*tickets))
