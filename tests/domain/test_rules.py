"""Rules: what values they refuse, and what identifies a configuration."""

import pytest
from pydantic import ValidationError

from orchestration_project.domain.rules import FAMILIES, FAMILY_SOURCES, RiskRules, ScoringRules, SeverityRules, Weights


def test_the_prior_weights_are_those_of_the_design() -> None:
    assert [Weights().of(family) for family in FAMILIES] == [0.4, 0.3, 0.2, 0.1, 0.0]


def test_every_family_has_a_source() -> None:
    assert tuple(FAMILY_SOURCES) == FAMILIES


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({"usage_decline": 0.5}, "must sum to 1, these sum to 1.1"),
        ({"usage_decline": -0.1, "support_tickets": 0.8}, "greater than or equal to 0"),
        ({"usage_decline": 1.1, "support_tickets": -0.4}, "less than or equal to 1"),
        ({"usage": 0.4}, "Extra inputs"),
    ],
)
def test_weights_must_be_shares_that_sum_to_one(weights, why) -> None:
    with pytest.raises(ValidationError, match=why):
        Weights(**weights)


@pytest.mark.parametrize(("medium", "high"), [(8, 8), (9, 8)])
def test_bands_must_be_in_order(medium, high) -> None:
    with pytest.raises(ValidationError, match=f"medium_from \\({medium}\\) must be below high_from \\({high}\\)"):
        ScoringRules(medium_from=medium, high_from=high)


def test_rules_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RiskRules().kinds_tracked = 3


def test_equal_rules_have_one_version_and_any_difference_another() -> None:
    base = RiskRules()
    others = [
        RiskRules(kinds_tracked=7),
        RiskRules(severities=SeverityRules(decline_threshold_pct=21)),
        RiskRules(scoring=ScoringRules(high_from=8.5)),
        RiskRules(scoring=ScoringRules(weights=Weights(version="prior-2"))),
    ]
    assert RiskRules().version == base.version
    assert len({each.version for each in [base, *others]}) == 5


def test_weights_that_are_not_the_priors_need_a_version_of_their_own() -> None:
    changed = {"usage_decline": 0.3, "support_tickets": 0.4}
    with pytest.raises(ValidationError, match="give them a `version` of their own"):
        Weights(**changed)
    assert Weights(version="ours-1", **changed).version == "ours-1"
