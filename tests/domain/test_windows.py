"""Windows: sums and latest values as of any day equal what a loop over facts, customers and days finds."""

from datetime import date

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings
from ibis import _

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.windows import EXACT_STEP, Counted, exact, window_sums

MANY = settings(max_examples=settings().max_examples * 8)
DAYS = DayRange(date(2024, 2, 27), date(2024, 3, 2))
RANGES = st.sampled_from([DAYS, DayRange(DAYS.first, DAYS.first), DayRange(DAYS.first, date(2024, 3, 31))])
CUSTOMERS = ("a", "b", "c")
AMOUNTS = st.integers(-(2**40), 2**40).map(lambda n: n * EXACT_STEP)
FACTS = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["a", "b", "not asked for"]),
        "start": st.integers(DAYS.start - 3, DAYS.stop + 3) | st.just(0),
        "end": st.integers(DAYS.start - 3, DAYS.stop + 3) | st.sampled_from([0, 2_000_000]),
        "amount": AMOUNTS,
        "seen": st.none() | st.integers(-5, 5),
    }
)


@pytest.fixture
def summed(company):
    """For each customer and day: how many facts count, their amount, and the largest `seen` of those that have."""

    def of(facts, days=DAYS):
        rows, grid = company.load("counted", facts), company.people(*CUSTOMERS, days=days).select("customer_id", "day")
        sums = Counted(rows, _.start, _.end, {"n": 1, "amount": _.amount})
        latest = Counted(rows, _.start, _.end, {}, {"seen": _.seen})
        table = company.compute(lambda: window_sums(grid, [sums, latest], days), "sums", days)
        return {(row["customer_id"], row["day"] - days.start): row for row in company.rows(table)}

    return of


def by_loop(facts, days: DayRange):
    for customer in CUSTOMERS:
        own = [fact for fact in facts if fact["customer_id"] == customer]
        for day in range(days.start, days.stop + 1):
            live = [fact["amount"] for fact in own if fact["start"] <= day <= fact["end"]]
            begun = [fact for fact in own if fact["start"] <= day and fact["end"] >= max(fact["start"], days.start)]
            seen = [fact["seen"] for fact in begun if fact["seen"] is not None]
            yield {
                "customer_id": customer, "day": day, "n": len(live), "amount": sum(live),
                "seen": max(seen, default=None),
            }  # fmt: skip


@MANY
@given(st.lists(FACTS, min_size=5, max_size=40), RANGES)
def test_every_sum_and_latest_value_is_what_a_loop_over_customers_and_days_finds(summed, facts, days) -> None:
    assert list(summed(facts, days).values()) == sorted(
        by_loop(facts, days), key=lambda row: (row["day"], row["customer_id"])
    )


@MANY
@given(st.lists(FACTS, min_size=1, max_size=30), st.randoms())
def test_the_order_of_the_facts_makes_no_difference_to_the_last_bit(summed, facts, random) -> None:
    shuffled = random.sample(facts, len(facts))
    assert repr(summed(shuffled)) == repr(summed(facts))


def test_a_fact_counts_from_its_first_day_to_its_last(summed) -> None:
    found = summed([{"start": DAYS.start + 1, "end": DAYS.start + 3, "amount": 2.5, "seen": 7}])
    assert [found["c", day]["amount"] for day in range(5)] == [0, 2.5, 2.5, 2.5, 0]
    assert [found["c", day]["n"] for day in range(5)] == [0, 1, 1, 1, 0]
    assert [found["c", day]["seen"] for day in range(5)] == [None, 7, 7, 7, 7]


def test_a_fact_whose_end_lies_before_its_start_never_counts_nor_is_it_seen(summed) -> None:
    found = summed([{"start": DAYS.start + 3, "end": DAYS.start + 1, "amount": 2.5, "seen": 7}])
    assert {(row["n"], row["seen"]) for row in found.values()} == {(0, None)}


def test_a_customer_without_facts_has_zeros_and_nothing_seen(summed) -> None:
    assert set(summed([])) == {(customer, day) for customer in CUSTOMERS for day in range(5)}
    assert {(row["n"], row["amount"], row["seen"]) for row in summed([]).values()} == {(0, 0, None)}


def test_only_what_is_asked_for_is_answered(company) -> None:
    grid = [{"customer_id": "a", "day": DAYS.start + 3}]
    rows, asked = (
        company.load("counted", [{"customer_id": "a", "start": 0, "end": 10**6, "amount": 1.0}]),
        company.load("people", grid),
    )
    counted = Counted(rows, _.start, _.end, {"amount": _.amount})
    found = company.rows(
        company.compute(lambda: window_sums(asked.select("customer_id", "day"), [counted], DAYS), "asked")
    )
    assert found == [{"customer_id": "a", "day": DAYS.start + 3, "amount": 1.0}]


def test_quantities_are_rounded_to_the_step_in_which_sums_are_exact(engine) -> None:
    values = [0.1, 0.25, 1e9 + 1e-7, 0.0, -0.1]
    with engine.scope():
        table = engine.arrow(pa.table({"n": range(5), "value": values}))
        found = [row["value"] for row in engine.rows(table.select("n", value=exact(table.value)).order_by("n"))]
    assert found == [round(value / EXACT_STEP) * EXACT_STEP for value in values]
    assert sum(found) == sum(reversed(found))
