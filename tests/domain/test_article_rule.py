"""The article's rule, kept for comparison, by its golden values."""

import pytest

from orchestration_project.domain.article_rule import article_score

GOLDEN = [
    (20, False, 0), (20.1, False, 0.804), (23, False, 0.92), (23, True, 3.92), (25, False, 1.0), (25, True, 4.0),
    (50, False, 2.0), (50, True, 5.0), (99, False, 3.96), (99, True, 6.96), (100, False, 4.0), (100, True, 7.0),
    (0, False, 0), (0, True, 3.0),
]  # fmt: skip


@pytest.mark.parametrize(("decline", "spike", "score"), GOLDEN)
def test_the_article_s_rule_yields_the_article_s_figures(decline, spike, score) -> None:
    assert article_score(decline, spike) == pytest.approx(score, abs=1e-12)


def test_the_article_s_rule_never_reaches_its_own_high_band() -> None:
    assert max(article_score(decline, spike) for decline in range(-100, 101) for spike in (True, False)) == 7.0
