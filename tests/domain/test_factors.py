"""Factors: severities at the edges of their rules, and why one can't be told."""

from datetime import date, datetime

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from orchestration_project.domain.factors import FAMILY_SIGNALS, MISSING, SIGNALS, signals
from orchestration_project.domain.rules import FAMILIES, SeverityRules

NOTHING = dict.fromkeys(SIGNALS)
REGULAR = {"active_days_365d": 100_000}
"""So often here that another use within the horizon is certain, unless it is over."""
QUIET = {"days_since_use": None, "typical_gap_days": None}
"""No rhythm, so that only the decline speaks."""


@pytest.fixture
def told(company):
    """The severities, reasons and exception of one row of signals."""
    return lambda **override: company.severities([override])[0]


@pytest.mark.parametrize(
    ("decline", "severity"),
    [(-300.0, 0), (0.0, 0), (20.0, 0), (20.6, 0.01), (50.0, 0.5), (80.0, 1), (100.0, 1), (None, None)],
)
def test_usage_decline_rises_from_20_to_80_percent(told, decline, severity) -> None:
    assert told(**QUIET, decline_pct=decline)["usage_decline"] == pytest.approx(severity, abs=1e-12)


@pytest.mark.parametrize(
    ("silence", "gap", "severity"),
    [(0, 10.0, 0), (30, 10.0, 0.5), (90, 10.0, 0.9), (12, 1.0, 0.5), (12, 4.0, 0.5), (12, 5.0, 2.4**2 / (2.4**2 + 9))],
)
def test_silence_is_measured_in_the_customers_own_gaps_of_four_days_at_least(told, silence, gap, severity) -> None:
    row = told(**REGULAR, decline_pct=None, days_since_use=silence, typical_gap_days=gap)
    assert row["usage_decline"] == pytest.approx(severity, abs=1e-3)


@pytest.mark.parametrize(
    ("days", "gap", "horizon", "severity"),
    [
        (0, 90.0, 90, 0.8**4),
        (0, 45.0, 90, (2 / 3) ** 4),
        (0, 90.0, 30, (12 / 13) ** 4),
        (270, 90.0, 90, 1 - 0.5 * (1 - 0.8**4)),
    ],
)
def test_who_comes_rarely_may_well_not_come_within_the_horizon(company, days, gap, horizon, severity) -> None:
    row = {"decline_pct": None, "active_days_365d": 1, "typical_gap_days": gap, "days_since_use": days}
    told = company.severities([row], SeverityRules(horizon_days=horizon))[0]
    assert told["usage_decline"] == told["silence"] == pytest.approx(severity)


def test_the_larger_of_decline_and_silence_counts(told) -> None:
    silence = {**REGULAR, "typical_gap_days": 10.0}
    assert told(**silence, decline_pct=50.0, days_since_use=90)["usage_decline"] == pytest.approx(0.9, abs=1e-3)
    assert told(**silence, decline_pct=79.4, days_since_use=30)["usage_decline"] == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("z", "severity"), [(0.0, 0), (-1.645, 0), (-2.4675, 0.25), (-3.29, 0.5), (-40.0, 0.5), (3.0, 0)]
)
def test_a_decline_counts_as_far_as_it_is_beyond_chance(told, z, severity) -> None:
    assert told(**QUIET, decline_pct=50.0, decline_z=z)["usage_decline"] == pytest.approx(severity)


@pytest.mark.parametrize(
    ("recent", "monthly", "severity"),
    [(2, 2.0, 0), (4, 2.0, 0.5), (6, 2.0, 1), (60, 2.0, 1), (0, 2.0, 0), (1, 0.0, 0), (2, 0.0, 0.5), (3, 0.2, 1)],
)
def test_tickets_rise_from_the_baseline_to_three_times_it_and_one_ticket_is_no_spike(told, recent, monthly, severity):
    assert told(tickets_30d=recent, tickets_prior_monthly=monthly)["support_tickets"] == severity


@pytest.mark.parametrize(
    ("override", "severity"),
    [
        ({}, 0),
        ({"overdue_days": 45, "overdue_amount": 100.0}, 1),
        ({"overdue_days": 90, "overdue_amount": 500.0}, 1),
        ({"overdue_days": 9, "overdue_amount": 100.0}, 0.2),
        ({"overdue_days": 45, "overdue_amount": 0.0}, 0.5),
        ({"overdue_days": 45, "overdue_amount": 50.0}, 0.75),
        ({"overdue_days": 45, "overdue_amount": 50.0, "typical_invoice": None}, 1),
        ({"overdue_days": 45, "overdue_amount": 0.0, "typical_invoice": 0.0}, 1),
        ({"failed_payments_90d": 1}, 1 / 3),
        ({"failed_payments_90d": 4}, 1),
        ({"failed_payments_90d": 1, "overdue_days": 9, "overdue_amount": 100.0}, 1 - 2 / 3 * 0.8),
    ],
)
def test_payments_join_days_amount_and_failures(told, override, severity) -> None:
    assert told(**override)["payment_issues"] == pytest.approx(severity, abs=1e-12)


@pytest.mark.parametrize(
    ("override", "severity"),
    [
        ({}, 0),
        ({"engagement_decline_pct": 50.0}, 0.5),
        ({"engagement_kinds_30d": 0}, 0.5),
        ({"engagement_kinds_30d": 1}, 0.25),
        ({"engagement_kinds_30d": 3}, 0),
        ({"engagement_kinds_prior_60d": 0}, 0),
        ({"engagement_decline_pct": None, "engagement_kinds_30d": 0}, 0),
        ({"engagement_days_since": 30}, 0.5),
    ],
)
def test_engagement_counts_like_usage_and_by_the_kinds_that_ceased(told, override, severity) -> None:
    assert told(**override)["engagement_drop"] == pytest.approx(severity)


@pytest.mark.parametrize(("days", "severity"), [(0, 1), (45, 0.5), (90, 0), (400, 0), (None, None)])
def test_a_near_renewal_is_context(told, days, severity) -> None:
    assert told(days_to_renewal=days)["context"] == severity


def test_too_little_history_is_said_and_is_not_zero(told) -> None:
    row = told(**NOTHING)
    assert {family: row[family] for family in FAMILIES} == dict.fromkeys(FAMILIES)
    assert {row[f"{family}_reason"] for family in FAMILIES} == {"insufficient_history"}
    assert row["exception"] is None


@pytest.mark.parametrize(("part", "family"), list(zip(MISSING, FAMILIES, strict=False)))
def test_a_missing_part_has_no_severity_but_its_reason_whatever_its_figures(told, part, family) -> None:
    row = told(**{part: "source_stale"}, decline_pct=100.0, days_since_use=200)
    assert (row[family], row[f"{family}_reason"]) == (None, "source_stale")
    others = [each for each in FAMILIES[:4] if each != family]
    assert all(row[each] is not None and row[f"{each}_reason"] is None for each in others)


@pytest.mark.parametrize(
    ("silence", "gap", "stopped"),
    [(13, 1.0, False), (14, 1.0, True), (14, 4.6, True), (14, 4.7, False), (29, 10.0, False), (30, 10.0, True)],
)
def test_usage_has_stopped_after_14_days_and_three_gaps(told, silence, gap, stopped) -> None:
    found = told(days_since_use=silence, typical_gap_days=gap)["exception"]
    assert found == ("usage_stopped" if stopped else None)


@pytest.mark.parametrize(("active", "exception"), [(4, None), (5, "usage_stopped"), (None, None)])
def test_only_who_was_active_before_can_stop(told, active, exception) -> None:
    assert told(days_since_use=100, active_days_365d=active)["exception"] == exception


def test_usage_that_is_missing_has_not_stopped(told) -> None:
    assert told(days_since_use=100, usage_missing="source_stale")["exception"] is None


def test_a_notice_comes_before_a_stop(told) -> None:
    assert told(days_since_use=100, notice_given=True)["exception"] == "cancellation_notice"
    assert told(usage_missing="source_stale", notice_given=True)["exception"] == "cancellation_notice"


figures = st.none() | st.floats(-1e6, 1e6)
counts = st.none() | st.integers(0, 10**6)


@settings(max_examples=settings().max_examples * 4)
@given(
    st.fixed_dictionaries(
        {"decline_pct": figures, "days_since_use": counts, "tickets_30d": counts, "overdue_days": counts},
        optional={
            "typical_gap_days": st.none() | st.floats(0.01, 400),
            "tickets_prior_monthly": st.none() | st.floats(0, 1e3),
            "overdue_amount": st.floats(0, 1e9), "typical_invoice": st.none() | st.floats(0, 1e9),
            "failed_payments_90d": counts, "engagement_decline_pct": figures, "engagement_days_since": counts,
            "engagement_kinds_30d": counts, "engagement_kinds_prior_60d": counts, "days_to_renewal": counts,
        },
    )
)  # fmt: skip
def test_whatever_the_signals_a_severity_is_null_with_a_reason_or_within_zero_and_one(company, override) -> None:
    row = company.severities([override])[0]
    for family in FAMILIES:
        severity, reason = row[family], row[f"{family}_reason"]
        assert (severity is None) == (reason is not None)
        assert severity is None or 0 <= severity <= 1


def test_thresholds_are_settings(company) -> None:
    rules = SeverityRules(decline_threshold_pct=0, decline_span_pct=100, stopped_min_days=3, stopped_gaps=1)
    row = company.severities([{**QUIET, "decline_pct": 30.0}, {"customer_id": "d", "days_since_use": 3}], rules)
    assert row[0]["usage_decline"] == pytest.approx(0.3)
    assert row[1]["exception"] == "usage_stopped"


def test_signals_join_profile_and_trend_and_tell_renewal_tenure_and_notice(engine) -> None:
    day = date(2024, 2, 29)
    base = {name: 1.0 for name in SIGNALS if name.startswith(("tickets", "engagement", "overdue", "invoices"))}
    base |= {"mrr": 10.0, "employee_count": 3.0, "plan": 1.0, "segment": 2.0}
    base |= {"satisfaction_90d": 4.0, "typical_invoice": 9.0, "failed_payments_90d": 0.0, "usage_missing": "no_rows"}
    base |= dict.fromkeys(MISSING[1:]) | {
        "scan_day": day,
        "signed_up_at": datetime.fromisoformat("2023-03-01"),
    }
    trend = {"scan_day": day, "decline_pct": 5.0, "decline_z": 0.0, "days_since_use": 1, "typical_gap_days": 2.0}
    trend |= dict.fromkeys((*FAMILY_SIGNALS["usage_decline"][4:], "observed_days"), 9) | {"usage_missing": None}
    renewal, none = datetime.fromisoformat("2024-03-01"), None
    customers = {
        "announced": {"renews_at": renewal, "leaves_on": date(2024, 5, 1), "notice_given": none},
        "noticed": {"renews_at": none, "leaves_on": none, "notice_given": True},
        "staying": {"renews_at": none, "leaves_on": none, "notice_given": none},
    }
    schema = {name: pa.float64() for name in base} | dict.fromkeys(MISSING, pa.string())
    schema |= {"customer_id": pa.string(), "scan_day": pa.date32(), "signed_up_at": pa.timestamp("us")}
    schema |= {"renews_at": pa.timestamp("us"), "leaves_on": pa.date32(), "notice_given": pa.bool_()}
    with engine.scope():
        profiles = pa.Table.from_pylist(
            [base | {"customer_id": name} | own for name, own in customers.items()], pa.schema(list(schema.items()))
        )
        trends = pa.Table.from_pylist([trend | {"customer_id": name} for name in customers])
        trends = trends.set_column(
            trends.column_names.index("usage_missing"), "usage_missing", pa.nulls(3, pa.string())
        )
        found = {row["customer_id"]: row for row in engine.rows(signals(engine.arrow(profiles), engine.arrow(trends)))}
    assert {name: row["notice_given"] for name, row in found.items()} == {
        "announced": True, "noticed": True, "staying": False,
    }  # fmt: skip
    assert (found["announced"]["days_to_renewal"], found["announced"]["tenure_days"]) == (1, 365)
    assert found["staying"]["days_to_renewal"] is None
    assert {row["usage_missing"] for row in found.values()} == {None}
