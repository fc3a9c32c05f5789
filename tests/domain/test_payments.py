"""Payments: what is overdue, since when, how much it is, and what failed."""

from datetime import date, datetime, timedelta

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.payments import oldest_unpaid, payment_facts, payment_rows, payment_windows
from orchestration_project.domain.windows import window_sums

DAY = date(2024, 2, 29)
TODAY = DayRange(DAY, DAY)


def ago(days: float, hours: float = 12) -> datetime:
    return datetime.combine(DAY, datetime.min.time()) - timedelta(days=days) + timedelta(hours=hours)


@pytest.fixture
def told(company):
    """The payment facts of one customer on `DAY`, or those of each day of a range."""

    def facts(people, invoices, days):
        rows = payment_rows(invoices)
        sums = window_sums(people.select("customer_id", "day"), payment_windows(rows), days)
        seen = sums.left_join(oldest_unpaid(rows, days), ["customer_id", "day"])
        return seen.select("customer_id", "day", **payment_facts(seen))

    def of(*invoices, days=TODAY):
        rows = company.load("invoices", invoices)
        people = company.people("c", days=days)
        found = company.rows(company.compute(lambda: facts(people, rows, days), "payment_facts", days))
        return found[0] if len(days) == 1 else found

    return of


def test_without_invoices_nothing_is_owed_and_none_is_typical(told) -> None:
    assert told() == {
        "customer_id": "c", "day": TODAY.start, "invoices_known": 0, "overdue_count": 0,
        "failed_payments_90d": 0, "overdue_amount": 0.0, "overdue_days": 0, "typical_invoice": None,
    }  # fmt: skip


@pytest.mark.parametrize(("age", "days"), [(-5, 0), (0, 0), (1, 1), (45, 45), (900, 900)])
def test_an_unpaid_invoice_is_overdue_from_the_day_after_it_was_due(told, age, days) -> None:
    row = told({"due_at": ago(age)})
    assert (row["overdue_days"], row["overdue_count"], row["overdue_amount"]) == (days, days > 0, 100.0 * (days > 0))


@pytest.mark.parametrize(
    ("override", "days"),
    [
        ({"paid_at": ago(-1, 0)}, 9),
        ({"paid_at": ago(0, 0)}, 0),
        ({"paid_at": ago(0, 23)}, 0),
        ({"paid_at": ago(5)}, 0),
        ({"paid_at": ago(12)}, 0),
        ({"paid_at": ago(-1, 0), "status": "paid"}, 9),
        ({"paid_at": None, "status": "paid"}, 0),
        ({"paid_at": None, "status": "failed"}, 9),
        ({"paid_at": None, "status": None}, 9),
        ({"status": "void"}, 0),
        ({"status": "open", "amount": None}, 9),
    ],
)
def test_an_invoice_due_nine_days_ago_is_overdue_unless_paid_by_the_day_or_void(told, override, days) -> None:
    assert told({"due_at": ago(9)} | override)["overdue_days"] == days


def test_the_oldest_of_several_unpaid_invoices_tells_the_days_and_their_sum_the_amount(told) -> None:
    row = told(
        {"due_at": ago(9), "amount": 10.5}, {"due_at": ago(40), "amount": 1.25}, {"due_at": ago(80), "paid_at": ago(50)}
    )
    assert (row["overdue_count"], row["overdue_days"], row["overdue_amount"]) == (2, 40, 11.75)


def test_days_overdue_over_a_range_follow_the_oldest_still_unpaid(told) -> None:
    first, second = {"due_at": ago(3), "paid_at": ago(-2)}, {"due_at": ago(1)}
    rows = told(first, second, days=DayRange(DAY - timedelta(3), DAY + timedelta(3)))
    assert [row["overdue_days"] for row in rows] == [0, 1, 2, 3, 4, 3, 4]
    assert [row["overdue_count"] for row in rows] == [0, 1, 1, 2, 2, 1, 1]


def test_an_invoice_recorded_late_is_overdue_from_the_day_it_was_known(told) -> None:
    days = DayRange(DAY - timedelta(1), DAY + timedelta(1))
    rows = told({"due_at": ago(10), "known_on": DAY}, days=days)
    assert [row["overdue_days"] for row in rows] == [0, 10, 11]
    assert [row["invoices_known"] for row in rows] == [0, 1, 1]


@pytest.mark.parametrize(("age", "failed"), [(-1, 0), (0, 1), (89, 1), (90, 0)])
def test_failed_payments_count_for_90_days_from_when_they_were_due(told, age, failed) -> None:
    assert told({"due_at": ago(age), "status": "failed"})["failed_payments_90d"] == failed


@pytest.mark.parametrize(("age", "known"), [(-20, 1), (0, 1), (364, 1), (365, 0)])
def test_an_invoice_is_known_for_a_year_after_it_was_due(told, age, known) -> None:
    row = told({"due_at": ago(age), "paid_at": ago(age), "amount": 8.0})
    assert (row["invoices_known"], row["typical_invoice"]) == (known, 8.0 if known else None)


def test_the_typical_invoice_is_the_mean_of_those_with_an_amount_that_are_not_void(told) -> None:
    amounts = [(10.0, "paid"), (30.0, "open"), (0.0, "paid"), (None, "open"), (500.0, "void")]
    assert (
        told(*[{"due_at": ago(9), "amount": each, "status": status} for each, status in amounts])["typical_invoice"]
        == 20
    )
