"""Discontinuity: a known jump at a band edge is found, a smooth curve has none, and too few rows say so."""

import math

import numpy as np
import pytest

from orchestration_project.domain.discontinuity import Jump, discontinuity

SEEDS = 200
EDGES = (4, 8)


def company(seed: int, jumps: dict[float, float], customers: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Scores from 1 to 10 and who left: churn rises along a bent curve, and jumps where customers are treated."""
    random = np.random.default_rng(seed)
    score = random.uniform(1, 10, customers)
    churn = 0.1 + 0.5 / (1 + np.exp(-(score - 6) / 1.5))
    churn += sum(jump * (score >= edge) for edge, jump in jumps.items())
    return score, random.random(customers) < churn


def end_of_line(distance: np.ndarray, left: np.ndarray, bandwidth: float) -> float:
    """Where a line ends, fitted in another way."""
    near = abs(distance) < bandwidth
    root = np.sqrt(1 - abs(distance[near]) / bandwidth)
    return float(np.polyfit(distance[near], left[near].astype(float), 1, w=root)[1])


def jumps_found(edge: float, jumps: dict[float, float]) -> list[Jump]:
    found = [discontinuity(*company(seed, jumps), edge, 1.5) for seed in range(SEEDS)]
    assert all(each.enough for each in found)
    return found


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("jump", [-0.12, 0.1])
def test_a_known_jump_lies_within_its_interval(edge, jump) -> None:
    found = jumps_found(edge, {edge: jump})
    assert sum(each.low <= jump <= each.high for each in found) >= 0.9 * SEEDS
    assert np.mean([each.difference for each in found]) == pytest.approx(jump, abs=0.015)


@pytest.mark.parametrize("edge", EDGES)
def test_a_smooth_curve_has_no_jump_though_there_is_one_at_the_other_edge(edge) -> None:
    found = jumps_found(edge, {12 - edge: -0.15})
    assert sum(not each.significant for each in found) >= 0.93 * SEEDS


def test_the_interval_is_as_wide_as_the_estimates_scatter() -> None:
    found = jumps_found(4, {4: -0.1})
    width = np.mean([each.high - each.low for each in found])
    assert width / (2 * 1.96) == pytest.approx(np.std([each.difference for each in found]), rel=0.15)


def test_the_jump_is_between_the_ends_of_two_lines_that_nearer_rows_draw_more() -> None:
    score, left = company(5, {4: -0.1}, 1000)
    below, above = (end_of_line(score[side] - 4, left[side], 1.5) for side in (score < 4, score >= 4))
    assert discontinuity(score, left, 4, 1.5).difference == pytest.approx(above - below)


def test_the_error_is_that_of_leaving_out_one_row_at_a_time() -> None:
    """Which is what HC3 comes to (MacKinnon and White 1985)."""
    score, left = company(5, {4: -0.1}, 600)
    near = abs(score - 4) < 1.5
    distance, left = score[near] - 4, left[near]
    variance = 0.0
    for side in (distance < 0, distance >= 0):
        rows = np.flatnonzero(side)
        whole = end_of_line(distance[rows], left[rows], 1.5)
        variance += sum((end_of_line(distance[rows[rows != n]], left[rows[rows != n]], 1.5) - whole) ** 2 for n in rows)
    found = discontinuity(distance, left, 0, 1.5)
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(math.sqrt(variance), rel=1e-6)


def test_a_score_on_the_edge_is_above_it_and_rows_beyond_the_bandwidth_do_not_count() -> None:
    found = discontinuity([3.0, 3.001, 3.999, 4.0, 4.999, 5.0], [0, 1, 0, 1, 0, 1], 4, 1)
    assert (found.below, found.above) == (2, 2)


def test_the_rows_beyond_the_bandwidth_change_nothing() -> None:
    score, left = company(0, {4: -0.1})
    near = abs(score - 4) < 1
    assert discontinuity(score, left, 4, 1) == discontinuity(score[near], left[near], 4, 1)


@pytest.mark.parametrize("side", ["none", "few", "one side", "nobody left", "everybody left", "one score", "far row"])
def test_too_little_at_the_edge_is_not_enough_data_and_no_number_is_told(side) -> None:
    score, left = company(0, {})
    kept = {
        "none": score > 10, "few": np.arange(len(score)) < 200, "one side": score >= 4,
        "nobody left": (score >= 4) | ~left, "everybody left": (score >= 4) | left,
        "one score": score >= 4, "far row": score >= 4,
    }[side]  # fmt: skip
    score, left = score[kept], left[kept]
    if side == "one score":
        score, left = np.append(score, [3.5] * 100), np.append(left, [0, 1] * 50)
    if side == "far row":
        score, left = np.append(score, [3.1] * 100 + [3.9]), np.append(left, [0, 1] * 50 + [1])
    found = discontinuity(score, left, 4, 1)
    assert (found.difference, found.low, found.high) == (None, None, None)
    assert not found.enough and not found.significant


@pytest.mark.parametrize(
    ("rows", "churners", "enough"), [(30, 15, True), (29, 15, False), (30, 5, True), (30, 4, False)]
)
def test_each_side_needs_thirty_rows_and_five_of_each_outcome(rows, churners, enough) -> None:
    score, left = np.linspace(-1, 1, 202)[1:-1], np.arange(200) % 2 == 0
    few, random = np.linspace(0.01, 0.9, rows), np.random.default_rng(0)
    drawn = random.permutation(rows) < churners
    score, left = score[score < 0], left[score < 0]
    for sign in (1, -1):
        found = discontinuity(np.append(score, few) * sign, np.append(left, drawn), 0, 1)
        assert found.enough == enough
    assert discontinuity(np.append(score, few), np.append(left, ~drawn), 0, 1).enough == enough


def test_small_companies_are_told_with_honest_intervals_or_not_at_all() -> None:
    found = [discontinuity(*company(seed, {4: -0.1}, 500), 4, 1.5) for seed in range(SEEDS)]
    told = [each for each in found if each.enough]
    assert len(told) >= SEEDS / 2
    assert sum(each.low <= -0.1 <= each.high for each in told) >= 0.9 * len(told)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"score": [1, math.nan]}, "score is nan in row 1; leave out rows without a score"),
        ({"outcome": [math.nan, 1]}, "outcome is nan in row 0; .* have not matured"),
        ({"outcome": [1]}, "score has 2, outcome has 1"),
        ({"edge": math.nan}, "edge is nan; pass the score at which a band begins"),
        ({"bandwidth": 0}, "bandwidth is 0; pass a positive number of points"),
        ({"bandwidth": math.inf}, "bandwidth is inf; pass a positive number of points"),
    ],
)
def test_rows_and_edges_that_cannot_be_are_refused_by_name(override, told) -> None:
    with pytest.raises(ValueError, match=told):
        discontinuity(**{"score": [1, 2], "outcome": [0, 1], "edge": 4, "bandwidth": 1, **override})
