"""Effects: what is there is found as often as claimed, what is not there is not, and too little data says so."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from orchestration_project.domain.effects import (
    FEWEST,
    Group,
    Lift,
    SampleRatio,
    lift,
    power,
    sample_ratio,
    smallest_detectable,
)

MANY = settings(max_examples=settings().max_examples * 25)
SEEDS = 200
DESIGNS = [(2000, 2000, 0.12), (2000, 400, 0.12), (5000, 5000, 0.02), (300, 100, 0.3)]
"""Treated and untreated customers, and churn of the untreated."""

groups = st.tuples(st.integers(0, 400), st.floats(0, 1)).map(lambda drawn: (drawn[0], round(drawn[0] * drawn[1])))
rates, sizes = st.floats(0.01, 0.99), st.integers(1, 10_000)


def outcomes(customers: int, churners: int) -> np.ndarray:
    return np.arange(customers) < churners


def lifted(treated: tuple[int, int], control: tuple[int, int], confidence: float = 0.95) -> Lift:
    return lift(outcomes(*treated), outcomes(*control), confidence)


def experiments(n_treated: int, n_control: int, base: float, effect: float, seeds: int = SEEDS) -> list[Lift]:
    """One lift per seed, with a known effect."""
    drawn = [np.random.default_rng(seed) for seed in range(seeds)]
    return [lift(each.random(n_treated) < base - effect, each.random(n_control) < base) for each in drawn]


def test_lift_is_the_retention_of_the_treated_minus_that_of_the_control_group() -> None:
    found = lifted((400, 40), (200, 40))
    assert (found.treated, found.control) == (Group(400, 40), Group(200, 40))
    assert found.difference == pytest.approx(0.1)
    assert found.relative == pytest.approx(0.5)
    assert found.detectable == pytest.approx(smallest_detectable(400, 200, 80 / 600))
    assert found.enough and found.significant


def test_the_interval_is_that_of_newcombe() -> None:
    """56 of 70 against 48 of 80: table II of Newcombe (1998), method 10."""
    found = lifted((80, 48), (70, 56))
    assert [found.difference, found.low, found.high] == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("averted", [0.4, -0.3])
def test_a_known_effect_lies_within_its_interval(design, averted) -> None:
    effect = averted * design[2]
    found = [each for each in experiments(*design, effect) if each.enough]
    assert len(found) >= 0.9 * SEEDS
    assert sum(each.low <= effect <= each.high for each in found) >= 0.9 * len(found)
    assert np.mean([each.difference for each in found]) == pytest.approx(effect, abs=0.15 * abs(effect))


@pytest.mark.parametrize("design", DESIGNS)
def test_nothing_is_found_where_there_is_nothing(design) -> None:
    found = experiments(*design, 0)
    assert sum(not each.significant for each in found) >= 0.93 * SEEDS


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    narrow, wide = lifted((400, 40), (200, 40), 0.8), lifted((400, 40), (200, 40), 0.99)
    assert wide.low < narrow.low < narrow.difference < narrow.high < wide.high


@pytest.mark.parametrize(
    ("treated", "control"),
    [
        ((0, 0), (0, 0)), ((500, 50), (0, 0)), ((0, 0), (500, 50)), ((3, 0), (3, 3)), ((19, 0), (500, 250)),
        ((1000, 20), (50, 1)), ((1000, 0), (1000, 0)), ((900, 9), (100, 0)),
    ],
)  # fmt: skip
def test_too_few_customers_or_leaves_are_not_enough_data_and_no_number_is_told(treated, control) -> None:
    found = lifted(treated, control)
    assert found == Lift(None, None, None, Group(*treated), Group(*control), None, None)
    assert not found.enough and not found.significant


def test_the_luck_of_a_small_control_group_does_not_decide_whether_an_effect_is_told() -> None:
    """Else the effects that are told would be those of control groups in which more left than would have."""
    found = [each for each in experiments(900, 100, 0.02, 0, seeds=1500) if each.enough]
    assert 300 < len(found) < 1200
    assert np.mean([each.difference for each in found]) == pytest.approx(0, abs=0.0015)
    assert sum(not each.significant for each in found) >= 0.93 * len(found)


def test_the_smallest_groups_that_can_show_anything_do_answer() -> None:
    assert lifted((FEWEST, 0), (FEWEST, 15)).enough


def test_harm_is_found_even_where_nobody_of_the_control_group_left() -> None:
    found = lifted((200, 30), (200, 0))
    assert found.significant and found.high < 0
    assert found.relative is None


@MANY
@given(groups, groups)
def test_an_interval_holds_its_difference_and_turns_round_with_the_groups(one, other) -> None:
    found, turned = lifted(one, other), lifted(other, one)
    if found.enough:
        assert -1 <= found.low <= found.difference <= found.high <= 1
    if found.enough and turned.enough:
        assert [turned.low, turned.high] == pytest.approx([-found.high, -found.low])


@pytest.mark.parametrize("wrong", [math.nan, 2, -1, 0.5])
def test_an_outcome_that_has_not_matured_is_refused_by_name(wrong) -> None:
    with pytest.raises(
        ValueError, match=r"treated_outcomes is .* in row 1; .* leave out outcomes that have not matured"
    ):
        lift([0, wrong], [0, 1])
    with pytest.raises(ValueError, match=r"control_outcomes is .* in row 0"):
        lift([0, 1], [wrong])


@pytest.mark.parametrize("wrong", [0, 1, 95, math.nan])
def test_a_confidence_out_of_range_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"confidence is .*; pass a number between 0 and 1"):
        lift([0], [0], wrong)


def test_groups_of_the_expected_sizes_match() -> None:
    assert sample_ratio(900, 100, 0.1) == SampleRatio(900, 100, 0.1, pytest.approx(1))
    assert not sample_ratio(900, 100, 0.1).mismatch
    assert not sample_ratio(0, 0, 0.1).mismatch


@pytest.mark.parametrize(("treated", "control"), [(950, 50), (850, 150), (20, 20), (0, 5)])
def test_groups_of_other_sizes_are_a_mismatch(treated, control) -> None:
    assert sample_ratio(treated, control, 0.1).mismatch


def test_a_sound_split_is_flagged_hardly_ever_and_a_leak_of_one_in_five_always() -> None:
    drawn = [np.random.default_rng(seed) for seed in range(SEEDS)]
    control = [int(each.binomial(10_000, 0.1)) for each in drawn]
    leaked = [int(each.binomial(count, 0.8)) for each, count in zip(drawn, control, strict=True)]
    assert sum(sample_ratio(10_000 - each, each, 0.1).mismatch for each in control) <= 1
    assert sum(sample_ratio(10_000 - each, each, 0.1).mismatch for each in leaked) >= 0.99 * SEEDS


@pytest.mark.parametrize(
    ("treated", "control", "expected", "culprit"),
    [
        (-1, 5, 0.1, "treated"),
        (5, 1.5, 0.1, "control"),
        (5, 5, 0, "expected_share"),
        (5, 5, math.nan, "expected_share"),
    ],
)
def test_a_split_that_cannot_be_is_refused_by_name(treated, control, expected, culprit) -> None:
    with pytest.raises(ValueError, match=rf"{culprit} is .*; pass a"):
        sample_ratio(treated, control, expected)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_power_is_the_share_of_experiments_that_find_the_effect(design) -> None:
    effect = 0.4 * design[2]
    found = np.mean([each.significant for each in experiments(*design, effect, seeds=1000)])
    assert found == pytest.approx(power(*design, effect), abs=0.05)


def test_the_power_agrees_with_the_textbook() -> None:
    """Two groups of 199 tell 20 % from 10 % with 80 %: the usual formula for sample sizes, without correction."""
    assert power(199, 199, 0.2, 0.1) == pytest.approx(0.8, abs=0.002)
    assert smallest_detectable(199, 199, 0.2) == pytest.approx(0.1, abs=0.0005)


@MANY
@given(sizes, sizes, rates)
def test_without_an_effect_the_power_is_the_error_allowed(one, other, base) -> None:
    assert power(one, other, base, 0, alpha=0.1) == pytest.approx(0.1)


@MANY
@given(sizes, sizes, rates, st.floats(0.2, 0.99))
def test_what_is_the_smallest_to_detect_is_detected_with_that_power(one, other, base, wanted) -> None:
    smallest = smallest_detectable(one, other, base, wanted)
    if smallest is None:
        assert power(one, other, base, base) < wanted
    else:
        assert power(one, other, base, smallest) == pytest.approx(wanted, abs=1e-6)


@MANY
@given(sizes, rates)
def test_larger_groups_detect_smaller_effects(size, base) -> None:
    small, large = (smallest_detectable(each, each, base) for each in (size, 2 * size))
    assert small is None or large < small


@pytest.mark.parametrize("design", [(0, 100, 0.2), (100, 0, 0.2), (100, 100, 0), (10, 10, 0.05)])
def test_groups_that_could_show_nothing_detect_nothing(design) -> None:
    assert smallest_detectable(*design) is None
    assert power(*design, 0) <= 0.05 + 1e-12


@pytest.mark.parametrize(
    ("override", "culprit"),
    [
        ({"n_treated": -1}, "n_treated"), ({"n_control": math.nan}, "n_control"), ({"base_rate": 1.1}, "base_rate"),
        ({"base_rate": math.nan}, "base_rate"), ({"effect": 0.3}, "effect"), ({"effect": -0.9}, "effect"),
        ({"effect": math.nan}, "effect"), ({"alpha": 0}, "alpha"),
    ],
)  # fmt: skip
def test_a_design_that_cannot_be_is_refused_by_name(override, culprit) -> None:
    with pytest.raises(ValueError, match=rf"{culprit} is .*; pass "):
        power(**{"n_treated": 10, "n_control": 10, "base_rate": 0.2, "effect": 0.1, **override})


def test_a_power_below_the_error_allowed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"power is 0\.05; pass a number between 0\.05 and 1"):
        smallest_detectable(10, 10, 0.2, power=0.05)
