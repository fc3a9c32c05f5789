"""Bandit: choices that can be replayed, propensities that are true, and estimates that recover what is known."""

import math

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from orchestration_project.domain.bandit import (
    FLOOR,
    Estimate,
    Variant,
    chosen,
    doubly_robust,
    inverse_propensity,
    propensities,
    self_normalised,
)

MANY = settings(max_examples=settings().max_examples * 10)
SEEDS = 200
CHOSEN = ["brief", "brief", "brief", "brief", "offer", "brief", "personal", "personal"]
UNTRIED = (Variant("brief", 0, 0), Variant("personal", 0, 0), Variant("offer", 0, 0))
COUNTED = {
    "untried": UNTRIED,
    "close": (Variant("brief", 12, 88), Variant("personal", 15, 85), Variant("offer", 18, 82)),
    "uneven": (Variant("brief", 1, 3), Variant("personal", 300, 900), Variant("offer", 10, 20), Variant("new", 0, 0)),
    "narrow": (Variant("brief", 50_000, 950_000), Variant("personal", 1, 17)),
    "decided": (Variant("brief", 5, 995), Variant("personal", 200, 800)),
}

times = st.integers(0, 3000) | st.floats(0, 50)
variants = st.lists(st.tuples(st.text(), times, times), min_size=1, max_size=6, unique_by=lambda drawn: drawn[0]).map(
    lambda drawn: [Variant(*each) for each in drawn]
)


@pytest.fixture(scope="module")
def choices(engine):
    """The variants of some addresses."""

    def of(addresses: list[str], shares: dict[str, float], salt: str = "acme") -> list[str]:
        with engine.scope():
            table = engine.arrow(pa.table({"n": range(len(addresses)), "address": addresses}))
            rows = engine.rows(table.mutate(variant=chosen(table.address, salt, shares)).order_by("n"))
        return [row["variant"] for row in rows]

    return of


def addresses(count: int) -> list[str]:
    return [f"C{n:06d}/win back/2026-11-01" for n in range(count)]


@MANY
@given(variants, st.floats(0.01, 1))
def test_propensities_sum_to_one_and_none_is_below_the_floor(drawn, part) -> None:
    floor = part / len(drawn)
    shares = propensities(drawn, floor)
    assert list(shares) == sorted(variant.name for variant in drawn)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert min(shares.values()) >= floor - 1e-12


@pytest.mark.parametrize("counted", COUNTED.values(), ids=COUNTED)
def test_propensities_are_the_shares_in_which_sampled_rates_are_the_highest(counted) -> None:
    random, draws = np.random.default_rng(1), 400_000
    rates = [random.beta(1 + each.successes, 1 + each.failures, draws) for each in counted]
    won = np.bincount(np.argmax(rates, axis=0), minlength=len(counted)) / draws
    expected = [FLOOR + (1 - FLOOR * len(counted)) * share for share in won]
    assert [propensities(counted)[each.name] for each in counted] == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("counted", COUNTED.values(), ids=COUNTED)
def test_variants_are_chosen_as_often_as_their_propensities_say(choices, counted) -> None:
    shares = propensities(counted)
    found = choices(addresses(5000), shares)
    for name, share in shares.items():
        error = math.sqrt(share * (1 - share) / len(found))
        assert np.mean([each == name for each in found]) == pytest.approx(share, abs=4 * error)


def test_two_variants_have_the_propensities_of_the_closed_form() -> None:
    """Of rates from Beta(2, 1) and Beta(1, 1) the first is higher with 2/3."""
    shares = propensities([Variant("one", 1, 0), Variant("other", 0, 0)], 1e-9)
    assert shares["one"] == pytest.approx(2 / 3, abs=1e-6)


def test_choices_never_change_with_the_version_of_the_software(choices) -> None:
    assert choices(addresses(8), propensities(UNTRIED)) == CHOSEN
    assert choices(addresses(8), propensities(UNTRIED), "another salt") != CHOSEN


def test_a_single_variant_is_chosen_for_certain(choices) -> None:
    assert propensities([Variant("only", 3, 4)]) == {"only": 1}
    assert choices(addresses(3), {"only": 1.0}) == ["only"] * 3


def test_the_better_variant_wins_most_customers_and_the_other_keeps_its_floor(choices) -> None:
    rates, counts = {"poor": 0.1, "good": 0.3}, {"poor": [0, 0], "good": [0, 0]}
    random = np.random.default_rng(3)
    for day in range(40):
        known = [Variant(name, *each) for name, each in counts.items()]
        for name in choices([f"{customer}/win back/{day}" for customer in range(25)], propensities(known)):
            counts[name][random.random() >= rates[name]] += 1
    assert propensities([Variant(name, *each) for name, each in counts.items()])["good"] > 0.94
    assert 40 * 25 * FLOOR * 0.5 < sum(counts["poor"]) < 250


@pytest.mark.parametrize("wrong", [0, 0.34, -0.1, math.nan])
def test_a_floor_that_cannot_be_kept_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"floor is .*; pass a number above 0 and, with 3 variants, of at most 0\.333"):
        propensities(UNTRIED, wrong)


def test_variants_that_cannot_be_told_apart_or_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="no variant to choose from; declare at least one"):
        propensities([])
    with pytest.raises(ValueError, match="Variant brief is there 2 times; add up its counts"):
        propensities([*UNTRIED, UNTRIED[0]])


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_counts_that_cannot_be_are_refused_by_variant(wrong) -> None:
    with pytest.raises(ValueError, match=r"count of variant brief is .*; count it again"):
        propensities([Variant("brief", wrong, 0)])
    with pytest.raises(ValueError, match=r"count of variant brief is .*; count it again"):
        propensities([Variant("brief", 0, wrong)])


class Log:
    """Variants chosen by a bandit, seen once per seed: who is large replies to another variant than who is small."""

    RATES = np.array([[0.10, 0.30], [0.25, 0.15], [0.20, 0.20]])
    TARGET = np.array([[0.1, 0.8], [0.8, 0.1], [0.1, 0.1]])
    SHARE_LARGE = 0.3
    TRUTH = float((RATES * TARGET).sum(axis=0) @ [1 - SHARE_LARGE, SHARE_LARGE])

    def __init__(self, seed: int, rows: int = 2000) -> None:
        random = np.random.default_rng(seed)
        chances = np.array(list(propensities(COUNTED["close"]).values()))
        self.large = (random.random(rows) < self.SHARE_LARGE).astype(int)
        self.chosen = random.choice(3, rows, p=chances)
        self.reward = random.random(rows) < self.RATES[self.chosen, self.large]
        self.propensity = chances[self.chosen]
        self.target = self.TARGET[self.chosen, self.large]

    def doubly_robust(self, rates: np.ndarray, propensity: np.ndarray | None = None) -> Estimate:
        """The estimate with a model that predicts these rates, and other propensities than the true ones."""
        policy = (rates * self.TARGET).sum(axis=0)[self.large]
        given = self.propensity if propensity is None else propensity
        return doubly_robust(self.reward, given, self.target, rates[self.chosen, self.large], policy)


ESTIMATORS = {
    "inverse propensity": lambda log: inverse_propensity(log.reward, log.propensity, log.target),
    "self-normalised": lambda log: self_normalised(log.reward, log.propensity, log.target),
    "doubly robust": lambda log: log.doubly_robust(Log.RATES),
    "doubly robust, wrong model": lambda log: log.doubly_robust(1 - Log.RATES),
}


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return [Log(seed) for seed in range(SEEDS)]


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_what_another_policy_would_have_earned_lies_within_the_interval(logs, estimator) -> None:
    found = [estimator(log) for log in logs]
    assert sum(each.low <= Log.TRUTH <= each.high for each in found) >= 0.9 * SEEDS
    assert np.mean([each.value for each in found]) == pytest.approx(Log.TRUTH, abs=0.005)
    assert np.mean([each.high - each.low for each in found]) / 3.92 == pytest.approx(
        np.std([each.value for each in found]), rel=0.15
    )


def test_the_plain_mean_of_what_was_logged_would_have_misled(logs) -> None:
    assert np.mean([log.reward.mean() for log in logs]) < Log.TRUTH - 0.03


def test_a_right_model_makes_up_for_wrong_propensities(logs) -> None:
    wrong = np.array([0.5, 0.3, 0.2])
    found = [log.doubly_robust(Log.RATES, wrong[log.chosen]) for log in logs]
    assert np.mean([each.value for each in found]) == pytest.approx(Log.TRUTH, abs=0.005)
    misled = [inverse_propensity(log.reward, wrong[log.chosen], log.target).value for log in logs]
    assert abs(np.mean(misled) - Log.TRUTH) > 0.01


def test_self_normalising_and_a_good_model_narrow_the_interval(logs) -> None:
    plain, *narrower = (
        np.mean([each.high - each.low for each in map(ESTIMATORS[name], logs)])
        for name in ("inverse propensity", "self-normalised", "doubly robust")
    )
    assert max(narrower) < 0.9 * plain


def test_the_policy_that_was_logged_earned_what_it_earned() -> None:
    log = Log(1)
    for estimator in (inverse_propensity, self_normalised):
        found = estimator(log.reward, log.propensity, log.propensity)
        assert found.value == pytest.approx(log.reward.mean())
        assert (found.rows, found.effective) == (2000, pytest.approx(2000))


@MANY
@given(st.integers(0, 10_000), st.floats(0.05, 1), st.floats(-5, 5))
def test_a_self_normalised_estimate_lies_within_the_rewards_and_moves_with_them(seed, chance, shift) -> None:
    random = np.random.default_rng(seed)
    reward, propensity, target = random.random(300), random.uniform(chance, 1, 300), random.random(300)
    found, moved = (self_normalised(each, propensity, target) for each in (reward, reward + shift))
    assert reward.min() <= found.value <= reward.max()
    assert [moved.value, moved.low, moved.high] == pytest.approx(
        [each + shift for each in (found.value, found.low, found.high)]
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("estimator", [inverse_propensity, self_normalised])
@pytest.mark.parametrize(
    ("reward", "target"),
    [
        ([], []),
        ([0, 1] * 9, [1] * 18),
        ([0, 1] * 100, [0] * 200),
        ([0, 1] * 100, [1] + [0.001] * 199),
        ([0] * 99, [1] * 99),
    ],
)
def test_too_few_effective_rows_or_rewards_all_the_same_are_not_enough(estimator, reward, target) -> None:
    found = estimator(reward, [0.5] * len(reward), target)
    assert (found.value, found.low, found.high, found.rows) == (None, None, None, len(reward))
    assert not found.enough


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"reward": [1, math.nan]}, "reward is nan in row 1; leave out rows whose outcome has not matured"),
        ({"propensity": [0, 1]}, "propensity is 0 in row 0; log the probability, above 0 and up to 1"),
        ({"propensity": [0.5, math.nan]}, "propensity is nan in row 1; log the probability"),
        ({"target": [0.5, 1.1]}, "target is 1.1 in row 1; pass the probability, from 0 to 1"),
        ({"target": [0.5]}, "reward has 2, propensity has 2, target has 1"),
        ({"confidence": 1}, "confidence is 1; pass a number between 0 and 1"),
    ],
)
@pytest.mark.parametrize("estimator", [inverse_propensity, self_normalised])
def test_logs_that_cannot_be_are_refused_by_name(estimator, override, told) -> None:
    with pytest.raises(ValueError, match=told):
        estimator(**{"reward": [0, 1], "propensity": [0.5, 0.5], "target": [1, 1], **override})


@pytest.mark.parametrize("name", ["predicted", "predicted_target"])
def test_a_row_that_the_model_does_not_predict_is_refused(name) -> None:
    with pytest.raises(ValueError, match=f"{name} is nan in row 1; let the model predict every row"):
        doubly_robust([0, 1], [1, 1], [1, 1], **{"predicted": [0, 0], "predicted_target": [0, 0], name: [0, math.nan]})
