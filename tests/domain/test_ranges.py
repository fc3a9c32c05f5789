"""Ranges: a wrong number is refused with its name, its row and what to do."""

import math

import numpy as np
import pytest

from orchestration_project.domain.ranges import accepted, between, count, number, outcomes, same_length, share


def positive(values: np.ndarray) -> np.ndarray:
    return values > 0


def test_accepted_numbers_come_back_as_floats() -> None:
    assert accepted("length", [1, 2], positive, "pass more").tolist() == [1.0, 2.0]
    assert number("length", 3, positive, "pass more") == 3.0


def test_a_wrong_number_is_refused_with_its_name_and_the_rule() -> None:
    with pytest.raises(ValueError, match=r"^length is -1; pass more\.$"):
        number("length", -1, positive, "pass more")


def test_the_first_wrong_row_is_named_and_the_others_counted() -> None:
    with pytest.raises(ValueError, match=r"^length is nan in row 1 \(2 rows are wrong\); pass more\.$"):
        accepted("length", [1, math.nan, 2, -1], positive, "pass more")


def test_an_array_is_no_number_and_a_table_no_array() -> None:
    with pytest.raises(ValueError, match="length has 2 values; pass a single number"):
        number("length", [1, 2], positive, "pass more")
    with pytest.raises(ValueError, match="length has 2 dimensions; pass one value per row"):
        accepted("length", [[1]], positive, "pass more")


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan, math.inf, None])
def test_a_share_lies_from_0_to_1(wrong: float) -> None:
    assert [share("part", each) for each in (0, 0.5, 1)] == [0, 0.5, 1]
    with pytest.raises(ValueError, match=r"part is .*; pass a share from 0 to 1"):
        share("part", wrong)


@pytest.mark.parametrize("wrong", [0, 1, math.nan])
def test_the_ends_lie_not_between(wrong: float) -> None:
    assert between("part", 0.5) == 0.5
    with pytest.raises(ValueError, match="pass a number between 0 and 1"):
        between("part", wrong)


@pytest.mark.parametrize("wrong", [-1, 1.5, math.nan, math.inf])
def test_a_count_is_whole_and_not_negative(wrong: float) -> None:
    assert count("people", 3.0) == 3
    with pytest.raises(ValueError, match=r"people is .*; pass a count"):
        count("people", wrong)


@pytest.mark.parametrize("wrong", [0.5, 2, math.nan])
def test_an_outcome_is_one_or_zero(wrong: float) -> None:
    assert outcomes("left", [True, False]).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"left is .* in row 1; .* leave out outcomes that have not matured"):
        outcomes("left", [0, wrong])


def test_rows_that_do_not_match_are_told_by_name() -> None:
    with pytest.raises(ValueError, match="score has 2, left has 1"):
        same_length(score=np.zeros(2), left=np.zeros(1))
