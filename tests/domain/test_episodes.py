"""Episodes: the same as a state machine that goes through the days one by one, in one expression."""

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.domain.episodes import LOOKBACK_DAYS, REACH_DAYS, episodes

FIRST = date(2024, 2, 1)
MEDIUM, HIGH, HYSTERESIS = 4.0, 8.0, 0.5
EDGES = (1.0, 3.49, 3.5, 3.9, 3.99, 4.0, 7.4, 7.49, 7.5, 7.9, 7.99, 8.0, 10.0)
Scores = list[float | None]


@pytest.fixture(scope="module")
def found(engine):
    """State and first day of the stay, per day that has a score."""

    def of(scores: Scores, start: date = FIRST, hysteresis: float = HYSTERESIS):
        days = [start + timedelta(n) for n in range(len(scores))]
        with engine.scope():
            rows = {"customer_id": ["C"] * len(days), "scan_day": pa.array(days, pa.date32()),
                    "score": pa.array(scores, pa.float64())}  # fmt: skip
            told = engine.rows(episodes(engine.arrow(pa.table(rows)), MEDIUM, HIGH, hysteresis).order_by("scan_day"))
        return {row["scan_day"]: (row["state"], row["since"]) for row in told}

    return of


def machine(scores: Scores) -> dict[date, tuple[str, date]]:
    """The same, day by day."""
    state, since, told = None, FIRST, {}
    for n, score in enumerate(scores):
        if score is None:
            continue
        day, before = FIRST + timedelta(n), state
        if score >= HIGH or (state == "high" and score >= HIGH - HYSTERESIS):
            state = "high"
        elif score >= MEDIUM or (state in ("medium", "high") and score >= MEDIUM - HYSTERESIS):
            state = "medium"
        else:
            state = "low"
        since = day if state != before else since
        told[day] = (state, since)
    return told


@given(st.lists(st.none() | st.sampled_from(EDGES) | st.floats(1, 10), min_size=1, max_size=LOOKBACK_DAYS))
def test_every_day_has_the_state_of_a_machine_that_went_through_all_days(found, scores) -> None:
    assert found(scores) == machine(scores)


@pytest.mark.parametrize(
    ("scores", "states"),
    [
        ([4.0, 3.5, 3.49], ["medium", "medium", "low"]),
        ([3.99, 4.0], ["low", "medium"]),
        ([8.0, 7.5, 7.49], ["high", "high", "medium"]),
        ([7.99, 8.0], ["medium", "high"]),
        ([8.0, 3.7], ["high", "medium"]),
        ([3.7, 7.7], ["low", "medium"]),
        ([8.0, None, None, 7.6], ["high", "high"]),
        ([5.0, 3.6, 7.8, 3.6], ["medium"] * 4),
    ],
)
def test_a_band_is_left_downwards_by_more_than_the_hysteresis_only(found, scores, states) -> None:
    assert [state for state, _ in found(scores).values()] == states


def test_a_stay_longer_than_the_lookback_begins_with_it(found) -> None:
    told = found([5.0] * (LOOKBACK_DAYS + 10))
    last = FIRST + timedelta(LOOKBACK_DAYS + 9)
    assert told[last] == ("medium", last - timedelta(LOOKBACK_DAYS))


@given(st.lists(st.sampled_from(EDGES), min_size=REACH_DAYS + 5, max_size=REACH_DAYS + 5))
def test_a_day_depends_on_the_days_within_its_reach_and_on_no_other(found, scores) -> None:
    whole, last = found(scores), FIRST + timedelta(len(scores) - 1)
    cut = found(scores[-REACH_DAYS - 1 :], last - timedelta(REACH_DAYS))
    assert cut[last] == whole[last]


def test_a_hysteresis_as_wide_as_the_medium_band_is_refused(found) -> None:
    with pytest.raises(ValueError, match="a hysteresis of 4 is not below 4, the medium band"):
        found([5.0], hysteresis=4)
