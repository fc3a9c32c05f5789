"""Check: per table one verdict that says what is wrong, where, and how to mend it."""

from datetime import date
from pathlib import Path

import pytest

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.sources.check import MENDS, TableCheck

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def test_the_sample_is_without_findings(home):
    for name in SOURCE_TABLES:
        home.connect(name, connector="files", path=str(SAMPLE / f"{name}.csv"))
    home.settings["history_start"] = date(2026, 1, 1)
    home.now = home.now.replace(month=7, day=1)
    checks = home.checks()
    assert list(checks) == list(SOURCE_TABLES)
    assert {name: (check.state, check.findings) for name, check in checks.items()} == dict.fromkeys(checks, ("ok", ()))
    assert (checks["usage_events"].first, checks["usage_events"].newest) == (date(2026, 1, 1), date(2026, 6, 30))
    assert all(check.read == check.kept > 0 for check in checks.values())


def test_a_table_that_is_not_connected_says_what_falls_away(home):
    check = home.checks()["support_tickets"]
    assert check == TableCheck("support_tickets", "not connected", findings=check.findings)
    assert check.findings == (
        "support_tickets is not connected, so support_tickets counts for no customer; "
        "add `tables.support_tickets` to sources.yaml.",
    )


def test_one_broken_table_does_not_stop_the_others_and_nothing_is_written(home):
    home.connect("support_tickets", connector="files", path="nothing.csv")
    home.connect("invoices", connector="sql", url="postgresql://u@127.0.0.1:1/db", table="bills")
    home.parquet("engagements", [{"customer_id": "C1", "occurred_at": 5, "kind": "x"}])
    home.csv("usage_events", "customer_id,occurred_at,event\nC1,2026-11-22,login\n")
    checks = home.checks()
    assert {name: check.state for name, check in checks.items()} == {
        "customers": "ok",
        "usage_events": "ok",
        "support_tickets": "error",
        "invoices": "error",
        "engagements": "error",
    }
    assert "no file matches" in checks["support_tickets"].findings[0]
    assert "127.0.0.1:1/db does not answer" in checks["invoices"].findings[0]
    assert "engagements.occurred_at is of type int64" in checks["engagements"].findings[0]
    assert checks["usage_events"].coverage == 0.5
    assert not (home.path / "lake").exists()


def test_without_readable_customers_the_others_are_checked_as_far_as_they_can_be(home):
    home.csv("usage_events", "customer_id,occurred_at,event\nC9,2026-11-22,login\n")
    home.csv("engagements", "customer_id,occurred_at,kind\nC9,2026-11-22,reply\n")
    (home.path / "customers.csv").unlink()
    checks = home.checks()
    assert checks["customers"].state == "error"
    for name in ("usage_events", "engagements"):
        assert (checks[name].state, checks[name].kept, checks[name].coverage) == ("warning", 1, None)
        assert checks[name].findings == (
            f"Whether rows of {name} belong to customers is not known; mend `tables.customers` first.",
        )


def test_quarantined_rows_are_findings_with_an_example_and_a_fix(home):
    home.csv(
        "usage_events",
        "customer_id,occurred_at,event,quantity\nC1,2026-11-22,login,1\nC1,2026-11-22,login,-4\nC8,2026-11-22,login,1\n"
        "C1,22.11.2026,login,1\nC1\n",
    )
    check = home.checks()["usage_events"]
    assert (check.state, check.read, check.kept, check.quarantined) == ("warning", 5, 1, 4)
    assert dict(check.reasons) == {
        "customer_id is not among the customers": 1,
        "line is no row": 1,
        "occurred_at is no time": 1,
        "quantity is below 0": 1,
    }
    assert len(check.findings) == 4
    assert check.findings[3] == (
        "1 of 5 rows of usage_events are quarantined because quantity is below 0, for example `customer_id=C1; "
        "occurred_at=2026-11-22; event=login; quantity=-4`; map the right column under "
        "`tables.usage_events.columns.quantity` or correct the rows at the source."
    )
    assert "2026-11-22T08:30:00Z" in check.findings[2]


def test_a_table_of_which_nothing_can_be_used_is_an_error(home):
    home.csv("invoices", "invoice_id,customer_id,due_at\nI1,C1,soon\nI2,C1,later\n")
    check = home.checks()["invoices"]
    assert (check.state, check.read, check.kept) == ("error", 2, 0)
    assert check.findings[0] == "None of the 2 rows of invoices can be used; mend what follows first."


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        (
            "support_tickets",
            "ticket_id,customer_id,opened_at,resolved_at\nT1,C1,2026-11-20,2026-11-19\nT2,C1,2026-11-20,\n",
            "1 rows of support_tickets have resolved_at before opened_at, for example ticket_id T1; check "
            "`tables.support_tickets.columns.resolved_at`",
        ),
        (
            "support_tickets",
            "ticket_id,customer_id,opened_at,recorded_at\nT1,C1,2026-11-20,2026-11-19\n",
            "have recorded_at before opened_at",
        ),
        (
            "invoices",
            "invoice_id,customer_id,due_at,issued_at,paid_at\nI1,C1,2026-11-20,2026-11-10,2026-11-09\n",
            "have paid_at before issued_at, for example invoice_id I1",
        ),
        (
            "invoices",
            "invoice_id,customer_id,due_at,issued_at\nI1,C1,2026-11-01,2026-11-10\n",
            "have due_at before issued_at",
        ),
        (
            "engagements",
            "customer_id,occurred_at,kind,recorded_at\nC1,2026-11-20,reply,2026-11-19\n",
            "have recorded_at before occurred_at",
        ),
        (
            "usage_events",
            "customer_id,occurred_at,event,recorded_at\nC1,2026-11-22,x,2026-11-21\nC1,2026-11-22,x,\n",
            "1 rows of usage_events have recorded_at before occurred_at, for example customer_id C1",
        ),
        (
            "customers",
            "customer_id,signed_up_at,churned_at\nC1,2025-02-01,2025-01-01\n",
            "have churned_at before signed_up_at",
        ),
    ],
)
def test_times_in_the_wrong_order_are_findings(home, name, content, finding):
    home.csv(name, content)
    check = home.checks()[name]
    assert check.state == "warning"
    assert check.quarantined == 0
    assert [said for said in check.findings if finding in said], check.findings


def test_an_empty_table_says_that_missing_is_not_zero(home):
    home.csv("engagements", "customer_id,occurred_at,kind\n")
    check = home.checks()["engagements"]
    assert (check.state, check.read, check.first, check.coverage) == ("warning", 0, None, 0.0)
    assert "has no rows, which counts as missing and not as zero; check `tables.engagements`" in check.findings[0]


def test_usage_before_the_history_and_for_few_customers_and_stale_is_found(home):
    home.csv("customers", "customer_id,signed_up_at\nC1,2020-01-01\nC2,2020-01-01\nC3,2020-01-01\n")
    home.csv("usage_events", "customer_id,occurred_at,event\nC1,2023-12-31,login\nC1,2024-01-01,login\n")
    check = home.checks()["usage_events"]
    assert [
        words
        for words in (
            "1 rows of usage_events happened before history_start, 2024-01-01",
            "The newest row of usage_events is of 2024-01-01",
            "Only 33% of the customers have any row in usage_events",
        )
        if not any(words in finding for finding in check.findings)
    ] == []
    assert len(check.findings) == 3
    assert (check.kept, check.coverage) == (2, pytest.approx(1 / 3))


def test_an_events_table_in_a_database_is_checked_there(home, postgres):
    columns = {"customer_id": "text", "occurred_at": "timestamptz", "event": "text", "recorded_at": "timestamptz"}
    row = {"customer_id": "C1", "occurred_at": "2026-11-22Z", "event": "x", "recorded_at": "2026-11-21Z"}
    postgres.load("checked", columns, [row, row | {"event": ""}, row | {"customer_id": "C9"}])
    home.connect("usage_events", connector="sql", url=postgres.url, table="checked")
    check = home.checks()["usage_events"]
    assert (check.state, check.read, check.kept, len(check.findings)) == ("warning", 3, 1, 3)
    assert "2 rows of usage_events have recorded_at before occurred_at" in check.findings[2]


def test_every_reason_to_quarantine_has_a_way_to_mend_it():
    known = [sign for sign, _ in MENDS]
    reasons = [
        "x is no time",
        "x is no whole number",
        "x is no yes or no",
        "x is missing",
        "x is not plausible",
        "x is not one of its choices",
        "x is below 0",
        "x is above 5",
        "ticket_id is a duplicate",
        "customer_id is not among the customers",
        "occurred_at is before sign-up",
        "occurred_at is after leaving",
        "line is no row",
    ]
    assert [reason for reason in reasons if not any(sign in reason for sign in known)] == []
