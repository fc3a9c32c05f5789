"""Learning: what a fit finds, keeps and refuses, and when what it found is good enough to be used."""

from datetime import date

import numpy as np
import pytest

from orchestration_project.domain import learning, validation
from orchestration_project.domain.champions import Act, Decision, line_of_succession, runs, terms
from orchestration_project.domain.gate import enough, gate
from orchestration_project.domain.learning import LearningError, Rows
from orchestration_project.domain.rules import LearningRules
from orchestration_project.domain.signals import CATALOGUE, named
from orchestration_project.domain.validation import Scored

RULES, HORIZON = LearningRules(), 90
NAMES = ("days_since_use", "active_days_30d", "tickets_30d", "mrr", "satisfaction_90d")
MONTH = 30


def drawn(seed, customers=1500, months=14, effects=(1.2, -0.6, 0.0, 0.5, 0.0)):
    """Scan days of customers whose log-odds of leaving are a known sum of their signals."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(customers * months, len(NAMES)))
    odds = -2.2 + matrix @ np.array(effects)
    churned = (random.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float)
    matrix[random.random(len(odds)) < 0.3, 4] = np.nan
    day = np.repeat(20_000 + MONTH * np.arange(months), customers)
    return Rows(NAMES, matrix, churned, np.ones(len(odds)), day, np.tile(np.arange(customers), months), odds)


@pytest.fixture(scope="module")
def rows():
    return drawn(1)


@pytest.fixture(scope="module")
def card(rows):
    return learning.fit(learning.split(rows, RULES, HORIZON)[0], RULES, HORIZON)


def test_training_days_were_over_before_the_first_validation_day(rows) -> None:
    training, held_out = learning.split(rows, RULES, HORIZON)
    assert len(held_out.days) == RULES.validation_months
    assert max(training.days) + HORIZON <= min(held_out.days)
    assert max(held_out.days) == max(rows.days)


def test_a_fit_ranks_nearly_as_well_as_the_truth_on_later_days(rows, card) -> None:
    _, held_out = learning.split(rows, RULES, HORIZON)
    found = validation.metrics(scored(held_out, card.log_odds(held_out.matrix, NAMES)))
    best = validation.metrics(scored(held_out, held_out.prior))
    assert found["auc"].value > best["auc"].value - 0.01
    assert found["slope"].low <= 1.1
    assert found["slope"].high >= 0.9


def test_every_curve_keeps_its_declared_direction_and_a_free_one_finds_its_own(card) -> None:
    declared = {curve.signal: curve.direction for curve in card.curves if named(curve.signal).direction}
    assert all(named(name).direction == direction for name, direction in declared.items())
    assert next(curve.direction for curve in card.curves if curve.signal == "mrr") == 1
    against = learning.fit(drawn(2, effects=(-1.0, 0.0, 0.0, -0.5, 0.0)), RULES, HORIZON)
    assert all(named(each.signal).direction in (0, each.direction) for each in against.curves)
    assert next(curve.direction for curve in against.curves if curve.signal == "mrr") == -1


def test_the_sum_of_curves_is_the_model_and_is_centred(rows, card) -> None:
    training, _ = learning.split(rows, RULES, HORIZON)
    odds = card.log_odds(training.matrix, NAMES)
    assert np.average(odds, weights=learning.aged(training, RULES)) == pytest.approx(card.intercept, abs=1e-9)
    assert sum(card.weights.values()) == pytest.approx(1)


def test_the_same_rows_give_the_same_scorecard(rows, card) -> None:
    assert learning.fit(learning.split(rows, RULES, HORIZON)[0], RULES, HORIZON).version == card.version


def test_families_without_any_data_have_no_weight(card) -> None:
    assert card.weights["payment_issues"] == card.weights["engagement_drop"] == 0


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_a_signal_that_is_unknown_or_the_same_for_all_gets_no_curve(rows, value) -> None:
    matrix = rows.matrix.copy()
    matrix[:, 2] = value
    flat = Rows(NAMES, matrix, rows.churned, rows.weight, rows.day, rows.customer, rows.prior)
    assert "tickets_30d" not in learning.fit(flat, RULES, HORIZON).signals


def test_a_signal_that_appears_in_the_middle_of_history_is_learned_where_it_is_known(rows) -> None:
    matrix = rows.matrix.copy()
    matrix[rows.day < rows.days[7], 0] = np.nan
    half = Rows(NAMES, matrix, rows.churned, rows.weight, rows.day, rows.customer, rows.prior)
    curve = next(each for each in learning.fit(half, RULES, HORIZON).curves if each.signal == "days_since_use")
    assert curve.points[0] < curve.missing < curve.points[-1]


@pytest.mark.parametrize(("outcome", "told"), [(0.0, "nobody left"), (1.0, "everybody left")])
def test_outcomes_of_one_kind_only_are_refused(rows, outcome, told) -> None:
    same = Rows(NAMES, rows.matrix, np.full(len(rows), outcome), rows.weight, rows.day, rows.customer, rows.prior)
    with pytest.raises(LearningError, match=told):
        learning.fit(same, RULES, HORIZON)


def test_outcomes_that_are_there_twice_are_refused_with_their_number(rows) -> None:
    twice = rows.where(np.concatenate([np.arange(len(rows)), [0, 1]]))
    with pytest.raises(LearningError, match=r"2 outcomes are there twice.*materialize churn_outcomes"):
        learning.fit(twice, RULES, HORIZON)


def test_an_infinite_signal_is_named(rows) -> None:
    matrix = rows.matrix.copy()
    matrix[5, 1] = np.inf
    with pytest.raises(LearningError, match="active_days_30d"):
        learning.fit(Rows(NAMES, matrix, rows.churned, rows.weight, rows.day, rows.customer, rows.prior), RULES, 90)


def test_every_signal_has_a_direction_and_a_reason() -> None:
    assert all(each.direction in (-1, 0, 1) and each.reason for each in CATALOGUE)
    assert len({each.name for each in CATALOGUE}) == len(CATALOGUE)
    with pytest.raises(ValueError, match="'moon' is no signal"):
        named("moon")


def scored(rows, says, calibrated=True):
    return Scored(says, rows.churned, rows.customer, rows.weight, calibrated)


def test_too_few_churners_are_counted_out() -> None:
    check = enough(66, 31, RULES)
    assert (check.passed, "34 fewer than needed" in check.told) == (False, True)
    assert enough(RULES.min_churners, RULES.min_validation_churners, RULES).passed


def judged(rows, candidate, champion, calibrated=True):
    return verdicts(rows, candidate, champion, validation.metrics(scored(rows, candidate))["slope"], calibrated)


def verdicts(rows, candidate, champion, slope, calibrated=True):
    one, other = scored(rows, candidate), scored(rows, champion, calibrated)
    return {each.name: each.passed for each in gate(one, other, slope, candidate, RULES)}


def test_a_better_candidate_passes_and_a_worse_does_not(rows) -> None:
    truth, noise = rows.prior, np.random.default_rng(3).normal(-2, 0.1, len(rows))
    assert judged(rows, truth, noise) == {"better": True, "calibrated": True, "stable": True}
    assert judged(rows, truth, noise, calibrated=False)["better"]
    assert not judged(rows, noise, truth)["better"]
    assert not judged(rows, truth, truth)["better"]
    assert not judged(rows, truth * 5, noise)["calibrated"]


def test_candidates_that_differ_by_noise_alone_pass_no_more_often_than_the_gates_rate() -> None:
    passed = 0
    for month in range(200):
        rows = drawn(1000 + month, customers=300, months=3)
        noise = np.random.default_rng(month).normal(0, 0.4, (2, len(rows)))
        passed += verdicts(rows, *(rows.prior + noise), validation.Figure(1, 1, 1))["better"]
    # 200 draws of a share of at most 5 % are above 18 once in 100.
    assert passed <= 18


def test_a_shift_of_scores_is_found_and_chance_is_not_called_one() -> None:
    random = np.random.default_rng(0)
    sample = random.normal(size=5000)
    index, limit = validation.population_stability(sample, random.normal(0.6, 1, 5000))
    assert index > 0.25 > limit
    below = [
        index <= limit
        for index, limit in (
            validation.population_stability(random.normal(size=400), random.normal(size=200)) for _ in range(200)
        )
    ]
    assert np.mean(below) >= 0.96


def decision(month, version, status="champion"):
    return Decision(month=date(2026, month, 1), candidate=version, status=status, incumbent="prior-1")


def test_a_champion_scores_from_the_month_after_its_refit() -> None:
    found = [decision(3, "a"), decision(4, "b", "shadow"), decision(5, "c", "waiting"), decision(6, "d")]
    in_force = [line_of_succession("prior-1", found, [], date(2026, month, 1))[-1] for month in range(3, 8)]
    assert in_force == ["prior-1", "a", "a", "a", "d"]
    assert line_of_succession("prior-1", found, [], date(2026, 3, 31)) == ["prior-1"]


def act(day, action, version=None):
    return Act(on=date(2026, 6, day), by="eve", action=action, version=version, reason="tried")


def test_terms_tell_since_when_each_version_was_in_force() -> None:
    decided = [decision(1, "a"), decision(2, "b", "shadow"), decision(3, "a")]
    back = Act(on=date(2026, 4, 20), by="Ada", action="rollback", reason="complaints")
    found = terms("prior-1", decided, [back], date(2026, 4, 30))
    assert [(each.version, each.since) for each in found] == [
        ("prior-1", None), ("a", date(2026, 2, 1)), ("prior-1", date(2026, 4, 20)),
    ]  # fmt: skip
    assert len(terms("prior-1", decided, [back], date(2026, 4, 19))) == 2


def test_churn_is_told_per_integer_score_with_an_interval_by_customer() -> None:
    points = np.array([1.0, 1.9, 9.5, 10.0, 10.0])
    churned, customer = np.array([0.0, 0, 1, 1, 0]), np.array([1, 2, 3, 3, 4])
    low, high = validation.by_integer_score(points, Scored(points, churned, customer, np.ones(5)))
    assert (low["score"], low["customers"], low["churn"]) == (1, 2, 0)
    assert (high["score"], high["customers"], high["churn"]) == (9, 2, pytest.approx(2 / 3))
    assert high["low"] < high["churn"] < high["high"]


def test_people_approve_and_roll_back_from_their_day_on() -> None:
    found, acts = [decision(3, "a"), decision(4, "b", "waiting")], [act(10, "approve", "b"), act(20, "rollback")]
    told = {day: line_of_succession("prior-1", found, acts, date(2026, 6, day))[-1] for day in (9, 10, 19, 20)}
    assert told == {9: "a", 10: "b", 19: "b", 20: "a"}
    assert line_of_succession("prior-1", [], [act(1, "rollback")], date(2026, 6, 2)) == ["prior-1"]


def test_a_range_is_cut_where_the_weights_change() -> None:
    days = [date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2)]
    assert runs("prior-1", [decision(3, "a")], [], days) == [days[:1], days[1:]]
