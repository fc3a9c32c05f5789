"""Effects in the simulated company: what outreach is known to change is found, and nothing where it changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration_project.domain.control import in_control
from orchestration_project.domain.effects import Lift, lift, power, sample_ratio
from orchestration_project.sources.simulation.chance import Chance, Ints, Mask
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.lives import EFFECT_DAYS, Lives
from orchestration_project.sources.simulation.profiles import Profiles, day_number, draw_profiles
from orchestration_project.sources.simulation.simulate import simulate

SEEDS, SHARE = 100, 0.3
START = date(2025, 1, 1)
OUTREACH = day_number(START) + 5
NOBODY = np.array([], dtype=np.int64)
GROUPS = ("treated", "control")


@dataclass(frozen=True)
class Trial:
    """What the control group shows of an outreach, and what it did to the treated, as only a simulation can know."""

    found: Lift
    truth: float


def trials(effect: float) -> Iterator[Trial]:
    """One company per seed: outreach on one day to all but the control group, and who had left 60 days later."""
    for seed in range(SEEDS):
        company = Company(customers=3000, start=START, months=1, seed=seed, monthly_churn=0.08, outreach_effect=effect)
        chance = Chance(company.seed)
        profiles = draw_profiles(company, chance)
        without = leaves(company, profiles, chance, NOBODY)
        eligible = np.flatnonzero((profiles.signed < OUTREACH) & (without > OUTREACH))
        is_control = controls(profiles, eligible, f"outreach {seed}")
        treated, control = eligible[~is_control], eligible[is_control]
        given = leaves(company, profiles, chance, treated)
        left, would_have_left = (within_reach(each) for each in (given, without))
        assert not sample_ratio(len(treated), len(control), SHARE).mismatch
        truth = would_have_left[treated].mean() - left[treated].mean()
        yield Trial(lift(left[treated], left[control]), float(truth))


def leaves(company: Company, profiles: Profiles, chance: Chance, treated: Ints) -> Ints:
    """The day on which each customer leaves, as far as it is decided at the end of the outreach's effect.

    The days go by as in `simulate`, without the tables, which would take a hundred times as long.
    """
    lives = Lives(company, profiles, chance)
    for day in range(day_number(START), OUTREACH + EFFECT_DAYS + 1):
        lives.advance(day, treated if day == OUTREACH else NOBODY)
    return lives.leaves


def within_reach(left: Ints) -> Mask:
    return (left > OUTREACH) & (left <= OUTREACH + EFFECT_DAYS)


def controls(profiles: Profiles, who: Ints, salt: str) -> Mask:
    ids = profiles.ids.to_pylist()
    return np.array([in_control(ids[each], salt, SHARE) for each in who])


@pytest.fixture(scope="module")
def effective() -> list[Trial]:
    return list(trials(0.35))


def test_the_trials_see_the_leaves_that_the_simulation_tells(tmp_path: Path) -> None:
    company = Company(customers=400, start=START, months=1, monthly_churn=0.08)
    profiles, day = draw_profiles(company, Chance(company.seed)), START + timedelta(OUTREACH - day_number(START))
    treated = np.arange(0, 400, 2)
    sent = pa.table({"customer_id": profiles.ids.take(pa.array(treated)), "day": [day] * len(treated)})
    simulate(company, day, tmp_path / "company", sent)
    told = pq.read_table(tmp_path / "company" / "truth" / "customers.parquet")
    left = within_reach(np.array(told["leaves_on"].cast(pa.int32()).fill_null(0)))
    known = profiles.signed <= OUTREACH
    seen = known & within_reach(leaves(company, profiles, Chance(company.seed), treated))
    assert left.sum() > 20
    assert told["customer_id"].filter(pa.array(left)).to_pylist() == profiles.ids.filter(pa.array(seen)).to_pylist()


def test_the_known_effect_lies_within_the_interval(effective: list[Trial]) -> None:
    assert all(trial.found.enough for trial in effective)
    assert sum(trial.found.low <= trial.truth <= trial.found.high for trial in effective) >= 90
    assert np.mean([trial.found.difference for trial in effective]) == pytest.approx(
        np.mean([trial.truth for trial in effective]), rel=0.1
    )


def test_the_relative_effect_is_about_that_of_the_settings(effective: list[Trial]) -> None:
    assert np.mean([trial.found.relative for trial in effective]) == pytest.approx(0.35, abs=0.05)


def test_the_effect_is_found_as_often_as_its_power_says(effective: list[Trial]) -> None:
    sizes = (round(np.mean([getattr(trial.found, side).customers for trial in effective])) for side in GROUPS)
    base = np.mean([trial.found.control.churn for trial in effective])
    expected = power(*sizes, base, np.mean([trial.truth for trial in effective]))
    assert 0.6 < expected < 0.99
    assert np.mean([trial.found.significant for trial in effective]) == pytest.approx(expected, abs=0.1)


def test_nothing_is_found_where_outreach_does_nothing() -> None:
    idle = list(trials(0))
    assert all(trial.found.enough and trial.truth == 0 for trial in idle)
    assert sum(not trial.found.significant for trial in idle) >= 93
