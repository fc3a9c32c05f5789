"""Population: who is in a scan, and which version of a customer it sees."""

from datetime import date, datetime, timedelta

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.population import population

DAY = date(2024, 2, 29)
DAYS = DayRange(DAY - timedelta(2), DAY + timedelta(2))


def moment(offset: int, hours: float = 0) -> datetime:
    return datetime.combine(DAY, datetime.min.time()) + timedelta(days=offset, hours=hours)


@pytest.fixture
def seen(company):
    """What the scans around `DAY` hold: per scan day (as an offset from `DAY`), the value of a column."""

    def of(*versions, column="plan"):
        rows = company.load("customers", versions)
        found = company.rows(company.compute(lambda: population(rows, DAYS), "population"))
        return {(row["scan_day"] - DAY).days: row[column] for row in found}

    return of


def test_a_customer_belongs_to_the_scans_from_the_day_of_sign_up(seen) -> None:
    assert list(seen({"signed_up_at": moment(0, 23)})) == [0, 1, 2]


def test_a_customer_belongs_to_the_scans_up_to_the_day_before_leaving(seen) -> None:
    assert list(seen({"churned_at": moment(1, 9)})) == [-2, -1, 0]
    assert not seen({"churned_at": moment(-30)})


def test_each_version_counts_from_the_day_it_was_known_to_the_day_before_the_next_was(seen) -> None:
    versions = [
        {"plan": "free", "valid_from": moment(-300)},
        {"plan": "pro", "valid_from": moment(-1, 5)},
        {"plan": "max", "valid_from": moment(1, 5)},
    ]
    assert seen(*versions) == {-2: "free", -1: "pro", 0: "pro", 1: "max", 2: "max"}


def test_of_two_versions_of_one_day_the_later_counts(seen) -> None:
    versions = [
        {"plan": "free"},
        {"plan": "max", "valid_from": moment(0, 5)},
        {"plan": "pro", "valid_from": moment(0, 4)},
    ]
    assert seen(*versions) == {-2: "free", -1: "free", 0: "max", 1: "max", 2: "max"}


def test_a_first_version_counts_from_sign_up_whenever_it_was_recorded(seen) -> None:
    first = {"plan": "free", "signed_up_at": moment(-1), "valid_from": moment(1)}
    assert seen(first, {"plan": "pro", "valid_from": moment(2), "signed_up_at": moment(-1)}) == {
        -1: "free", 0: "free", 1: "free", 2: "pro",
    }  # fmt: skip


def test_when_a_first_version_will_leave_is_unknown_until_it_happens(seen) -> None:
    assert seen({"churned_at": moment(1)}, column="leaves_on") == {-2: None, -1: None, 0: None}


def test_a_later_version_announces_when_the_customer_leaves(seen) -> None:
    versions = [{"valid_from": None}, {"valid_from": moment(-1), "churned_at": moment(2)}]
    leaving = moment(2).date()
    assert seen(*versions, column="leaves_on") == {-2: None, -1: leaving, 0: leaving, 1: leaving}


def test_a_notice_that_was_taken_back_no_longer_counts(seen) -> None:
    versions = [{}, {"valid_from": moment(-2), "churned_at": moment(1)}, {"valid_from": moment(0)}]
    leaving = moment(1).date()
    assert seen(*versions, column="leaves_on") == {-2: leaving, -1: leaving, 0: None, 1: None, 2: None}


def test_leaving_that_was_recorded_late_changes_no_earlier_scan(seen) -> None:
    assert list(seen({}, {"valid_from": moment(1), "churned_at": moment(-30)})) == [-2, -1, 0]


def test_a_renewal_that_has_passed_is_unknown(seen) -> None:
    renewal = moment(0, 8)
    assert seen({"renews_at": renewal}, column="renews_at") == {-2: renewal, -1: renewal, 0: renewal, 1: None, 2: None}


def test_a_range_holds_what_its_days_hold_one_by_one(company, seen) -> None:
    versions = [{}, {"valid_from": moment(-1)}, {"valid_from": moment(1), "churned_at": moment(2)}]
    rows = company.load("customers", versions)
    expected = company.rows(company.compute(lambda: population(rows, DAYS), "population"))
    single = [DayRange(day, day) for day in DAYS.dates]
    told = [company.compute(lambda day=day: population(rows, day), f"alone_{day.start}") for day in single]
    assert [row for table in told for row in company.rows(table)] == expected
