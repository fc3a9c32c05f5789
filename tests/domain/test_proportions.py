"""Proportions: intervals of shares."""

import pytest

from orchestration_project.domain.proportions import wilson


def test_the_interval_is_the_published_one() -> None:
    """Newcombe 1998, table I: 81 of 263."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_of_few_cases_little_is_known_and_no_interval_leaves_0_to_1() -> None:
    low, high = wilson(0.0, 3)
    assert low == pytest.approx(0)
    assert 0.5 < high < 1
