"""Asset checks: they pass on good data, fail on bad, and stop what must not go on."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from assets.criteria import with_criteria
from assets.reports import report_scores, report_trends
from orchestration_project.domain.days import DayRange
from orchestration_project.manifests import HEALTH, manifest

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def test_every_check_passes_on_good_data(company, runs):
    checks = company.checks(runs.refresh) | company.checks(runs.scan)
    assert len(checks) == 35
    assert [name for name, each in checks.items() if not each.passed] == []


def replaced(column, value):
    """A change of a column's first row."""

    def change(table):
        values = table[column].to_pylist()
        fresh = pa.array([value, *values[1:]], table.schema.field(column).type)
        return table.set_column(table.schema.get_field_index(column), table.schema.field(column), fresh)

    return change


def twice(table):
    """The first row a second time."""
    return pa.concat_tables([table, table.slice(0, 1)])


def scored(change):
    """A change that finds a customer with a score in its first row."""
    return lambda table: change(table.filter(pc.field("score").is_valid()))


BAD_SCORES = {
    "score 11": ({"in_range", "adds_up"}, scored(replaced("score", 11.0))),
    "score 0.99": ({"in_range", "adds_up"}, scored(replaced("score", 0.99))),
    "contributions off": ({"adds_up"}, scored(replaced("contributions", [("base", 0.0), ("usage_decline", 123.0)]))),
    "score without contributions": ({"adds_up"}, scored(replaced("contributions", None))),
    "contributions without score": ({"adds_up", "scores_told"}, scored(replaced("score", None))),
    "no next action": ({"actions_decided"}, replaced("next_action", None)),
    "a customer twice": ({"unique"}, twice),
}


def told(company, days, lake):
    """What is said of scores, the manifest's criteria included."""
    workflow = manifest(company.workspace.home, HEALTH)
    found = with_criteria(report_scores(days, (), lake), workflow, "risk_scores", days, lake).check_results
    return {each.check_name: each for each in found}


@pytest.mark.parametrize("case", BAD_SCORES)
def test_bad_scores_are_told(company, case):
    failing, change = BAD_SCORES[case]
    with company.tampered("risk_scores", change), company.workspace.lake() as lake:
        results = told(company, company.days, lake)
    assert {name for name, each in results.items() if not each.passed} == failing
    assert {results[name].severity for name in failing} == {ERROR}


def test_use_after_the_scan_day_is_told(company):
    later = replaced("last_used_on", company.days.last + timedelta(1))
    with company.tampered("usage_trends", later), company.workspace.lake() as lake:
        results = {each.check_name: each for each in report_trends(company.days, lake).check_results}
    assert not results["nothing_after_cutoff"].passed
    assert results["nothing_after_cutoff"].metadata["rows after"].value == 1
    assert results["unique"].passed


def test_a_customer_twice_among_the_profiles_is_told_by_what_is_made_of_them(copy):
    with copy.tampered("customer_profiles", twice):
        checks = copy.checks(copy.scan(copy.days.last, only="risk_factors"))
    assert not checks["risk_factors.unique"].passed
    assert checks["risk_factors.unique"].metadata["key"].value == "customer_id, scan_day"


CUSTOMERS = [f"C{n:02}" for n in range(20)]
TODAY = datetime(2026, 7, 1, 8, tzinfo=UTC)
DAY = date(2026, 6, 30)


def named(home, without, until="2026-06-29"):
    """20 customers, known from January, of whom some had no plan until a day."""
    lines = [f"{name},2025-01-01,2025-01-01,{'' if name in without else 'pro'}" for name in CUSTOMERS]
    lines += [f"{name},2025-01-01,{until},pro" for name in without if until]
    content = "\n".join(["customer_id,signed_up_at,valid_from,plan", *lines]) + "\n"
    (home.home.path / "customers.csv").write_text(content, encoding="utf-8")
    home.connect(customers={"connector": "files", "path": "customers.csv"})
    assert home.refresh(only="customers").success


def test_completeness_of_exactly_95_percent_fails_and_nothing_that_depends_on_it_runs(empty):
    named(empty, without=["C07"], until="")
    result = empty.scan(DAY)
    complete = empty.checks(result)["customer_profiles.profiles_complete"]
    assert not result.success
    assert not complete.passed
    assert complete.severity == ERROR
    assert complete.metadata["expression"].value == "share(complete) > 0.95"
    assert complete.metadata["objective"].value == "know_every_customer"
    told = empty.written(result)
    assert set(told) == {"customer_profiles"}
    assert told["customer_profiles"]["2026-06-30"]["share complete"] == 0.95
    assert {folder.name for folder in empty.home.lake.iterdir()}.isdisjoint({"usage_trends", "risk_scores"})


def test_completeness_above_95_percent_lets_the_scan_go_on(empty):
    named(empty, without=[])
    result = empty.scan(DAY)
    assert result.success
    assert empty.checks(result)["customer_profiles.profiles_complete"].passed
    assert set(empty.written(result)) == {
        "customer_profiles", "usage_trends", "risk_factors", "risk_scores", "action_plan", "outreach_drafts",
        "account_alerts", "business_outcomes",
    }  # fmt: skip


def test_older_days_that_are_incomplete_warn_and_do_not_stop_the_newest(empty):
    named(empty, without=["C07", "C11"])
    result = empty.scan(DAY - timedelta(3), DAY)
    complete = empty.checks(result)["customer_profiles.profiles_complete"]
    assert result.success
    assert not complete.passed
    assert complete.severity == WARN
    assert complete.metadata["days that fail"].value == 2
    assert complete.metadata["first of them"].value == "2026-06-27, 2026-06-28"


def test_a_day_without_customers_is_not_complete(empty):
    named(empty, without=[])
    with empty.workspace.lake() as lake:
        early = lake.read("customers")
        lake.replace("customers", early.filter(early.customer_id == "nobody"))
    result = empty.scan(DAY)
    assert not result.success
    assert not empty.checks(result)["customer_profiles.profiles_complete"].passed
    assert empty.written(result)["customer_profiles"]["2026-06-30"]["share complete"] == "no customer"


def test_sources_whose_newest_row_is_old_warn_that_they_are_stale(copy):
    copy.now = TODAY + timedelta(days=31)
    result = copy.refresh("2026-06", "2026-06")
    checks = copy.checks(result)
    assert result.success
    assert {name for name, each in checks.items() if not each.passed} == {
        "usage_daily.fresh", "support_tickets.fresh", "engagements.fresh",
    }  # fmt: skip
    assert {each.severity for each in checks.values()} == {WARN}
    assert checks["usage_daily.fresh"].metadata["age in days"].value == 31


def test_reading_an_old_month_does_not_make_usage_look_stale(copy):
    result = copy.refresh("2026-03", "2026-03", only="usage_daily")
    fresh = copy.checks(result)["usage_daily.fresh"]
    assert fresh.passed
    assert fresh.metadata["newest"].value == "2026-06-30"


def test_rows_that_are_not_kept_warn_with_their_number_and_reasons(empty):
    content = "customer_id,signed_up_at\nC1,2025-01-01\nC2,soon\n,2025-01-01\nC3,2025-02-30\n"
    (empty.home.path / "customers.csv").write_text(content, encoding="utf-8")
    empty.connect(customers={"connector": "files", "path": "customers.csv"})
    result = empty.refresh(only="customers")
    kept = empty.checks(result)["customers.kept"]
    assert result.success
    assert not kept.passed
    assert kept.severity == WARN
    assert kept.metadata["quarantined"].value == 3
    told = empty.written(result)["customers"][None]
    assert (told["read"], told["kept"], told["quarantined"]) == (4, 1, 3)
    reasons = {record.data["reason"]: record.data["rows"] for record in told["quarantine"].records}
    assert reasons == {"customer_id is missing": 1, "signed_up_at is no time": 2}


def test_a_range_of_days_is_what_a_report_is_about(company):
    with company.workspace.lake() as lake:
        one = told(company, DayRange(company.days.last, company.days.last), lake)
    assert {name: each.passed for name, each in one.items()} == dict.fromkeys(
        ("unique", "in_range", "adds_up", "weights", "scores_told", "actions_decided"), True
    )
    assert one["in_range"].metadata["days"].value == 1
