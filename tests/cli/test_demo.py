"""`demo`, and what can be asked of its home: `top`, `explain`, `doctor`, `sources check`."""

import math
from datetime import timedelta

import pytest

FAMILIES = ["usage_decline", "support_tickets", "payment_issues", "engagement_drop", "context"]


def test_the_demo_shows_who_is_at_risk_and_why_and_how_to_go_on(demo):
    assert demo.outcome.code == 0, demo.outcome.err
    assert "Backfilled 2 days in" in demo.outcome.err
    for text in (f"Customers at risk, scan of {demo.yesterday}", "Why", "Signals", "Change since", "make dev"):
        assert text in demo.outcome.out


def test_top_lists_the_worst_first_with_why(demo):
    told = demo.shell("top", "--json", "--limit", 5).json
    assert told["scan_day"] == str(demo.yesterday)
    scores = [row["score"] for row in told["customers"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    for row in told["customers"]:
        assert {"customer_id", "name", "segment", "mrr", "owner", "band", "confidence", "next_action"} <= set(row)
        assert math.isclose(sum(row["contributions"].values()), row["score"] - 1, abs_tol=1e-9)


def test_top_for_people_holds_the_same_customers(demo):
    told = demo.shell("top", "--json", "--limit", 3).json
    printed = demo.shell("top", "--limit", 3)
    assert printed.code == 0
    assert all(row["customer_id"] in printed.out for row in told["customers"])
    assert "why (points)" in printed.out


def test_top_of_another_day_is_of_that_day(demo):
    day = demo.yesterday - timedelta(2)
    assert demo.shell("top", "--date", day, "--json").json["scan_day"] == str(day)


@pytest.fixture
def worst(demo):
    return demo.shell("top", "--json", "--limit", 1).json["customers"][0]["customer_id"]


def test_explain_tells_every_family_signal_and_contribution(demo, worst):
    told = demo.shell("explain", worst, "--json").json
    assert (told["customer_id"], told["scan_day"], told["change"]) == (worst, str(demo.yesterday), None)
    assert [each["family"] for each in told["families"]] == FAMILIES
    assert math.isclose(sum(told["contributions"].values()), told["score"] - 1, abs_tol=1e-9)
    for each in told["families"]:
        assert each["points"] == told["contributions"][each["family"]]
        assert (each["severity"] is None) == (each["missing"] is not None)
    assert len(told["signals"]) > 15
    assert len(told["rules_version"]) == 12


def test_explain_for_people_tells_why_and_what_changed(demo, worst):
    printed = demo.shell("explain", worst, "--against", demo.yesterday - timedelta(1))
    assert printed.code == 0
    for text in (worst, "Why", "usage_decline", "Signals", "Points add up to the score minus 1", "Change since"):
        assert text in printed.out


def test_a_change_of_data_connections_and_settings_is_split_exactly_into_these_parts(demo, copy):
    day, against = demo.yesterday, demo.yesterday - timedelta(2)
    copy.settings(risk={"scoring": {"weights": {"version": "ours-1", "usage_decline": 0.2, "payment_issues": 0.4}}})
    tables = {name: {"connector": "simulated"} for name in ("customers", "usage_events", "invoices")}
    copy.sources(tables=tables)
    done = copy("scan", "--json").json
    assert set(done) == {"from", "to", "days", "refresh_seconds", "scan_seconds", "run_id", "warnings"}
    assert (done["from"], done["to"], done["days"]) == (str(day), str(day), 1)

    then = {row["customer_id"]: row["score"] for row in copy("top", "--json", "--date", against).json["customers"]}
    parts = {"data": 0, "missing_data": 0, "configuration": 0}
    for row in copy("top", "--json", "--limit", 4).json["customers"]:
        told = copy("explain", row["customer_id"], "--against", against, "--json").json
        change = told["change"]
        assert told["scan_day"] == str(day)
        assert (change["then"], change["now"]) == (then[row["customer_id"]], told["score"])
        assert math.isclose(sum(change[part] for part in parts), change["now"] - change["then"], abs_tol=1e-12)
        assert change["total"] == change["now"] - change["then"]
        moved = sum(entry["now"] - entry["then"] for entry in change["contributions"].values())
        assert math.isclose(moved, change["total"], abs_tol=1e-9)
        for part in parts:
            parts[part] += abs(change[part]) > 1e-9
    assert min(parts.values()) > 0, "each part should have moved some customer"


def test_a_backfill_for_people_says_how_long_it_took_and_what_to_run_next(demo, copy):
    first = demo.yesterday - timedelta(4)
    said = copy("backfill", "--from", first, "--to", first + timedelta(1))
    assert said.code == 0
    assert said.out == ""
    assert f"Scanned {first} to {first + timedelta(1)}" in said.err
    assert f"orchestrate top --home {copy.home} --date {first + timedelta(1)}" in said.err
    assert copy("top", "--json", "--date", first).json["scan_day"] == str(first)


def test_the_doctor_finds_the_demo_fit_but_for_its_daemon(demo):
    outcome = demo.shell("doctor", "--json")
    findings = {each["what"]: each for each in outcome.json}
    assert outcome.code == 0
    assert findings["Dagster daemon"]["state"] == "warning"
    assert "make dev" in findings["Dagster daemon"]["fix"]
    assert findings["Scans"] == {
        "what": "Scans", "state": "ok", "found": f"3 days, latest {demo.yesterday}", "fix": "",
    }  # fmt: skip
    assert {"Python", "Packages", "Disk", "Home", "Settings", "Sources", "Dagster runs"} <= set(findings)
    assert {"Trigger daily_scan", "Trigger new_data", "Trigger scan_automation"} <= set(findings)
    assert [each for each in findings.values() if each["state"] != "ok" and not each["fix"]] == []


def test_the_doctor_for_people_says_what_to_do(demo):
    printed = demo.shell("doctor")
    assert printed.code == 0
    assert "what to do" in printed.out
    assert "make dev" in printed.out


def test_sources_check_tells_each_table_as_json(demo):
    outcome = demo.shell("sources", "check", "--json")
    assert outcome.code == 0
    told = {each["table"]: each for each in outcome.json}
    assert list(told) == ["customers", "usage_events", "support_tickets", "invoices", "engagements"]
    assert told.pop("engagements")["state"] == "not connected"
    assert {each["state"] for each in told.values()} == {"ok"}
    assert all(each["read"] == each["kept"] + each["quarantined"] > 0 for each in told.values())


def test_a_day_that_was_not_scanned_is_named_with_the_command_that_scans_it(demo):
    day = demo.yesterday - timedelta(30)
    assert demo.shell("top", "--date", day).sentence == (
        f"The lake has no risk_scores for scan_day {day}; run `orchestrate backfill` for it first."
    )


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_unknown_customer_is_named_with_the_day(demo, more):
    assert demo.shell("explain", "nobody", *more).sentence == (
        f"Customer 'nobody' is not in the scan of {demo.yesterday}: unknown, not signed up yet, or gone by then; "
        "`orchestrate top --json` lists customers that are."
    )


def test_a_day_to_compare_with_that_was_not_scanned_is_named(demo):
    customer = demo.shell("top", "--json", "--limit", 1).json["customers"][0]["customer_id"]
    day = demo.yesterday - timedelta(30)
    assert f"scan_day {day}" in demo.shell("explain", customer, "--against", day).sentence
