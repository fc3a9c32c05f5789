"""Scoring: score, contributions, bands, exceptions, overrides, confidence and next action."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from orchestration_project.domain.rules import FAMILIES, ScoringRules, Weights

PRIOR = Weights()
MANY = settings(max_examples=settings().max_examples * 4)
FULL = dict.fromkeys(FAMILIES, 1.0)
MAXIMAL = {"usage_decline": 1.0, "support_tickets": 1.0, "payment_issues": 1.0}


@pytest.fixture
def scored(company):
    """The score of one row of severities."""

    def of(rules=None, connected=FAMILIES, overrides=None, **override):
        return company.scores([override], rules or ScoringRules(), connected, overrides)[0]

    return of


def rules_for(weights: dict[str, float], **rest) -> ScoringRules:
    return ScoringRules(weights=Weights(version="own", **(dict.fromkeys(FAMILIES, 0.0) | weights)), **rest)


def test_no_risk_is_one_and_all_risk_is_ten(scored) -> None:
    assert scored()["score"] == 1
    assert scored(**FULL)["score"] == 10


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_contributes_nine_times_its_share_of_the_weight(scored, family) -> None:
    row = scored(**{family: 0.5})
    assert row["score"] == pytest.approx(1 + 4.5 * PRIOR.of(family))
    assert row["contributions"][family] == pytest.approx(4.5 * PRIOR.of(family))


def test_the_contributions_name_every_cause_in_a_fixed_order(scored) -> None:
    names = ["base", *FAMILIES, "limit", "cancellation_notice", "usage_stopped", "override"]
    assert list(scored(usage_decline=0.5)["contributions"]) == names


def test_the_factors_are_the_families_that_raised_it_and_the_exception(scored) -> None:
    row = scored(usage_decline=0.1, support_tickets=0.099, payment_issues=1.0, context=1.0, exception="usage_stopped")
    assert row["factors"] == ["usage_decline", "payment_issues", "usage_stopped"]


def test_a_score_is_told_where_exactly_the_minimum_of_the_weight_is_present(scored) -> None:
    row = scored(support_tickets=None, usage_decline=1.0)
    assert row["score"] == pytest.approx(1 + 9 * 0.4 / 0.7)
    assert row["no_score_reason"] is None


def test_just_under_the_minimum_there_is_no_score_but_a_reason_and_a_review(scored) -> None:
    just_more = rules_for({"usage_decline": 0.4, "support_tickets": 0.3001, "payment_issues": 0.2999})
    row = scored(just_more, support_tickets=None, usage_decline=1.0)
    told = {name: row[name] for name in ("score", "no_score_reason", "band", "contributions", "next_action")}
    assert told == {
        "score": None, "no_score_reason": "insufficient_data", "band": None, "contributions": None,
        "next_action": "data_quality_review",
    }  # fmt: skip
    assert row["confidence"] == 0


def test_without_any_severity_there_is_no_score_even_where_no_weight_is_required(scored) -> None:
    assert scored(ScoringRules(min_present_weight=0), **dict.fromkeys(FAMILIES))["score"] is None


def test_a_family_without_a_source_drops_out_for_everyone_and_lowers_the_confidence(scored) -> None:
    """Usage and payments alone are .6 of all weight, but all of the connected."""
    connected = ("usage_decline", "payment_issues", "context")
    present = {"support_tickets": None, "engagement_drop": None, "usage_decline": 1.0}
    row = scored(None, connected, **present)
    assert row["score"] == pytest.approx(1 + 9 * 0.4 / 0.6)
    assert row["confidence"] < scored(**MAXIMAL)["confidence"]
    assert scored(None, FAMILIES, **present)["score"] is None
    assert scored(None, connected, **present | {"payment_issues": None})["score"] is None


@pytest.mark.parametrize("exception", ["usage_stopped", "cancellation_notice"])
def test_an_exception_floors_the_score_at_exactly_eight_and_says_so(scored, exception) -> None:
    row = scored(exception=exception, usage_decline=0.3)
    assert (row["score"], row["band"]) == (8, "high")
    assert row["contributions"][exception] == pytest.approx(7 - 9 * 0.4 * 0.3)
    assert exception in row["factors"]


@pytest.mark.parametrize("n", range(1, 12))
def test_the_floor_is_eight_and_not_the_float_below_it_whatever_the_severities(company, n) -> None:
    rows = [
        {"customer_id": str(m), "usage_decline": n / 11, "engagement_drop": m / 7, "exception": "usage_stopped"}
        for m in range(8)
    ]
    assert {(row["score"], row["band"]) for row in company.scores(rows)} == {(8.0, "high")}


def test_an_exception_lowers_no_score(scored) -> None:
    row = scored(**FULL, exception="usage_stopped")
    assert (row["score"], row["contributions"]["usage_stopped"]) == (10, 0)


def test_an_exception_gives_a_score_even_where_too_little_is_known(scored) -> None:
    row = scored(exception="cancellation_notice", **dict.fromkeys(FAMILIES))
    assert (row["score"], row["contributions"]["cancellation_notice"]) == (8, 7)
    assert (row["next_action"], row["confidence"]) == ("alert", 1)
    row = scored(exception="usage_stopped", usage_decline=1.0, support_tickets=None, payment_issues=None)
    assert (row["score"], row["contributions"]["usage_stopped"], row["contributions"]["usage_decline"]) == (8, 7, 0)


@pytest.mark.parametrize("wanted", [1.0, 5.0, 10.0])
@pytest.mark.parametrize("exception", [None, "usage_stopped"])
def test_an_override_replaces_the_score_and_the_contributions_still_add_up(scored, wanted, exception) -> None:
    row = scored(None, FAMILIES, [{"override_score": wanted}], usage_decline=0.4, exception=exception)
    assert row["score"] == wanted
    assert sum(row["contributions"].values()) == pytest.approx(wanted - 1, abs=1e-12)
    assert "override" in row["contributions"] and row["confidence"] == 1


def test_an_override_gives_a_score_even_where_nothing_is_known(scored) -> None:
    row = scored(None, FAMILIES, [{"override_score": 3.0}], **dict.fromkeys(FAMILIES))
    assert (row["score"], row["contributions"]["override"], row["next_action"]) == (3, 2, "monitor")


@pytest.mark.parametrize("other", [{"customer_id": "someone else"}, {"scan_day": None}])
def test_an_override_of_another_customer_or_day_changes_nothing(scored, other) -> None:
    expected = scored(usage_decline=0.4)
    assert scored(None, FAMILIES, [{"override_score": 9.0, **other}], usage_decline=0.4) == expected


@pytest.mark.parametrize(
    ("wanted", "band", "action"),
    [
        (3.999999999, "low", "monitor"), (4.0, "medium", "outreach"), (7.999999999, "medium", "outreach"),
        (8.0, "high", "alert"), (10.0, "high", "alert"), (1.0, "low", "monitor"),
    ],
)  # fmt: skip
def test_bands_are_half_open_on_the_unrounded_score(scored, wanted, band, action) -> None:
    row = scored(None, FAMILIES, [{"override_score": wanted}])
    assert (row["score"], row["band"], row["next_action"]) == (wanted, band, action)


@pytest.mark.parametrize(
    ("severity", "band"), [(1 / 3, "medium"), (1 / 3 - 1e-9, "low"), (7 / 9, "high"), (7 / 9 - 1e-9, "medium")]
)
def test_a_computed_score_on_an_edge_belongs_to_the_upper_band(scored, severity, band) -> None:
    assert scored(**dict.fromkeys(FAMILIES, severity))["band"] == band


def test_low_confidence_always_goes_to_a_human(scored) -> None:
    short = {
        "observed_days": 0,
        "engagement_drop": None,
        "payment_issues": None,
        **dict.fromkeys(("usage_decline", "support_tickets"), 7 / 9),
    }
    row = scored(**short)
    assert (row["band"], row["next_action"]) == ("high", "human_review")
    assert row["confidence"] == pytest.approx(0.7 * 0.5 * 0.9)
    assert scored(ScoringRules(min_confidence=row["confidence"]), **short)["next_action"] == "alert"


@pytest.mark.parametrize(
    ("override", "confidence"),
    [
        ({}, 1),
        ({"observed_days": 90}, 1),
        ({"observed_days": 45}, 0.75),
        ({"observed_days": 0}, 0.5),
        ({"observed_days": None}, 0.5),
        ({"observed_days": None, "tenure_days": 45}, 0.75),
        ({"engagement_drop": None}, 0.9),
        (dict.fromkeys(FAMILIES, 1 / 3), 0.9),
        (dict.fromkeys(FAMILIES, 3.25 / 9), 0.95),
        (dict.fromkeys(FAMILIES, 3.5 / 9), 1),
        (dict.fromkeys(FAMILIES, 6.75 / 9), 0.95),
    ],
)
def test_confidence_falls_with_missing_weight_short_history_and_a_near_band_edge(scored, override, confidence) -> None:
    assert scored(**override)["confidence"] == pytest.approx(confidence)


def test_scores_carry_the_version_of_their_weights_and_no_probability_under_the_prior(scored) -> None:
    row = scored(ScoringRules(weights=Weights(version="prior-9")))
    assert (row["weights_version"], row["probability"]) == ("prior-9", None)


severities = st.fixed_dictionaries(
    {family: st.none() | st.floats(0, 1) | st.sampled_from([0.0, 1.0]) for family in FAMILIES}
)
exceptions = st.sampled_from([None, None, "usage_stopped", "cancellation_notice"])
CHOICES = [
    ScoringRules(),
    rules_for({"usage_decline": 0.25, "support_tickets": 0.25, "payment_issues": 0.25, "context": 0.25}),
    rules_for({"engagement_drop": 1.0}, min_present_weight=0.3),
    rules_for(
        {"usage_decline": 0.1, "support_tickets": 0.2, "payment_issues": 0.3, "context": 0.4}, min_present_weight=0
    ),
]


@MANY
@given(st.lists(severities, min_size=1, max_size=20), exceptions, st.sampled_from(CHOICES))
def test_scores_lie_in_range_and_contributions_add_up_to_them(company, many, exception, rules) -> None:
    rows = [{"customer_id": f"{n:02}", "exception": exception, **each} for n, each in enumerate(many)]
    for row, each in zip(company.scores(rows, rules), many, strict=True):
        present = sum(rules.weights.of(family) for family in FAMILIES if each[family] is not None)
        if row["score"] is None:
            assert exception is None and present < max(rules.min_present_weight, 1e-12)
            continue
        assert 1 <= row["score"] <= 10
        assert sum(row["contributions"].values()) == pytest.approx(row["score"] - 1, abs=1e-12)
        assert (row["score"] >= 8) == (row["band"] == "high")
        assert exception is None or row["band"] == "high"
        assert 0 <= row["confidence"] <= 1


@MANY
@given(severities, st.sampled_from(FAMILIES), st.floats(0, 1), exceptions, st.sampled_from(CHOICES))
def test_a_higher_severity_never_lowers_the_score(company, base, family, higher, exception, rules) -> None:
    lower = base[family] if base[family] is not None else 0.0
    pair = [base | {family: min(lower, higher)}, base | {family: max(lower, higher)}]
    rows = [{"customer_id": str(n), "exception": exception, **each} for n, each in enumerate(pair)]
    first, second = (row["score"] for row in company.scores(rows, rules))
    assert (first is None and second is None) or first <= second


@MANY
@given(severities, st.sampled_from([0.5, 0.25, 0.1]))
def test_only_the_proportions_of_the_weights_matter(company, base, share) -> None:
    """Halving all present weights, with the rest on a family that is absent for all, changes no score."""
    base = base | {"context": None}
    scaled = {family: PRIOR.of(family) * share for family in FAMILIES} | {"context": 1 - share}
    loose = {"min_present_weight": 0}
    one = company.scores([base], ScoringRules(**loose))[0]
    other = company.scores([base], rules_for(scaled, **loose))[0]
    assert one["score"] == pytest.approx(other["score"], abs=1e-9)
