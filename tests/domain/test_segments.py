"""Segments: those with outcomes of their own depart from the common curves, as far as these outcomes say."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from orchestration_project.domain import learning
from orchestration_project.domain.factors import with_severities
from orchestration_project.domain.learning import Rows
from orchestration_project.domain.rules import FAMILIES, LearningRules, ScoringRules, SeverityRules
from orchestration_project.domain.scorecard import Curve, Departure, Scorecard
from orchestration_project.domain.scoring import score
from orchestration_project.domain.segments import with_departures

RULES = LearningRules(by_segment=True)
NAMES = ("days_since_use", "tickets_30d", "segment:large", "segment:small", "segment:rare")
COMMON = Scorecard(
    trained_on=("2026-01-31",), horizon_days=90, base_rate=0.1, intercept=math.log(1 / 9),
    curves=(
        Curve(signal="days_since_use", family="usage_decline", direction=1, edges=(7.0,), points=(-1, 1), missing=0),
        Curve(signal="tickets_30d", family="support_tickets", direction=1, edges=(2.0,), points=(-0.5, 1), missing=0),
    ),
    weights={"usage_decline": 0.6, "support_tickets": 0.4},
)  # fmt: skip
LARGE = Departure(segment="large", shift=0.3, factors=dict.fromkeys(FAMILIES, 1.0) | {"support_tickets": 2.0})


def drawn(shift=0.0, tickets=1.0, customers=4000, seed=1):
    """One scan day in which `large` departs from the common curves as told, and `rare` is hardly there."""
    random = np.random.default_rng(seed)
    matrix = np.column_stack([random.integers(0, 15, customers), random.integers(0, 4, customers)]).astype(float)
    which = random.choice(3, customers, p=[0.48, 0.5, 0.02])
    matrix = np.column_stack([matrix, *(which == n for n in range(3))])
    points = COMMON.family_log_odds(matrix, NAMES)
    large = which == 0
    odds = COMMON.intercept + points["usage_decline"] + points["support_tickets"] * np.where(large, tickets, 1)
    churned = random.random(customers) < 1 / (1 + np.exp(-odds - shift * large))
    ones, who = np.ones(customers), np.arange(customers)
    return Rows(NAMES, matrix, churned.astype(float), ones, np.full(customers, 20_000), who, odds)


def departures(rows, rules=RULES):
    return {each.segment: each for each in with_departures(COMMON, rows, rules).departures}


def test_a_segment_that_departs_is_followed_part_of_the_way() -> None:
    large = departures(drawn(shift=0.8, tickets=1.8))["large"]
    assert 0.4 < large.shift < 0.9
    assert 1.3 < large.factors["support_tickets"] < 1.9
    assert large.factors["usage_decline"] == pytest.approx(1, abs=0.2)


def test_the_fewer_outcomes_the_nearer_to_the_common_curves() -> None:
    few, many = (
        departures(drawn(shift=1.0, customers=each), LearningRules(min_churners=10))["large"].shift
        for each in (300, 20_000)
    )
    assert 0 < few < many < 1.1


def test_a_segment_with_too_few_churners_has_no_departure_and_one_like_the_rest_hardly_any() -> None:
    found = departures(drawn())
    assert set(found) == {"large", "small"}
    assert all(abs(each.shift) < 0.2 and abs(factor - 1) < 0.25 for each in found.values()
               for factor in each.factors.values())  # fmt: skip


def test_a_family_that_speaks_against_its_direction_in_a_segment_falls_silent_there() -> None:
    assert departures(drawn(tickets=-3.0, customers=40_000))["large"].factors["support_tickets"] == 0
    with pytest.raises(ValidationError):
        Departure(segment="large", shift=0, factors={"support_tickets": -0.1})


def test_the_expression_says_what_the_array_says_and_contributions_add_up(company) -> None:
    card = COMMON.model_copy(update={"departures": (LARGE,)})
    rows = [
        {"customer_id": f"{n}", "segment": segment, "days_since_use": 3 * n, "tickets_30d": n, "active_days_365d": 9}
        for n, segment in enumerate(["large", "small", "large", None])
    ]
    table = company.load("signals", rows)
    told = company.compute(
        lambda: score(with_severities(table, SeverityRules()), ScoringRules(), FAMILIES, scorecard=card), "segments"
    )
    found = {row["customer_id"]: row for row in company.rows(told)}
    matrix = np.array([[row["days_since_use"], row["tickets_30d"], row["segment"] == "large"] for row in rows], float)
    odds = card.log_odds(matrix, ("days_since_use", "tickets_30d", "segment:large"))
    for n, row in enumerate(rows):
        scored = found[row["customer_id"]]
        assert scored["probability"] == pytest.approx(1 / (1 + math.exp(-odds[n])), abs=1e-12)
        assert scored["score"] == pytest.approx(1 + sum(dict(scored["contributions"]).values()), abs=1e-9)


def test_a_scorecard_with_departures_has_a_name_and_columns_of_its_own() -> None:
    card = COMMON.model_copy(update={"departures": (LARGE,)})
    assert card.version != COMMON.version
    assert card.columns == ("days_since_use", "tickets_30d", "segment:large")
    assert COMMON.columns == COMMON.signals


def test_the_common_curves_are_kept() -> None:
    training = drawn()
    card = learning.fit(training, RULES, 90)
    assert with_departures(card, training, RULES).curves == card.curves
