"""Contracts of steps: each rule at its boundary, whole tables by their columns, and pandera of the same opinion."""

from datetime import date, datetime
from typing import Any

import ibis
import ibis.expr.types as ir
import pandera.ibis as pa
import pyarrow as arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.contracts.lake_tables import LAKE_TABLES, ContractError
from orchestration_project.contracts.steps import BY_TYPE, LARGEST, REQUIRED, breach, contract, keeps, require_columns
from orchestration_project.domain.plan import STAGES
from orchestration_project.domain.rules import AUTONOMY
from orchestration_project.engine import Engine

DAY, TIME = date(2026, 11, 22), datetime(2026, 11, 23, 8)  # noqa: DTZ001 - the lake holds UTC without a zone
TEXT = {"state": "verified", "problems": [], "written_by": "template", "facts": "{}"}
GOOD: dict[str, dict[str, Any]] = {
    "customer_profiles": {"signed_up_at": TIME, "complete": False},
    "usage_trends": {"significant": False, "trend": "unknown", "usage_missing": "no_rows"},
    "risk_factors": {
        "rules_version": "r", "usage_decline": 0.0, "support_tickets": 0.0, "payment_issues": 0.0,
        "engagement_drop": 0.0, "context": 0.0,
    },
    "risk_scores": {
        "score": 5.0, "band": "medium", "contributions": {"base": 4.0}, "confidence": 0.5, "next_action": "outreach",
        "factors": [], "weights_version": "w", "scored_at": TIME,
    },
    "action_plan": {"action": "outreach"},
    "outreach_drafts": {
        "play": "usage", "variant": "check_in", "factor": "context", "language": "en", "subject": "Hello",
        "body": "Hello", **TEXT,
    },
    "account_alerts": {"score": 9.0, "narrative": "Because", "recommended_actions": ["call"], **TEXT},
}  # fmt: skip
NAN, INF = float("nan"), float("inf")
RANGES = {
    "active_days_7d": 7, "active_days_30d": 30, "active_days_prior_60d": 60, "active_days_180d": 180,
    "active_days_365d": 365, "observed_days": 365,
}  # fmt: skip
SHARES = ("usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context", "silence")
AMOUNTS = {
    "customer_profiles": ("mrr", "overdue_amount", "typical_invoice", "tickets_open_days", "tickets_prior_monthly",
                          "engagement_typical_gap_days"),
    "usage_trends": ("usage_30d", "usage_prior_60d", "usage_year_ago", "rate_30d", "rate_prior_60d", "calendar_ratio",
                     "typical_gap_days"),
    "risk_factors": ("usage_30d", "usage_year_ago", "typical_gap_days", "mrr", "overdue_amount", "typical_invoice",
                     "tickets_open_days", "tickets_prior_monthly", "engagement_typical_gap_days"),
}  # fmt: skip
Case = tuple[dict[str, Any], str | None]


def table(engine: Engine, name: str, *changes: dict[str, Any]) -> ir.Table:
    """Rows that are good but for their changes, numbered by `n`. Arrow tells what is no number from what is unknown."""
    types = ibis.schema({column.name: column.type for column in LAKE_TABLES[name]} | {"n": "int64"}).to_pyarrow()
    base = {**dict.fromkeys(types.names), "customer_id": "C1", "scan_day": DAY, **GOOD[name]}
    rows = [{**base, **change, "n": n} for n, change in enumerate(changes)]
    return engine.arrow(arrow.Table.from_pylist(rows, schema=types))


def reasons(engine: Engine, name: str, cases: list[Case]) -> list[str | None]:
    """Why each row is bad, in order."""
    rows = table(engine, name, *(change for change, _ in cases))
    judged = engine.rows(rows.select("n", reason=breach(name, rows), keeps=keeps(name, rows)).order_by("n"))
    assert all(row["keeps"] == (row["reason"] is None) for row in judged)
    return [row["reason"] and row["reason"].removeprefix(f"{name}: ") for row in judged]


def bounded(column: str, most: int, more: dict[str, Any]) -> list[Case]:
    """Cases of a count of days within a window; `more` fits what stands beside it."""
    wrong = f"{column} is not between 0 and {most}"
    return [({**more, column: value}, None) for value in (0, most)] + [({column: n}, wrong) for n in (-1, most + 1)]


def usage(**figures: Any) -> dict[str, Any]:
    """A row of `usage_trends` with figures."""
    return {"usage_30d": 0.0, "usage_missing": None, **figures}


def amounts(name: str) -> list[Case]:
    known = {"usage_missing": None} if name == "usage_trends" else {}
    cases: list[Case] = []
    for column in AMOUNTS[name]:
        least = {**known, "usage_30d": 0.0} if known else {}
        cases += [({**least, column: value}, None) for value in (0.0, LARGEST)]
        cases += [({column: value}, f"{column} is negative or not finite") for value in (-1e-9, NAN, INF)]
    return cases


def chosen(column: str, values: tuple[str, ...], **more: Any) -> list[Case]:
    good: list[Case] = [({column: value, **more}, None) for value in values]
    return [*good, ({column: "else"}, f"{column} is none of {', '.join(values)}")]


def percent(column: str, **more: Any) -> list[Case]:
    wrong = f"{column} is above 100 or not finite"
    good: list[Case] = [({column: value, **more}, None) for value in (-1e9, 100.0)]
    return [*good, *(({column: value, **more}, wrong) for value in (100.1, NAN, -INF))]


def shares(*columns: str, **more: Any) -> list[Case]:
    good: list[Case] = [({column: value, **more}, None) for column in columns for value in (0.0, 1.0)]
    return good + [
        ({column: value}, f"{column} is not between 0 and 1") for column in columns for value in (-1e-9, 1.0001, NAN)
    ]


ASCEND = "active_days_7d, active_days_30d, active_days_180d, active_days_365d do not ascend"
SPENT = "active_days_30d and active_days_prior_60d are more than active_days_180d"
WINDOWS: list[Case] = [
    *(case for column, most in RANGES.items() for case in bounded(column, most, {})),
    *percent("decline_pct"),
    ({"active_days_7d": 3, "active_days_30d": 3, "active_days_180d": 3, "active_days_365d": 3}, None),
    ({"active_days_7d": 4, "active_days_30d": 3, "active_days_180d": 5, "active_days_365d": 5}, ASCEND),
    ({"active_days_7d": 1, "active_days_30d": 6, "active_days_180d": 5, "active_days_365d": 6}, ASCEND),
    ({"active_days_7d": 1, "active_days_30d": 3, "active_days_180d": 6, "active_days_365d": 5}, ASCEND),
    ({"active_days_30d": 3, "active_days_prior_60d": 2, "active_days_180d": 5}, None),
    ({"active_days_30d": 3, "active_days_prior_60d": 3, "active_days_180d": 5}, SPENT),
]
CONTACTS: list[Case] = [
    *(({"satisfaction_90d": value}, None) for value in (1.0, 5.0)),
    *(({"satisfaction_90d": value}, "satisfaction_90d is not between 1 and 5") for value in (0.9, 5.1)),
    *percent("engagement_decline_pct"),
    ({"tickets_urgent_open": 2, "tickets_open": 2}, None),
    ({"tickets_urgent_open": 3, "tickets_open": 2}, "tickets_urgent_open, tickets_open do not ascend"),
]
STATES: list[Case] = [
    ({"state": "review", "problems": ["a number"]}, None),
    ({"state": "verified", "problems": ["a number"]}, "state and problems differ"),
    ({"state": "review", "problems": []}, "state and problems differ"),
    ({"state": "else"}, "state is none of verified, review"),
]
UNSCORED = {"score": None, "contributions": None, "band": None, "no_score_reason": "insufficient_data"}
SCORE_OR_REASON = "not exactly one of score and no_score_reason is there"
CASES: dict[str, list[Case]] = {
    "customer_profiles": [
        *CONTACTS, *amounts("customer_profiles"), *bounded("engagement_observed_days", 365, {}),
        ({"customer_id": " "}, "customer_id is empty"),
    ],
    "usage_trends": [
        *WINDOWS, *amounts("usage_trends"),
        *chosen("trend", ("up", "flat", "down", "stopped", "insufficient_history", "unknown")),
        (usage(), None),
        (usage(usage_missing="no_rows"), "not exactly one of usage_30d and usage_missing is there"),
        (usage(usage_30d=None), "not exactly one of usage_30d and usage_missing is there"),
    ],
    "risk_factors": [
        *WINDOWS, *CONTACTS, *amounts("risk_factors"), *shares(*SHARES),
        *chosen("exception", ("cancellation_notice", "usage_stopped")),
        *(({name: None, f"{name}_reason": "no_rows"}, None) for name in SHARES[:-1]),
        *(({name: None}, f"not exactly one of {name} and {name}_reason is there") for name in SHARES[:-1]),
        *(({f"{name}_reason": "no_rows"}, f"not exactly one of {name} and {name}_reason is there")
          for name in SHARES[:-1]),
    ],
    "risk_scores": [
        *(({"score": value}, None) for value in (1.0, 10.0)),
        *(({"score": value}, "score is not between 1 and 10") for value in (0.999, 10.001, NAN, INF)),
        *shares("probability", "confidence"),
        *chosen("band", ("low", "medium", "high")),
        *chosen("next_action", ("monitor", "outreach", "alert", "human_review", "data_quality_review")),
        (UNSCORED, None),
        ({**UNSCORED, "no_score_reason": None}, SCORE_OR_REASON),
        ({"no_score_reason": "insufficient_data"}, SCORE_OR_REASON),
        ({"contributions": None}, "only one of score and contributions is there"),
        ({**UNSCORED, "contributions": {"base": 1.0}}, "only one of score and contributions is there"),
        ({"band": None}, "only one of score and band is there"),
        ({**UNSCORED, "band": "low"}, "only one of score and band is there"),
    ],
    "action_plan": [
        *chosen("action", ("monitor", "outreach", "alert", "human_review", "data_quality_review")),
        *chosen("state", ("low", "medium", "high")), *chosen("stopped_at", STAGES), *chosen("autonomy", AUTONOMY),
        *shares("variant_propensity", "propensity"),
        *(({"expected_loss": value}, None) for value in (0.0, LARGEST)),
        *(({"expected_loss": value}, "expected_loss is negative or not finite") for value in (-1e-9, NAN, INF)),
    ],
    "outreach_drafts": [
        *STATES, *(({name: " "}, f"{name} is empty") for name in ("play", "subject", "body")),
        *chosen("variant", ("check_in", "support_follow_up", "billing_help", "re_engage", "renewal_review")),
        *chosen("factor", ("usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context")),
        *chosen("language", ("en", "de", "fr")),
    ],
    "account_alerts": [
        *STATES, ({"narrative": ""}, "narrative is empty"),
        ({"recommended_actions": []}, "recommended_actions is empty"),
        *(({"score": value}, None) for value in (1.0, 10.0)),
        *(({"score": value}, "score is not between 1 and 10") for value in (0.999, 10.001)),
    ],
}  # fmt: skip


def by_type(name: str) -> list[Case]:
    """Cases of the columns that have the rule of their type only."""
    cases: list[Case] = []
    for column, declared in contract(name).columns.items():
        if declared.checks == [BY_TYPE["int64"]]:
            cases += [({column: 0}, None), ({column: -1}, f"{column} is negative")]
        if declared.checks == [BY_TYPE["float64"]]:
            cases += [
                ({column: -LARGEST}, None),
                *(({column: value}, f"{column} is not finite") for value in (NAN, -INF)),
            ]
    return cases


def required(name: str) -> list[Case]:
    return [({column: None}, f"{column} is missing") for column in REQUIRED[name]]


@pytest.mark.parametrize("name", GOOD)
def test_each_rule_holds_up_to_its_boundary_and_breaks_beyond(engine, name):
    cases = [({}, None), *required(name), *by_type(name), *CASES[name]]
    found = zip(cases, reasons(engine, name, cases), strict=True)
    assert [(*case, reason) for case, reason in found if reason != case[1]] == []


@pytest.mark.parametrize("name", GOOD)
def test_every_rule_has_a_case_that_breaks_it(name):
    schema = contract(name)
    rules = {f"{column} is missing" for column, declared in schema.columns.items() if not declared.nullable}
    rules |= {f"{column} {check.error}" for column, declared in schema.columns.items() for check in declared.checks}
    rules |= {str(check.error) for check in schema.checks}
    broken = {reason for _, reason in [*required(name), *by_type(name), *CASES[name]]}
    assert broken - {None} == rules


def test_contracts_have_the_columns_and_types_of_the_lake_and_cover_every_table_of_a_scan():
    by_day = {name for name, columns in LAKE_TABLES.items() if columns[-1].name == "scan_day"} - {"business_outcomes"}
    assert by_day == REQUIRED.keys()
    for name in by_day:
        found = {column: str(declared.dtype) for column, declared in contract(name).columns.items()}
        assert found == {column.name: column.type for column in LAKE_TABLES[name]}


@given(
    score=st.none() | st.floats(0.5, 10.5), reason=st.sampled_from([None, "insufficient_data"]),
    confidence=st.none() | st.floats(-0.1, 1.1), band=st.sampled_from([None, "low", "medium", "wrong"]),
)  # fmt: skip
def test_pandera_itself_is_of_the_same_opinion(engine, score, reason, confidence, band):
    change = {"score": score, "no_score_reason": reason, "confidence": confidence, "band": band}
    rows = table(engine, "risk_scores", change).drop("n").cast({"scored_at": "timestamp"})
    try:
        contract("risk_scores").validate(rows, lazy=True)
        good = True
    except pa.errors.SchemaErrors:
        good = False
    assert engine.value(keeps("risk_scores", rows).all()) == good


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda rows: rows.drop("band"), "column band is not there"),
        (lambda rows: rows.mutate(extra=1), "column extra does not belong there"),
        (lambda rows: rows.mutate(score=rows.score.cast("string")), "column score is string and not float64"),
        (lambda rows: rows.mutate(factors=ibis.array([1])), "column factors is array<int8> and not array<string>"),
        (lambda rows: rows.mutate(scored_at=rows.scored_at.cast("timestamp('UTC')")),
         "column scored_at is timestamp('UTC') and not timestamp"),
        (lambda rows: rows.drop("band").mutate(score=1),
         "column band is not there, and column score is int8 and not float64"),
    ],
)  # fmt: skip
def test_other_columns_or_types_fail_the_table_with_culprit_cause_and_fix(engine, change, cause):
    rows = change(table(engine, "risk_scores", {}).drop("n"))
    with pytest.raises(ContractError) as error:
        require_columns("risk_scores", rows, "materialize it again")
    assert str(error.value) == f"risk_scores breaks its contract: {cause}; materialize it again."


def test_the_precision_of_times_and_the_order_of_columns_are_free(engine):
    rows = table(engine, "risk_scores", {}).drop("n")
    shuffled = rows.select(*reversed(rows.columns)).cast({"scored_at": "timestamp(9)"})
    require_columns("risk_scores", shuffled, "none")


def test_a_row_is_told_by_the_first_rule_that_it_breaks(engine):
    rows = table(engine, "risk_scores", {"customer_id": None, "score": 11.0})
    (row,) = engine.rows(rows.select(reason=breach("risk_scores", rows)))
    assert row["reason"] == "risk_scores: customer_id is missing"
