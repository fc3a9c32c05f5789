"""Scorecards: what their curves say, that every engine says the same, and that a changed one has another name."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from orchestration_project.domain.factors import with_severities
from orchestration_project.domain.rules import FAMILIES, ScoringRules, SeverityRules
from orchestration_project.domain.scorecard import Curve, Scorecard
from orchestration_project.domain.scoring import score

SILENT = Curve(signal="days_since_use", family="usage_decline", direction=1, edges=(7.0, 30.0), points=(-1.0, 0.5, 2.0), missing=0.25)  # fmt: skip  # noqa: E501
TICKETS = Curve(signal="tickets_30d", family="support_tickets", direction=1, edges=(3.0,), points=(0.0, 1.0), missing=0.0)  # fmt: skip  # noqa: E501
CARD = Scorecard(
    trained_on=("2026-01-31",), horizon_days=90, base_rate=0.1, intercept=math.log(1 / 9), curves=(SILENT, TICKETS),
    weights={"usage_decline": 0.7, "support_tickets": 0.3},
)  # fmt: skip
SCALE = 4 / math.log(4)


@pytest.fixture
def scored(company):
    """The score of one row of signals under a scorecard."""

    def of(card=CARD, **override):
        rows = company.load("signals", [override])
        told = company.compute(
            lambda: score(with_severities(rows, SeverityRules()), ScoringRules(), FAMILIES, scorecard=card),
            "learned", card.version,
        )  # fmt: skip
        return company.rows(told)[0]

    return of


def test_a_score_is_4_at_one_and_a_half_times_the_base_odds_and_8_at_six_times(scored) -> None:
    for odds, expected in ((1.5, 4), (6, 8), (3, 6)):
        card = CARD.model_copy(update={"intercept": math.log(odds / 9) + 1})
        assert scored(card, days_since_use=0)["score"] == pytest.approx(expected)


def test_contributions_add_up_and_name_base_families_and_what_the_end_of_the_scale_cut_off(scored) -> None:
    row = scored(days_since_use=10, tickets_30d=5)
    points = dict(row["contributions"])
    assert row["score"] == pytest.approx(1 + sum(points.values()), abs=1e-9)
    assert points["base"] == pytest.approx(3 - SCALE * math.log(1.5))
    assert points["usage_decline"] == pytest.approx(SCALE * 0.5)
    assert points["support_tickets"] == pytest.approx(SCALE)
    assert points["limit"] == 0
    low = scored(CARD.model_copy(update={"intercept": -9.0}), days_since_use=10)
    assert (low["score"], dict(low["contributions"])["limit"] > 0) == (1, True)
    assert 1 + sum(dict(low["contributions"]).values()) == pytest.approx(1, abs=1e-9)


def test_the_probability_is_that_of_the_log_odds(scored) -> None:
    row = scored(days_since_use=10, tickets_30d=0)
    assert row["probability"] == pytest.approx(1 / (1 + math.exp(-(math.log(1 / 9) + 0.5))))
    assert row["weights_version"] == CARD.version


def test_families_and_signals_that_raised_a_score_are_named(scored) -> None:
    assert scored(days_since_use=10, tickets_30d=0)["factors"] == ["usage_decline", "days_since_use"]
    assert scored(days_since_use=0, tickets_30d=0)["factors"] == []


def test_an_unknown_signal_has_points_of_its_own_but_too_much_unknown_is_no_score(scored) -> None:
    quiet = scored(days_since_use=None, tickets_30d=0)
    assert dict(quiet["contributions"])["usage_decline"] == pytest.approx(SCALE * 0.25)
    missing = scored(days_since_use=None, usage_missing="no_rows", decline_pct=None, typical_gap_days=None)
    assert (missing["score"], missing["no_score_reason"], missing["probability"]) == (None, "insufficient_data", None)


def test_a_notice_of_cancellation_is_a_floor_under_a_learned_score_too(scored) -> None:
    assert scored(days_since_use=0, notice_given=True)["score"] == 8


@pytest.mark.parametrize(
    ("value", "points"), [(0, -1), (6.99, -1), (7, 0.5), (29, 0.5), (30, 2), (900, 2), (math.nan, 0.25)]
)
def test_a_value_belongs_to_the_step_that_its_edge_begins(value, points) -> None:
    assert SILENT.at(np.array([float(value)]))[0] == points


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"points": (2.0, 0.5, -1.0)}, "turns against its direction"),
        ({"edges": (30.0, 7.0)}, "rising edges"),
        ({"points": (0.0, 1.0)}, "one point more"),
        ({"missing": math.inf}, "not finite"),
    ],
)
def test_a_curve_that_is_none_is_refused_by_name(change, culprit) -> None:
    with pytest.raises(ValidationError, match=f"days_since_use.*{culprit}|{culprit}"):
        Curve(**SILENT.model_dump() | change)


def test_the_version_is_the_content() -> None:
    assert Scorecard(**CARD.model_dump()).version == CARD.version
    assert CARD.version.startswith("learned-")
    assert CARD.model_copy(update={"intercept": CARD.intercept + 1e-12}).version != CARD.version
    assert Scorecard.model_validate_json(CARD.model_dump_json()).version == CARD.version


@given(st.lists(st.floats(-5, 400) | st.none(), min_size=1, max_size=20))
def test_the_expression_and_the_array_say_the_same(engine, values) -> None:
    import pyarrow as pa

    with engine.scope():
        column = pa.table({"n": range(len(values)), "days": pa.array(values, pa.float64())})
        table = engine.arrow(column)
        found = engine.rows(table.select("n", points=SILENT.of(table.days)).order_by("n"))
    array = SILENT.at(np.array([math.nan if value is None else value for value in values]))
    assert [row["points"] for row in found] == array.tolist()
