"""Outcomes: who counts as having left, as known by the end of the horizon, and of whom nothing can be told."""

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from orchestration_project.domain.outcomes import (
    horizon_days,
    leavers,
    outcome_day,
    outcomes,
    silent,
    usage_seen_until,
)
from orchestration_project.domain.rules import ChurnRules

DAY, UNTIL = date(2026, 1, 31), date(2026, 5, 1)
TIME, TEXT, DATE = pa.timestamp("us"), pa.string(), pa.date32()
VERSIONS = pa.schema({"customer_id": TEXT, "valid_from": TIME, "churned_at": TIME, "known_on": DATE})
PROFILES = pa.schema(
    {"customer_id": TEXT, "scan_day": DATE, "signed_up_at": TIME, "leaves_on": DATE, "notice_given": pa.bool_()}
)
WINDOWS = pa.schema({"customer_id": TEXT, "scan_day": DATE, "until": DATE})
ACTS = pa.schema({"customer_id": TEXT, "day": DATE, "propensity": pa.float64(), "delivered": pa.bool_()})


def at(day):
    return datetime.fromisoformat(f"{day}T09:00:00")


def windows(engine, customers, *days):
    """The horizon of each customer from each day on."""
    rows = [{"customer_id": name, "scan_day": day, "until": day + (UNTIL - DAY)}
            for name in customers for day in days or (DAY,)]  # fmt: skip
    return engine.arrow(pa.Table.from_pylist(rows, WINDOWS))


@pytest.fixture
def left(engine):
    """Who left, of customers given as versions (day recorded, day of leaving or None)."""

    def of(**customers):
        rows = [
            {"customer_id": name, "valid_from": at(known), "churned_at": gone and at(gone), "known_on": known}
            for name, versions in customers.items()
            for known, gone in versions
        ]
        with engine.scope():
            table = engine.arrow(pa.Table.from_pylist(rows, VERSIONS))
            return {row["customer_id"] for row in engine.rows(leavers(windows(engine, customers), table))}

    return of


START = date(2025, 1, 1)


def test_who_left_within_the_horizon_did_and_nobody_before_or_after_it(left) -> None:
    found = left(
        first=[(START, None), (DAY + timedelta(1), DAY + timedelta(1))],
        last=[(START, None), (UNTIL, UNTIL)],
        before=[(START, None), (DAY, DAY)],
        after=[(START, None), (UNTIL, UNTIL + timedelta(1))],
        stays=[(START, None)],
    )
    assert found == {"first", "last"}


def test_only_what_was_known_by_the_end_of_the_horizon_counts(left) -> None:
    gone, later = DAY + timedelta(30), UNTIL + timedelta(1)
    assert left(late=[(START, None), (later, gone)]) == set()
    assert left(withdrawn=[(START, None), (DAY, gone), (DAY + timedelta(9), None)]) == set()
    assert left(withdrawn_late=[(START, None), (DAY, gone), (later, None)]) == {"withdrawn_late"}
    assert left(filled_in_since=[(START, gone)]) == {"filled_in_since"}


def test_each_horizon_of_a_customer_is_judged_by_what_was_known_at_its_own_end(engine) -> None:
    earlier, gone = DAY - timedelta(60), DAY + timedelta(20)
    versions = [(START, None), (gone, gone), (UNTIL, None)]
    rows = [{"customer_id": "c", "valid_from": at(known), "churned_at": left and at(left), "known_on": known}
            for known, left in versions]  # fmt: skip
    with engine.scope():
        table = engine.arrow(pa.Table.from_pylist(rows, VERSIONS))
        found = engine.rows(leavers(windows(engine, ["c"], earlier, DAY), table))
        assert [row["scan_day"] for row in found] == [earlier]


def test_silence_over_the_whole_horizon_is_leaving_where_churn_is_inactivity(engine) -> None:
    used = {"early": DAY, "first": DAY + timedelta(1), "last": UNTIL, "after": UNTIL + timedelta(1)}
    schema = pa.schema({"customer_id": TEXT, "day": DATE, "known_on": DATE})
    rows = [{"customer_id": name, "day": day, "known_on": day} for name, day in used.items()]
    rows.append({"customer_id": "late", "day": DAY + timedelta(5), "known_on": UNTIL + timedelta(1)})
    with engine.scope():
        people = windows(engine, [*used, "late", "never"])
        found = silent(people, engine.arrow(pa.Table.from_pylist(rows, schema)))
        assert {row["customer_id"] for row in engine.rows(found)} == {"early", "after", "late", "never"}


@pytest.mark.parametrize(("last", "seen"), [(UNTIL, True), (UNTIL - timedelta(3), True), (UNTIL - timedelta(4), False)])
def test_usage_must_be_seen_up_to_the_end_of_the_horizon(engine, last, seen) -> None:
    rows = pa.Table.from_pylist([{"day": last, "known_on": last}], pa.schema({"day": DATE, "known_on": DATE}))
    with engine.scope():
        assert engine.value(usage_seen_until(engine.arrow(rows), UNTIL)) is seen


@pytest.fixture
def told(engine):
    """The outcome of one customer who left, with other facts and acts as given."""

    def of(acts=(), seen=True, **facts):
        row = {"customer_id": "c", "scan_day": DAY, "signed_up_at": at(START), "leaves_on": None, "notice_given": False}
        with engine.scope():
            profiles = engine.arrow(pa.Table.from_pylist([row | facts], PROFILES))
            done = [{"customer_id": "c", "day": day, "propensity": p, "delivered": done} for day, p, done in acts]
            table = outcomes(
                profiles, engine.arrow(pa.table({"customer_id": ["c"]})),
                engine.arrow(pa.Table.from_pylist(done, ACTS)), UNTIL, 30, seen,
            )  # fmt: skip
            return engine.rows(table)[0]

    return of


def test_an_outcome_that_counts_is_told(told) -> None:
    row = told()
    assert (row["churned"], row["censored"], row["treated"], row["propensity"]) == (True, None, False, 0)
    assert row["matured_on"] == UNTIL


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"leaves_on": UNTIL}, "announced"),
        ({"notice_given": True}, "announced"),
        ({"signed_up_at": at(DAY - timedelta(29))}, "too_new"),
        ({"signed_up_at": at(DAY + timedelta(5))}, "too_new"),
        ({"seen": False}, "source_stale"),
    ],
)
def test_an_outcome_that_does_not_count_is_unknown_and_says_why(told, facts, why) -> None:
    assert (told(**facts)["churned"], told(**facts)["censored"]) == (None, why)
    assert told(signed_up_at=at(DAY - timedelta(30)))["censored"] is None


def test_acts_within_the_horizon_mark_a_row_and_of_several_chances_the_likeliest_counts(told) -> None:
    inside, outside = DAY + timedelta(1), DAY
    assert told([(outside, 0.9, True)])["treated"] is False
    assert told([(inside, 0.9, True)])["treated"] is True
    held_back = told([(inside, 0.5, False), (UNTIL, 0.8, False)])
    assert (held_back["treated"], held_back["propensity"]) == (False, 0.8)
    assert told([(inside, 1.0, False)])["propensity"] == 1
    assert told([(inside, 0.5, False), (UNTIL, None, False)])["propensity"] == 1


def test_the_horizon_is_that_of_the_kind_of_churn_and_ends_with_the_month() -> None:
    assert horizon_days(ChurnRules(), 60) == 60
    assert horizon_days(ChurnRules(kind="inactivity", days=45), 60) == 45
    assert outcome_day(date(2026, 4, 30), 90) == date(2026, 1, 30)
