"""Control: the same customers for ever, the same on every engine, and weights that restore the population."""

import math

import hypothesis.strategies as st
import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from orchestration_project.domain.control import control_flag, in_control, untreated_weights

MANY = settings(max_examples=settings().max_examples * 10)
SALT = "acme 2026"
IDS = [f"C{number:06d}" for number in range(6000)]
GOLDEN = ["C000004", "C000020", "C000028"]
ODD = [
    "",
    " ",
    "c",
    "C",
    "é",
    "e\u0301",
    "日本語",
    "🙂",
    "a'b",
    'a"b',
    "a\\b",
    "a/b",
    "a\nb",
    "x" * 5000,
    "İ",
    "ß",
    "%_",
]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
salts = texts.filter(bool)
shares = st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 1.0])


def computed(engine, ids: list[str | None], salt: str, share: float) -> list[bool | None]:
    """The answers of the expression, in order."""
    table = engine.arrow(pa.table({"row": range(len(ids)), "customer_id": pa.array(ids, pa.string())}))
    rows = engine.rows(table.mutate(flag=control_flag(table.customer_id, salt, share)))
    return [row["flag"] for row in sorted(rows, key=lambda row: row["row"])]


def group(share: float, salt: str = SALT, ids: list[str] = IDS) -> set[str]:
    return {each for each in ids if in_control(each, salt, share)}


def test_who_is_in_control_never_changes() -> None:
    """Of these customers and this salt, for ever: whoever changes the rule mixes up every running experiment."""
    assert [each for each in IDS[:60] if in_control(each, SALT, 0.1)] == GOLDEN


@MANY
@given(texts, salts, shares, shares)
def test_a_higher_share_only_adds_customers(customer_id, salt, one, other) -> None:
    lower, higher = sorted([one, other])
    assert in_control(customer_id, salt, higher) or not in_control(customer_id, salt, lower)


@MANY
@given(texts, salts)
def test_a_share_of_nothing_holds_nobody_and_of_all_everybody(customer_id, salt) -> None:
    assert not in_control(customer_id, salt, 0)
    assert in_control(customer_id, salt, 1)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_the_group_has_about_its_share(share) -> None:
    error = math.sqrt(share * (1 - share) / len(IDS))
    assert len(group(share)) / len(IDS) == pytest.approx(share, abs=3.5 * error)


def test_groups_of_different_salts_have_nothing_to_do_with_each_other() -> None:
    both = group(0.5) & group(0.5, "another")
    assert len(both) / len(IDS) == pytest.approx(0.25, abs=0.02)


def test_the_groups_of_many_salts_are_spread_as_chance_spreads_them() -> None:
    sizes = np.array([len(group(0.2, f"salt {n}", IDS[:1000])) for n in range(200)])
    assert sizes.mean() == pytest.approx(200, abs=3)
    assert sizes.std() == pytest.approx(math.sqrt(1000 * 0.2 * 0.8), rel=0.2)


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.1, 1 / 3, 0.999, 1.0])
@pytest.mark.parametrize("salt", [SALT, 'it\'s — 日本 \\ "🙂"'])
def test_the_expression_answers_as_the_function_does(engine, salt, share) -> None:
    ids = IDS[:4000] + ODD
    assert computed(engine, ids, salt, share) == [in_control(each, salt, share) for each in ids]


@MANY
@given(st.lists(texts, min_size=1, max_size=20), salts, shares)
def test_the_expression_answers_alike_for_any_text(engine, ids, salt, share) -> None:
    assert computed(engine, ids, salt, share) == [in_control(each, salt, share) for each in ids]


def test_of_a_customer_without_identifier_the_expression_says_nothing(engine) -> None:
    assert computed(engine, [None], SALT, 1.0) == [None]


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_the_expression_compiles_for_every_engine(dialect) -> None:
    people = ibis.table({"customer_id": "string"}, name="people")
    assert "SHA2" in ibis.to_sql(people.mutate(flag=control_flag(people.customer_id, SALT, 0.1)), dialect=dialect)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_a_share_out_of_range_is_refused(wrong) -> None:
    people = ibis.table({"customer_id": "string"}, name="people")
    with pytest.raises(ValueError, match=r"share is .*; pass a share from 0 to 1"):
        in_control("c", SALT, wrong)
    with pytest.raises(ValueError, match=r"share is .*; pass a share from 0 to 1"):
        control_flag(people.customer_id, SALT, wrong)


def test_an_empty_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="salt is empty; pass a text"):
        in_control("c", "", 0.1)


@pytest.mark.parametrize("wrong", [None, math.nan, 7])
def test_an_identifier_that_is_no_text_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=f"customer_id is {wrong}, which is no text"):
        in_control(wrong, SALT, 0.1)


def test_influenced_rows_are_left_out_and_untreated_ones_stand_for_them() -> None:
    weights = untreated_weights([1, 0, 0, 0], [math.nan, 0, 0.5, 0.9], cap=5)
    assert weights.tolist() == [0, 1, 2, 5]


def test_without_a_cap_a_rare_row_stands_for_all_that_it_must() -> None:
    assert untreated_weights([False], [0.999], math.inf)[0] == pytest.approx(1000)


def test_the_weights_restore_the_population_over_seeds() -> None:
    """Treatment goes to those at risk, and averts every leave: without weights the untreated look loyal."""
    risk = np.linspace(0, 0.5, 4000)
    propensity = 1.6 * risk
    truths, plain = [], []
    for seed in range(100):
        random = np.random.default_rng(seed)
        left, treated = random.random(4000) < risk, random.random(4000) < propensity
        weights = untreated_weights(treated, propensity, 20)
        truths.append(np.average(left, weights=weights))
        plain.append(left[~treated].mean())
        assert weights.sum() == pytest.approx(4000, rel=0.1)
    assert np.mean(truths) == pytest.approx(0.25, abs=0.003)
    assert np.mean(plain) < 0.2


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.99)), max_size=50), st.floats(1, 200))
def test_a_weight_is_zero_where_we_acted_and_else_from_one_to_the_cap(rows, cap) -> None:
    treated, propensity = [row[0] for row in rows], [row[1] for row in rows]
    for weight, acted in zip(untreated_weights(treated, propensity, cap), treated, strict=True):
        assert weight == 0 if acted else 1 <= weight <= cap


@pytest.mark.parametrize("wrong", [1, 1.2, -0.1, math.nan])
def test_an_untreated_row_that_nothing_stands_for_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"propensity is .* in row 1; log for an untreated row .* or leave it out"):
        untreated_weights([True, False], [1, wrong], 10)


def test_weights_of_rows_that_are_not_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="treated is nan in row 0; pass 1 where we influenced"):
        untreated_weights([math.nan], [0.5], 10)
    with pytest.raises(ValueError, match="treated has 1, propensity has 2"):
        untreated_weights([0], [0.5, 0.5], 10)


@pytest.mark.parametrize("wrong", [0.9, math.nan])
def test_a_cap_below_one_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"cap is .*; pass a number of at least 1"):
        untreated_weights([0], [0.5], wrong)
