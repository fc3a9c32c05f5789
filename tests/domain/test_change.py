"""Change: the difference between two scores, split exactly into data, missing-data and configuration parts."""

from functools import cache

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from orchestration_project.domain.change import STEPS, Change, Configuration, path, split
from orchestration_project.domain.rules import FAMILIES, RiskRules, ScoringRules, SeverityRules, Weights

OLD, LOOSE = RiskRules(), RiskRules(scoring=ScoringRules(min_present_weight=0.2))
OTHERS = [
    OLD,
    RiskRules(scoring=ScoringRules(weights=Weights(version="own", usage_decline=0.1, support_tickets=0.6))),
    RiskRules(
        severities=SeverityRules(decline_threshold_pct=5, overdue_days_full=10), scoring=ScoringRules(exception_floor=9)
    ),
    LOOSE,
]
CALM = {"decline_pct": 20.0}
MISSING = ("usage_missing", "tickets_missing", "payments_missing", "engagement_missing")


@pytest.fixture
def steps(company):
    """The scores of all steps from one row of signals to another."""

    def of(then, now, old=OLD, new=OLD):
        first, second = company.load("signals", [then], "first_day"), company.load("signals", [now], "second_day")
        told = cache(lambda: path(first, second, Configuration(old), Configuration(new), FAMILIES, FAMILIES))
        found = {}
        for step in STEPS:
            version = new.version if step == "now" else old.version
            found[step] = company.rows(company.compute(lambda step=step: told()[step], f"step_{step}", version))[0][
                "score"
            ]
        return found

    return of


def test_more_use_lost_is_a_change_of_the_data_alone(steps) -> None:
    change = split(steps(CALM, {"decline_pct": 50.0}))
    assert change == Change(then=1.0, now=2.8, data=pytest.approx(1.8), missing=0.0, configuration=0.0)
    assert change.total == pytest.approx(1.8)


def test_other_weights_are_a_change_of_the_configuration_alone(steps) -> None:
    change = split(steps({"decline_pct": 80.0}, {"decline_pct": 80.0}, OLD, OTHERS[1]))
    assert change == Change(then=4.6, now=1.9, data=0.0, missing=0.0, configuration=pytest.approx(-2.7))


def test_a_part_that_went_missing_is_a_change_of_missing_data_alone(steps) -> None:
    change = split(steps({"decline_pct": 80.0}, {"decline_pct": 80.0, "payments_missing": "source_stale"}))
    assert change == Change(then=4.6, now=5.5, data=0.0, missing=pytest.approx(0.9), configuration=0.0)


def test_a_part_that_appeared_counts_as_missing_before_and_not_as_data(steps) -> None:
    then = {"decline_pct": 50.0, "tickets_missing": "no_rows", "tickets_30d": 9}
    change = split(steps(then, {"decline_pct": 50.0, "tickets_30d": 9}))
    assert (change.data, change.configuration) == (0, 0)
    assert change.missing == pytest.approx(change.total)


def test_a_stop_seen_only_since_usage_is_there_again_is_missing_data(steps) -> None:
    change = split(steps({"usage_missing": "source_stale"}, {"days_since_use": 100}, LOOSE, LOOSE))
    assert (change.then, change.now, change.data) == (1, 8, 0)
    assert change.missing == pytest.approx(7)


def test_an_exception_on_little_data_is_no_change_of_configuration(steps) -> None:
    """Where too little is present an exception's score stands alone; under the same rules it does so at each step."""
    little = {"tickets_missing": "no_rows", "payments_missing": "no_rows", "decline_pct": 100.0, "notice_given": True}
    change = split(steps(little, little))
    assert change == Change(then=8.0, now=8.0, data=0.0, missing=0.0, configuration=0.0)


def test_a_score_that_only_the_new_rules_allow_is_split_too(steps) -> None:
    """Under the old rules too little is present; what it would have been is told all the same."""
    now = {"decline_pct": 80.0, "tickets_missing": "no_rows", "payments_missing": "no_rows"}
    change = split(steps({"decline_pct": 80.0}, now, OLD, LOOSE))
    assert change == Change(then=4.6, now=8.2, data=0.0, missing=pytest.approx(3.6), configuration=0.0)


def test_without_a_score_on_either_day_there_is_no_change_to_split(steps) -> None:
    nothing = dict.fromkeys(MISSING, "no_rows")
    assert split(steps(nothing, {})) is None
    assert split(steps({}, nothing)) is None


def test_where_no_family_is_there_both_times_all_of_it_is_missing_data(steps) -> None:
    then = {"tickets_missing": "no_rows", "payments_missing": "no_rows", "decline_pct": 80.0, "days_to_renewal": None}
    now = {"usage_missing": "no_rows", "engagement_missing": "no_rows"}
    change = split(steps(then, now, LOOSE, LOOSE))
    assert (change.data, change.configuration) == (0, 0)
    assert change.missing == pytest.approx(change.now - change.then) != 0


signals = st.fixed_dictionaries(
    {
        "decline_pct": st.none() | st.floats(-50, 120),
        "days_since_use": st.none() | st.integers(0, 100),
        "tickets_30d": st.integers(0, 9),
        "tickets_prior_monthly": st.none() | st.floats(0, 5),
        "overdue_days": st.integers(0, 90),
        "overdue_amount": st.floats(0, 200),
        "engagement_decline_pct": st.none() | st.floats(0, 100),
        "days_to_renewal": st.none() | st.integers(0, 200),
        "notice_given": st.sampled_from([False, False, True]),
    },
    optional=dict.fromkeys(MISSING, st.just("source_stale")),
)
MANY = settings(max_examples=settings().max_examples * 2)


def families_present(told: dict) -> list[bool]:
    tickets = "tickets_missing" not in told and told["tickets_prior_monthly"] is not None
    usage = "usage_missing" not in told and (told["decline_pct"], told["days_since_use"]) != (None, None)
    return [usage, tickets, "payments_missing" in told, "engagement_missing" in told, told["days_to_renewal"] is None]


@MANY
@given(then=signals, now=signals, new=st.sampled_from(OTHERS))
def test_the_parts_add_up_to_the_change_whatever_changed(steps, then, now, new) -> None:
    scores = steps(then, now, OLD, new)
    change = split(scores)
    if change is None:
        assert scores["then"] is None or scores["now"] is None
        return
    assert change.data + change.missing + change.configuration == pytest.approx(change.total, abs=1e-12)
    if new is OLD:
        assert change.configuration == 0
    if families_present(then) == families_present(now):
        assert change.missing == pytest.approx(0, abs=1e-12)
    if then == now:
        assert (change.data, change.missing) == (0, 0)
    if (then, new) == (now, OLD):
        assert change.total == 0
