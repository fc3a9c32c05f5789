"""Criteria: what they say of a table, and that nothing but a criterion is one."""

import hypothesis.strategies as st
import ibis
import pandas as pd
import pytest
from hypothesis import given

from orchestration_project.contracts.criteria import AGGREGATES, Criterion, CriterionError

COLUMNS = {
    "score": "float64", "complete": "boolean", "band": "string", "scan_day": "date", "parts": "map<string, float64>",
}  # fmt: skip
ROWS = pd.DataFrame(
    {
        "score": [1.0, 9.0, None, 4.0],
        "complete": [True, None, False, True],
        "band": ["low", "high", None, "medium"],
        "scan_day": pd.to_datetime(["2026-01-01"] * 4).date,
        "parts": [{"a": 1.0}] * 4,
    }
)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("share(complete) == 0.5", True),
        ("share(complete) > 0.5", False),
        ("share(not complete) == 0.25", True),
        ("minimum(score) >= 1 and maximum(score) <= 10", True),
        ("rows(score is None and band is not None) == 0", True),
        ("rows() == 4 and rows(score > 3) == 2", True),
        ("0.1 < share(band == 'high') < 0.5", True),
        ("0.1 < share(band == 'high') < 0.2", False),
        ("total(score) / rows() > 3 or rows() > 100", True),
        ("not distinct(band) != 3", True),
        ("-minimum(score) - 2 * mean(score) < -10", True),
        ("minimum(band) == 'high'", True),
    ],
)
def test_a_criterion_says_whether_a_table_meets_it(engine, text: str, verdict: bool) -> None:
    with engine.scope():
        table = ibis.memtable(ROWS, schema=ibis.schema(COLUMNS))
        assert engine.value(Criterion(text, COLUMNS).of(table)) is verdict


def test_of_a_table_without_rows_nothing_is_known_but_how_many_there_are(engine) -> None:
    with engine.scope():
        table = ibis.memtable(ROWS, schema=ibis.schema(COLUMNS)).limit(0)
        assert engine.value(Criterion("share(complete) > 0.5", COLUMNS).of(table)) is None
        assert engine.value(Criterion("rows() == 0", COLUMNS).of(table)) is True


@pytest.mark.parametrize(
    "text",
    [
        "", "1 <= 2", "score > 3", "share(complete)", "share(score) > 1", "foo(score) > 1", "share(x) > 1",
        "__import__('os').system('true')", "(lambda: 1)()", "share(complete) > 'a'", "mean(band) > 1",
        "maximum(parts) > 1", "parts == parts", "share(complete).x > 1", "share(complete", "minimum(band + 1) > 2",
        "share(score in [1]) > 1", "share(score > mean(score)) > 0", "minimum(score) > 10 ** 1000", "share() > 1",
        "share(complete, complete) > 1", "share(value=complete) > 1", "1 is None", "share(True) > 1",
        "minimum(1) > 0", "minimum(complete) == True", "[x for x in band]", "share(complete) > 0.5; 1",
        "not " * 60 + "rows() > 1", "rows() > 1 and rows()", "share(complete < True) > 0",
    ],
)  # fmt: skip
def test_what_is_no_criterion_is_refused_with_cause_and_fix(text: str) -> None:
    with pytest.raises(CriterionError) as raised:
        Criterion(text, COLUMNS)
    assert raised.value.cause.startswith(f"`{text}`: ")
    assert raised.value.fix


PIECES = st.sampled_from(
    [*AGGREGATES, *COLUMNS, "(", ")", "<", ">=", "==", "and", "not", "is None", "1", "'a'", "+", "."]
)


@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=40))
def test_whatever_is_written_is_a_criterion_that_can_be_evaluated_or_is_refused(engine, text: str) -> None:
    try:
        criterion = Criterion(text, COLUMNS)
    except CriterionError:
        return
    with engine.scope():
        assert engine.value(criterion.of(ibis.memtable(ROWS, schema=ibis.schema(COLUMNS)))) in (True, False, None)
