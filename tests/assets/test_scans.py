"""Scans through the real assets: of a range, again, and with sources that are not connected."""

import math
from datetime import timedelta

import pandas as pd

DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")
FIGURES = {
    "support_tickets": [
        "tickets_30d",
        "tickets_urgent_open",
        "tickets_prior_monthly",
        "satisfaction_90d",
    ],
    "payment_issues": ["overdue_days", "overdue_amount", "typical_invoice", "failed_payments_90d"],
    "engagement_drop": ["engagement_decline_pct", "engagement_days_since", "engagement_kinds_30d"],
    "usage_decline": ["decline_pct", "decline_z", "days_since_use", "active_days_365d"],
}


def test_a_day_of_a_range_equals_a_run_of_its_own_and_a_rerun_changes_nothing_but_its_time(company, copy):
    day = company.days.dates[1]
    copy.now = company.now + timedelta(hours=5)
    assert copy.scan(day).success
    for table in DAILY:
        of_range, of_day = company.rows(table, day), copy.rows(table, day)
        if table == "risk_scores":
            assert (of_day.pop("scored_at") - of_range.pop("scored_at") == timedelta(hours=5)).all()
        pd.testing.assert_frame_equal(of_day, of_range, check_exact=True)


def test_a_source_that_is_not_connected_is_missing_and_not_zero(copy):
    day = copy.days.last
    before = copy.rows("risk_scores", day)
    copy.connect("customers", "usage_events", "invoices")
    refreshed = copy.refresh("2026-06", "2026-06")
    assert refreshed.success
    for source in ("support_tickets", "engagements"):
        assert copy.written(refreshed)[source] == {None: {"source": "not connected"}}
        assert not (copy.home.lake / source).exists()
    assert not (copy.home.lake / "engagement_daily").exists()

    result = copy.scan(day)
    assert result.success
    factors, scores = copy.rows("risk_factors", day), copy.rows("risk_scores", day)
    for family in ("support_tickets", "engagement_drop"):
        assert factors[family].isna().all()
        assert set(factors[f"{family}_reason"]) == {"source_not_connected"}
        assert factors[FIGURES[family]].isna().all(axis=None)
    assert factors.payment_issues.notna().any()
    assert factors.usage_decline.notna().any()
    assert list(scores.customer_id) == list(before.customer_id)
    both = before.merge(scores, on="customer_id").dropna(subset=["score_x", "score_y"])
    assert both.confidence_x.mean() > both.confidence_y.mean() + 0.1
    told = copy.written(result)["customer_profiles"][str(day)]["fields not connected"]
    assert told == "tickets, engagement"


def test_scores_of_customers_only_have_a_reason_instead_of_a_number(copy):
    day = copy.days.last
    copy.connect("customers")
    assert copy.refresh("2026-06", "2026-06").success
    assert {folder.name for folder in copy.home.lake.iterdir()}.isdisjoint(
        {"usage_daily", "usage_customers", "usage_coverage", "support_tickets", "invoices", "engagements"}
    )
    assert copy.scan(day).success
    factors, scores = copy.rows("risk_factors", day), copy.rows("risk_scores", day)
    for family, figures in FIGURES.items():
        assert set(factors[f"{family}_reason"]) == {"source_not_connected"}
        assert factors[figures].isna().all(axis=None)
    scored = scores[scores.score.notna()]
    assert set(scored.customer_id) == set(factors.customer_id[factors.exception.notna()])
    unscored = scores[scores.score.isna()]
    assert set(unscored.no_score_reason) == {"insufficient_data"}
    assert set(unscored.next_action) == {"data_quality_review"}
    assert unscored.contributions.isna().all()


def test_contributions_of_every_score_add_up_and_name_all_families(company):
    scores = company.rows("risk_scores", *company.days.dates)
    scored = scores[scores.score.notna()]
    assert len(scored) > 100
    for score, contributions in zip(scored.score, scored.contributions, strict=True):
        entries = dict(contributions)
        assert math.isclose(sum(entries.values()), score - 1, abs_tol=1e-9)
        assert {"base", "usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context"} <= set(
            entries
        )


def test_a_scan_records_the_rules_that_decided_under_their_version(company):
    versions = set(company.rows("risk_factors", *company.days.dates).rules_version)
    assert versions == {company.workspace.risk.version}
    assert {file.stem for file in company.home.versions.iterdir()} == versions
