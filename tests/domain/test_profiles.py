"""Profiles: what is known of each customer on a scan day, and why a part of it is missing."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from orchestration_project.domain.days import DayRange
from orchestration_project.domain.profiles import ATTRIBUTES
from orchestration_project.domain.rules import ChurnRules, SeverityRules

DAY = date(2024, 2, 29)
DAYS = DayRange(DAY, DAY)
PARTS = {
    "tickets": ("tickets_30d", "tickets_prior_monthly", "tickets_open", "tickets_urgent_open", "satisfaction_90d"),
    "payments": (
        "invoices_known", "overdue_count", "overdue_amount", "overdue_days", "failed_payments_90d", "typical_invoice",
    ),
    "engagement": (
        "engagement_30d", "engagement_prior_60d", "engagement_kinds_30d", "engagement_kinds_prior_60d",
        "engagement_days_since", "engagement_typical_gap_days", "engagement_observed_days", "engagement_decline_pct",
        "engagement_decline_z", "notice_given",
    ),
    "usage": (),
}  # fmt: skip
SOURCES = {"usage": "usage_events", "tickets": "support_tickets", "payments": "invoices", "engagement": "engagements"}


def at(age: float) -> datetime:
    return datetime.combine(DAY, datetime.min.time()) - timedelta(days=age)


ALIVE = {
    "usage_events": [{"day": at(n).date()} for n in range(400)],
    "support_tickets": [{"opened_at": at(n), "resolved_at": at(n - 2)} for n in range(0, 400, 15)],
    "invoices": [{"due_at": at(n), "paid_at": at(n)} for n in range(0, 400, 30)],
    "engagements": [{"occurred_at": at(n)} for n in range(0, 400, 10)],
}
"""What keeps each source alive, all of customer c."""


@pytest.fixture
def profiled(company, facts_of, profiles_of):
    """The profiles of customers c and d; `changed` sources have other rows, or are None where not connected."""

    def of(churn=ChurnRules(), signed_up=at(800), unknown=None, **changed):  # noqa: B008
        given = ALIVE | changed
        customers = company.load("customers", [{"customer_id": each, "signed_up_at": signed_up} for each in "cd"])
        tables = {name: company.load(name, rows) for name, rows in given.items() if rows is not None}
        usage = company.usage(given["usage_events"]) if given["usage_events"] is not None else None
        facts = facts_of(tables | {"customers": customers}, usage)
        facts = replace(facts, unknown=unknown or {})
        key = (churn.kind, *(unknown or ()), *(name for name, rows in given.items() if rows is None))
        kinds = {"meeting": [DAYS.start]}
        table = company.compute(lambda: profiles_of(facts, DAYS, churn, SeverityRules(), kinds), "profiled", *key)
        return {row["customer_id"]: row for row in company.rows(table)}

    return of


def missing(row: dict) -> dict[str, str | None]:
    return {part: row[f"{part}_missing"] for part in PARTS}


def test_a_profile_has_the_attributes_and_every_part_that_is_there(profiled) -> None:
    row = profiled()["c"]
    assert missing(row) == dict.fromkeys(PARTS)
    assert (row["name"], row["mrr"], row["leaves_on"]) == ("Ada", 100.0, None)
    assert (row["tickets_30d"], row["invoices_known"], row["engagement_30d"]) == (2, 13, 3)
    assert (row["engagement_prior_60d"], row["engagement_days_since"]) == (6, 0)
    assert row["notice_given"] is False


def test_no_tickets_are_zero_tickets_but_no_other_rows_are_unknown(profiled) -> None:
    row = profiled()["d"]
    assert missing(row) == {"tickets": None, "payments": "no_rows", "engagement": "no_rows", "usage": "no_rows"}
    assert (row["tickets_30d"], row["tickets_prior_monthly"]) == (0, 0)
    assert {row[name] for part in ("payments", "engagement", "usage") for name in PARTS[part]} == {None}


@pytest.mark.parametrize(("part", "limit"), [("usage", 3), ("tickets", 30), ("payments", 45), ("engagement", 14)])
def test_a_source_is_stale_after_its_days_and_its_figures_are_then_unknown_never_zero(profiled, part, limit) -> None:
    times = {"usage": "day", "tickets": "opened_at", "payments": "issued_at", "engagement": "occurred_at"}

    def newest(age: int) -> dict:
        moments = [at(age), at(age + 10), at(300)]
        rows = [{times[part]: moment.date() if part == "usage" else moment} for moment in moments]
        return {SOURCES[part]: [row | {"due_at": row["issued_at"]} if part == "payments" else row for row in rows]}

    assert missing(profiled(**newest(limit))["c"]) == dict.fromkeys(PARTS)
    for row in profiled(**newest(limit + 1)).values():
        assert row[f"{part}_missing"] == "source_stale"
        assert {row[name] for name in PARTS[part]} <= {None}


def test_before_a_source_has_started_its_figures_are_unknown(profiled) -> None:
    for row in profiled(**{source: [] for source in ALIVE}).values():
        assert set(missing(row).values()) == {"source_not_started"}
        assert {row[name] for names in PARTS.values() for name in names} == {None}


def test_sources_that_are_not_connected_are_another_thing_than_missing_rows(profiled) -> None:
    rows = profiled(**dict.fromkeys(ALIVE)).values()
    for row in rows:
        assert set(missing(row).values()) == {"source_not_connected"}
        assert {row[name] for names in PARTS.values() for name in names} == {None}
    assert set(next(iter(rows))) == set(profiled()["c"]) >= {*ATTRIBUTES, "customer_id", "scan_day"}


def test_the_ticket_baseline_begins_where_the_source_begins(profiled) -> None:
    """Days before the first ticket of anyone are unknown, not days without tickets."""
    short = [{"opened_at": at(n)} for n in (58, 40, 3)]
    assert profiled(support_tickets=short)["c"]["tickets_prior_monthly"] is None
    row = profiled(support_tickets=[*short, {"opened_at": at(59), "customer_id": "d"}])["c"]
    assert (row["tickets_30d"], row["tickets_prior_monthly"]) == (1, 2)


@pytest.mark.parametrize(("age", "known", "given"), [(0, 0, True), (364, 364, True), (365, 365, False), (5, -1, False)])
def test_a_notice_counts_for_a_year_from_when_it_is_known(profiled, age, known, given) -> None:
    notice = {"occurred_at": at(age), "kind": "cancellation_notice", "known_on": at(known).date()}
    assert profiled(engagements=[*ALIVE["engagements"], notice])["c"]["notice_given"] is given


def test_where_churn_is_inactivity_a_scan_holds_who_used_it_within_the_window(profiled) -> None:
    churn = ChurnRules(kind="inactivity")
    for age, held in ((179, ["c", "d"]), (180, ["c"])):
        usage = [*ALIVE["usage_events"], {"day": at(age).date(), "customer_id": "d"}]
        assert list(profiled(churn, usage_events=usage)) == held
    late = {"day": at(5).date(), "customer_id": "d", "known_on": at(-1).date()}
    assert list(profiled(churn, usage_events=[*ALIVE["usage_events"], late])) == ["c"]


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (0, None, "not_collected"), (-1, None, None), (400, 89, "not_collected"), (400, 90, None),
        (400, None, "not_collected"),
    ],
)  # fmt: skip
def test_a_part_with_unknown_days_among_the_last_90_is_missing_and_its_figures_are_null(
    company, profiled, first: int, last: int | None, told: str | None
) -> None:
    """Ages in days of the first and last unknown day of customer c."""
    gap = {"customer_id": "c", "unknown_from": at(first).date(), "unknown_to": last and at(last).date()}
    found = profiled(unknown={"tickets": company.load("unknown", [gap])})
    assert found["c"]["tickets_missing"] == told
    assert (found["c"]["tickets_30d"] is None) == (told is not None)
    assert found["d"]["tickets_missing"] is None
