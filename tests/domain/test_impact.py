"""Impact: what may be said of a difference, and that it is neither claimed without an effect nor missed with one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from orchestration_project.domain.control import in_control
from orchestration_project.domain.effects import lift
from orchestration_project.domain.impact import (
    Assigned,
    Effect,
    by_play,
    effect,
    everyone,
    first_of_each,
    plays_to_switch_off,
    verdict,
)
from orchestration_project.domain.rules import ImpactRules
from orchestration_project.sources.simulation.chance import Chance
from orchestration_project.sources.simulation.company import Company
from orchestration_project.sources.simulation.lives import EFFECT_DAYS, Lives
from orchestration_project.sources.simulation.profiles import day_number, draw_profiles

SEEDS, SHARE, BASE = 100, 0.3, 0.2
RULES = ImpactRules()
DAY = date(2026, 1, 10)
ROW = Assigned("C1", "check_in", "treated", DAY, 0.7, 100.0, DAY + timedelta(90), False)


def rows(treated: tuple[int, int], control: tuple[int, int], play: str = "check_in", **more: object) -> list[Assigned]:
    """Assignments of so many customers, of whom so many left, per arm."""
    arms = [("treated", n < treated[1]) for n in range(treated[0])]
    arms += [("control", n < control[1]) for n in range(control[0])]
    total = treated[0] + control[0]
    return [
        replace(ROW, customer_id=f"{play} {n}", play=play, arm=arm, churned=left, propensity=treated[0] / total, **more)
        for n, (arm, left) in enumerate(arms)
    ]


def told(treated: tuple[int, int], control: tuple[int, int], rules: ImpactRules = RULES) -> str:
    return effect(rows(treated, control), rules).verdict


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [
        ((2000, 300), (1000, 200), "helps"),
        ((2000, 400), (1000, 150), "harms"),
        ((2000, 400), (1000, 200), "no effect shown"),
        ((180, 36), (20, 4), "not enough data"),
        ((19, 0), (1000, 500), "not enough data"),
        ((0, 0), (1000, 500), "not enough data"),
        ((2000, 0), (1000, 0), "not enough data"),
    ],
)
def test_the_verdict_is_told_by_the_interval_and_by_what_could_have_been_shown(treated, control, expected) -> None:
    assert told(treated, control) == expected


def test_help_begins_where_the_interval_leaves_zero_out() -> None:
    found = {left: effect(rows((2000, left), (1000, 200)), RULES) for left in range(300, 400)}
    edge = min(left for left, each in found.items() if each.verdict != "helps")
    assert found[edge].lift.low <= 0 < found[edge - 1].lift.low
    assert {each.verdict for left, each in found.items() if left < edge} == {"helps"}


def test_while_groups_are_small_only_an_effect_beyond_doubt_is_claimed() -> None:
    likely, certain = rows((300, 40), (150, 35)), rows((300, 30), (150, 45))
    assert effect(likely, RULES).lift.significant
    assert effect(likely, RULES).verdict == "not enough data"
    assert effect(certain, RULES).verdict == "helps"
    assert effect(likely, ImpactRules(early_confidence=0.951)).verdict == "helps"
    assert effect(likely, ImpactRules(least_of_interest=0.6)).verdict == "helps"


def test_no_effect_is_said_only_where_one_that_matters_would_have_been_shown() -> None:
    found = lift([1.0] * 400 + [0.0] * 1600, [1.0] * 200 + [0.0] * 800)
    share = found.detectable / everyone(found).churn
    assert verdict(found, found, None, share * 1.001) == "no effect shown"
    assert verdict(found, found, None, share * 0.999) == "not enough data"


def test_as_many_customers_as_are_said_to_be_needed_are_enough() -> None:
    needed = effect(rows((90, 18), (10, 2)), RULES).needed
    control = round(needed / 10)
    assert told((needed - control, round(0.2 * (needed - control))), (control, round(0.2 * control))) in (
        "no effect shown", "not enough data",
    )  # fmt: skip
    assert told((round(0.95 * needed), round(0.19 * needed)), (round(0.105 * needed), round(0.021 * needed))) == (
        "no effect shown"
    )
    assert told((round(0.81 * needed), round(0.162 * needed)), (round(0.09 * needed), round(0.018 * needed))) == (
        "not enough data"
    )


def test_groups_of_other_sizes_than_declared_make_every_lift_worthless() -> None:
    assigned = [replace(row, propensity=0.9) for row in rows((2000, 200), (1000, 300))]
    found = effect(assigned, RULES)
    assert (found.verdict, found.revenue.saved) == ("assignment broken", None)
    assert found.ratio.mismatch
    assert effect([replace(row, propensity=2 / 3) for row in assigned], RULES).verdict == "helps"


def test_the_sizes_are_those_of_everybody_assigned_whatever_is_known_of_them() -> None:
    assigned = rows((2000, 200), (1000, 300))
    unknown = [replace(row, churned=None) if row.arm == "control" and not row.churned else row for row in assigned]
    found = effect(unknown, RULES).ratio
    assert (found.treated, found.control, found.mismatch) == (2000, 1000, False)


def test_without_anybody_held_back_or_assigned_there_is_nothing_to_compare() -> None:
    alone = effect([replace(row, propensity=1.0) for row in rows((500, 100), (0, 0))], RULES)
    assert (alone.verdict, alone.ratio, alone.needed) == ("not enough data", None, None)
    nobody = effect([], RULES)
    assert (nobody.verdict, nobody.ratio, nobody.revenue.saved) == ("not enough data", None, None)


def test_outcomes_that_have_not_matured_or_do_not_count_are_counted_and_left_out() -> None:
    assigned = rows((200, 40), (100, 30))
    waiting = [replace(ROW, customer_id=f"w{n}", matured_on=None, churned=None, propensity=2 / 3) for n in range(7)]
    uncounted = [replace(ROW, customer_id=f"u{n}", churned=None, propensity=2 / 3) for n in range(5)]
    found = effect([*assigned, *waiting, *uncounted], RULES)
    assert (found.waiting, found.uncounted) == (7, 5)
    assert (found.lift.treated.customers, found.lift.control.customers) == (200, 100)


def test_revenue_is_the_lift_of_what_the_treated_paid_and_unknown_is_not_nothing() -> None:
    assigned = rows((2000, 300), (1000, 200))
    some = [replace(row, mrr=None) if row.arm == "treated" and n % 4 == 0 else row for n, row in enumerate(assigned)]
    found = effect(some, RULES)
    assert (found.revenue.known, found.revenue.unknown) == (1500, 500)
    assert found.revenue.saved == pytest.approx(0.05 * 150_000)
    assert (found.revenue.low, found.revenue.high) == (found.lift.low * 150_000, found.lift.high * 150_000)
    nothing = effect([replace(row, mrr=None) for row in assigned], RULES).revenue
    assert (nothing.saved, nothing.known, nothing.unknown) == (None, 0, 2000)


def test_a_customer_counts_once_by_the_first_assignment_and_for_the_play_of_it_alone() -> None:
    later = replace(ROW, play="account_alert", scan_day=DAY + timedelta(9), churned=True)
    first = first_of_each([later, ROW, replace(later, customer_id="C2")])
    assert [(row.customer_id, row.play) for row in first] == [("C1", "check_in"), ("C2", "account_alert")]
    assert {play: len(each) for play, each in by_play(first).items()} == {"account_alert": 1, "check_in": 1}


def test_a_play_is_switched_off_where_enough_outcomes_say_that_it_harms() -> None:
    plays = {
        "harmful": rows((1000, 250), (500, 60)),
        "doubtful": rows((1000, 200), (500, 76)),
        "small": rows((1000, 500), (99, 5)),
        "helpful": rows((1000, 60), (500, 120)),
        "broken": [replace(row, propensity=0.95) for row in rows((1000, 250), (500, 60))],
    }
    assert effect(plays["doubtful"], RULES).lift.high < 0
    off = plays_to_switch_off(plays, RULES)
    assert off == {
        "harmful": "of 1000 treated customers 25.0% left, of 500 held back 12.0%: with 99% confidence it harms."
    }
    assert plays_to_switch_off(plays, ImpactRules(fewest_to_switch_off=99)).keys() == {"harmful", "small"}
    assert plays_to_switch_off(plays, ImpactRules(switch_off_confidence=0.9)).keys() == {"harmful", "doubtful"}


def drawn(seed: int, customers: int, averted: float) -> list[Assigned]:
    """Customers assigned by chance, of whom chance has some leave, fewer of the treated by a share."""
    chance = np.random.default_rng(seed)
    held_back = chance.random(customers) < SHARE
    left = chance.random(customers) < np.where(held_back, BASE, BASE * (1 - averted))
    return [
        Assigned(f"C{n}", "check_in", "control" if held_back[n] else "treated", DAY, 1 - SHARE, 100.0,
                 DAY + timedelta(90), bool(left[n]))
        for n in range(customers)
    ]  # fmt: skip


def over_seeds(customers: int, averted: float, true: Callable) -> int:
    """In how many of `SEEDS` draws something is true of the effect that is found."""
    return sum(bool(true(effect(drawn(seed, customers, averted), RULES))) for seed in range(SEEDS))


@pytest.mark.parametrize("averted", [0, 0.3])
def test_the_truth_lies_within_the_interval(averted) -> None:
    truth = BASE * averted
    assert over_seeds(3000, averted, lambda found: found.lift.low <= truth <= found.lift.high) >= 93


def test_where_nothing_changes_anything_no_effect_is_claimed_and_that_is_said() -> None:
    assert over_seeds(3000, 0, lambda found: found.verdict == "no effect shown") >= 93


def test_an_effect_that_matters_is_found_where_there_are_enough_customers() -> None:
    assert over_seeds(3500, 0.25, lambda found: found.verdict == "helps") >= 85


def test_two_hundred_customers_are_not_enough_data() -> None:
    for averted in (0, 0.25):
        assert over_seeds(200, averted, lambda found: found.verdict == "not enough data") >= 93


def test_who_looks_every_four_weeks_until_there_are_enough_customers_is_not_fooled_by_chance() -> None:
    claimed = 0
    for seed in range(SEEDS):
        assigned = drawn(seed, 2200, 0)
        told = {effect(assigned[: 200 * month], RULES).verdict for month in range(1, 12)}
        claimed += bool(told & {"helps", "harms"})
    assert claimed <= 10


def test_a_harmless_play_is_hardly_ever_switched_off_though_it_is_looked_at_for_a_year() -> None:
    off = 0
    for seed in range(SEEDS):
        assigned = drawn(seed, 2600, 0)
        off += any(plays_to_switch_off({"p": assigned[: 200 * month]}, RULES) for month in range(1, 14))
    assert off <= 7


def test_the_simulated_company_shows_no_effect_where_outreach_has_none_and_help_where_it_helps() -> None:
    assert company(9000, 0).verdict == "no effect shown"
    assert company(9000, 0.5).verdict == "helps"
    assert company(200, 0).verdict == "not enough data"


def company(customers: int, works: float) -> Effect:
    """The effect of outreach on one day to everybody but the control group, in the simulated company."""
    start = date(2025, 1, 1)
    day = day_number(start) + 5
    made = Company(customers=customers, start=start, months=1, seed=7, monthly_churn=0.08, outreach_effect=works)
    chance = Chance(made.seed)
    profiles = draw_profiles(made, chance)
    ids = profiles.ids.to_pylist()
    held_back = np.array([in_control(each, "company", SHARE) for each in ids])
    lives, nobody = Lives(made, profiles, chance), np.array([], dtype=np.int64)
    for today in range(day_number(start), day):
        lives.advance(today, nobody)
    assigned = (profiles.signed < day) & (lives.leaves > day)
    for today in range(day, day + EFFECT_DAYS + 1):
        lives.advance(today, np.flatnonzero(assigned & ~held_back) if today == day else nobody)
    left = (lives.leaves > day) & (lives.leaves <= day + EFFECT_DAYS)
    return effect(
        [
            replace(ROW, customer_id=ids[n], arm="control" if held_back[n] else "treated", churned=bool(left[n]))
            for n in np.flatnonzero(assigned)
        ],
        RULES,
    )
