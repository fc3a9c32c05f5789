"""The same score on every engine: DuckDB, PostgreSQL, and the arrays that learning computes with."""

import ibis
import numpy as np
import pandas as pd
import pytest

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.domain.rules import FAMILIES, ScoringRules
from orchestration_project.domain.scorecard import Curve, Departure, Scorecard
from orchestration_project.domain.scoring import ENTRIES, scored_parts
from orchestration_project.domain.signals import CATALOGUE, signal_value

ROWS = 400
ANSWERS = ("customer_id", "score", "confidence", "log_odds", *(f"part_{name}" for name in ENTRIES))
TYPES = {column.name: column.type for column in LAKE_TABLES["risk_factors"] if not column.type.startswith("map")}
LEVELS = {
    "plan": ["free", "pro", None],
    "segment": ["large", "small", None],
    "exception": ["usage_stopped", "cancellation_notice", None, None, None],
}


def drawn() -> pd.DataFrame:
    """Rows of `risk_factors`, of which each value is now and then unknown."""
    random = np.random.default_rng(17)
    values = {}
    for name, kind in TYPES.items():
        whole = random.integers(0, 40, ROWS)
        known = {
            "float64": random.uniform(0, 1 if name in FAMILIES else 90, ROWS),
            "int64": whole,
            "boolean": whole > 35,
            "date": pd.Timestamp("2026-01-31").date(),
        }
        column = pd.Series(known.get(kind, "x"), index=range(ROWS), dtype=object)
        if name in LEVELS:
            column = pd.Series(random.choice(np.array(LEVELS[name], dtype=object), ROWS))
        always = name in ("customer_id", "scan_day", "tenure_days")
        values[name] = column if always else column.where(random.random(ROWS) < 0.9, None)
    values["customer_id"] = pd.Series([f"c{n:03d}" for n in range(ROWS)])
    return pd.DataFrame(values)


def curve(name: str, family: str, random: np.random.Generator) -> Curve:
    direction = int(random.choice([-1, 1]))
    points = np.sort(random.normal(0, 0.4, 6))[::direction]
    return Curve(
        signal=name, family=family, direction=direction, edges=tuple(np.sort(random.uniform(0, 40, 5))),
        points=tuple(points), missing=float(random.normal()),
    )  # fmt: skip


@pytest.fixture(scope="module")
def card() -> Scorecard:
    random = np.random.default_rng(23)
    # One of each family: PostgreSQL repeats an expression wherever it is used, and takes a minute for all.
    one = {signal.family: signal.name for signal in CATALOGUE}
    curves = [curve(name, family, random) for family, name in one.items()]
    return Scorecard(
        trained_on=("2026-01-31",), horizon_days=90, base_rate=0.07, intercept=-2.7, curves=tuple(curves),
        weights=dict.fromkeys(FAMILIES, 0.2),
        departures=(Departure(segment="large", shift=0.31, factors=dict.fromkeys(FAMILIES, 1.13)),),
    )  # fmt: skip


@pytest.mark.parametrize("learned", [False, True])
def test_postgresql_gives_the_score_that_duckdb_gives(postgres, engine, card, learned) -> None:
    rows, schema = drawn(), ibis.schema(TYPES)
    other = ibis.postgres.connect(host="127.0.0.1", port=postgres.port, user="health", database="postgres")
    try:
        factors = other.create_table("risk_factors", ibis.memtable(rows, schema=schema), temp=True, overwrite=True)
        there = other.to_pandas(answers(factors, card if learned else None))
    finally:
        other.disconnect()
    with engine.scope():
        here = engine.frame(answers(ibis.memtable(rows, schema=schema), card if learned else None))
    assert here["score"].notna().sum() > ROWS / 2
    pd.testing.assert_frame_equal(here, there, check_dtype=False, rtol=0, atol=1e-9)


def test_arrays_give_the_log_odds_that_the_expression_gives(engine, card) -> None:
    with engine.scope():
        table = ibis.memtable(drawn(), schema=ibis.schema(TYPES))
        matrix = engine.frame(
            table.order_by("customer_id").select(
                **{name: signal_value(table, name).cast("float64") for name in card.columns}
            )
        ).to_numpy(float)
        scored = engine.frame(answers(table, card))
    odds = card.log_odds(matrix, card.columns)
    np.testing.assert_allclose(scored["log_odds"], odds, rtol=0, atol=1e-12)


def answers(factors, card):
    return scored_parts(factors, ScoringRules(), FAMILIES, scorecard=card).select(*ANSWERS).order_by("customer_id")
