"""Contracts between the steps of a scan: bad rows are set aside, told once, and the rest goes on."""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration_project.escalations import open_items
from orchestration_project.settings import Home

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
HUGE = "risk_factors: usage_decline is not between 0 and 1"
NO_VERSION = "risk_factors: rules_version is missing"


def changed(column, values):
    """A change of a column's first rows."""

    def change(table):
        old = table[column].to_pylist()
        fresh = pa.array([*values, *old[len(values) :]], table.schema.field(column).type)
        return table.set_column(table.schema.get_field_index(column), table.schema.field(column), fresh)

    return change


def tamper(company, table, day, *changes):
    """Changes the stored rows of a day, sorted by customer, between two steps."""
    file = company.file(table, day)
    rows = pq.read_table(file, partitioning=None).sort_by("customer_id")
    for change in changes:
        rows = change(rows)
    pq.write_table(rows, file)
    return rows


def spoil(company, day):
    """Five bad rows of `risk_factors`: three for one reason, two for another."""
    rows = tamper(
        company, "risk_factors", day, changed("usage_decline", [30.0, 1.5, -0.5]),
        lambda table: changed("rules_version", [*table["rules_version"].to_pylist()[:3], None, None])(table),
        lambda table: changed("usage_decline_reason", [None, None, None])(table),
    )  # fmt: skip
    return rows["customer_id"].to_pylist()[:5]


def quarantined(company, source):
    """What is quarantined of a source."""
    with company.workspace.lake() as lake:
        if source not in lake.partitions("quarantine"):
            return None
        return lake.engine.rows(lake.read("quarantine", [source], "source").order_by("reason", "original"))


def items(company):
    """What people are asked to look into."""
    with company.workspace.lake() as lake:
        return open_items(lake)


@pytest.mark.parametrize("error_class", ["missing_or_invalid_data", "unexpected_output"])
def test_where_the_manifest_wants_a_person_to_look_nothing_goes_on_before_that(copy, own_manifest, error_class):
    day = copy.days.last
    own_manifest(copy.home, {f"handling.{error_class}": "review"})
    spoil(copy, day)
    result = copy.scan(day, only="risk_scores")
    check = copy.checks(result)["risk_scores.contract"]
    stops = error_class == "missing_or_invalid_data"
    assert result.success is not stops
    assert check.severity == (ERROR if stops else WARN)
    assert {item["pathway"] for item in items(copy)} == {"review" if stops else "quarantine"}


def test_rows_tampered_with_between_steps_are_quarantined_and_the_rest_is_scored(copy):
    day = copy.days.last
    before = copy.rows("risk_scores", day)
    names = spoil(copy, day)
    result = copy.scan(day, only="risk_scores")
    assert result.success

    rows = quarantined(copy, f"risk_scores.{day}")
    assert Counter(row["reason"] for row in rows) == {HUGE: 3, NO_VERSION: 2}
    assert all(row["rows"] == 1 for row in rows)
    assert {row["original"].split(";")[0] for row in rows} == {f"customer_id={name}" for name in names}
    assert any("; usage_decline=30.0; " in row["original"] for row in rows)

    after = copy.rows("risk_scores", day)
    rest = before[~before.customer_id.isin(names)].reset_index(drop=True)
    pd.testing.assert_frame_equal(after.drop(columns="scored_at"), rest.drop(columns="scored_at"))

    check = copy.checks(result)["risk_scores.contract"]
    assert not check.passed
    assert check.severity == WARN
    told = {name: value.value for name, value in check.metadata.items()}
    assert told == {"kept": len(rest), "left out": 5, "not accounted for": 0, "first days": str(day)}
    table = copy.written(result)["risk_scores"][str(day)]["quarantine"].records
    assert {row.data["reason"]: row.data["rows"] for row in table} == {HUGE: 3, NO_VERSION: 2}


def test_all_rows_of_one_step_reason_and_scan_are_one_item(copy):
    day = copy.days.last
    names = spoil(copy, day)
    assert copy.scan(day, only="risk_scores").success
    found = {item["reason"]: item for item in items(copy)}
    assert found.keys() == {HUGE, NO_VERSION}
    assert [each["customer_id"] for each in found[HUGE]["customers"]] == names[:3]
    assert [each["customer_id"] for each in found[NO_VERSION]["customers"]] == names[3:]
    for item in found.values():
        assert (item["step"], item["about"]) == ("risk_assessor", f"risk_scores.{day}")
        assert (item["error_class"], item["pathway"]) == ("missing_or_invalid_data", "quarantine")


def test_once_mended_and_run_again_nothing_is_left_of_it(copy):
    day = copy.days.last
    before = copy.rows("risk_scores", day)
    with copy.tampered("risk_factors", changed("usage_decline", [30.0])):
        copy.scan(day, only="risk_scores")
    assert len(items(copy)) == 1
    result = copy.scan(day, only="risk_scores")
    assert items(copy) == []
    assert quarantined(copy, f"risk_scores.{day}") == []
    assert copy.rows("risk_scores", day).customer_id.equals(before.customer_id)
    assert copy.checks(result)["risk_scores.contract"].passed


def test_a_range_quarantines_and_escalates_as_its_days_do_one_by_one(copy, company, new_company, tmp_path):
    days = copy.days.dates
    shutil.copytree(company.home.path, tmp_path / "alone")
    alone = new_company(Home(tmp_path / "alone"))
    for each in (copy, alone):
        spoil(each, days[0])
        spoil(each, days[2])
    assert copy.scan(days[0], days[2], only="risk_scores").success
    for day in days:
        assert alone.scan(day, only="risk_scores").success
    for day in days:
        assert quarantined(copy, f"risk_scores.{day}") == quarantined(alone, f"risk_scores.{day}")
        pd.testing.assert_frame_equal(copy.rows("risk_scores", day), alone.rows("risk_scores", day))
    assert quarantined(copy, f"risk_scores.{days[1]}") is None
    assert items(copy) == items(alone)
    assert len(items(copy)) == 4


def test_a_customer_with_a_bad_row_in_two_tables_is_left_out_once(copy):
    day = copy.days.last
    tamper(copy, "customer_profiles", day, changed("mrr", [-1.0]))
    tamper(copy, "usage_trends", day, changed("trend", ["sideways"]))
    result = copy.scan(day, only="risk_factors")
    assert {row["reason"].partition(":")[0] for row in quarantined(copy, f"risk_factors.{day}")} == {
        "customer_profiles", "usage_trends",
    }  # fmt: skip
    told = copy.checks(result)["risk_factors.contract"].metadata
    assert (told["left out"].value, told["not accounted for"].value) == (1, 0)
    assert len(items(copy)) == 2


def test_what_a_step_itself_makes_wrong_is_quarantined_before_anybody_reads_it(copy):
    day = copy.days.last
    file = copy.home.lake / "customers" / "part-0.parquet"
    rows = pq.read_table(file).sort_by("customer_id")
    pq.write_table(changed("mrr", [-5.0])(rows), file)
    before = copy.rows("customer_profiles", day)
    assert copy.scan(day, only="customer_profiles").success
    (row,) = quarantined(copy, f"customer_profiles.{day}")
    assert row["reason"] == "customer_profiles: mrr is negative or not finite"
    assert len(copy.rows("customer_profiles", day)) == len(before) - 1
    (item,) = items(copy)
    assert (item["step"], item["error_class"]) == ("customer_data_collector", "unexpected_output")


def test_a_customer_that_a_step_loses_is_told_and_stops_what_follows(copy):
    day = copy.days.last
    tamper(copy, "usage_trends", day, lambda table: table.slice(1))
    result = copy.scan(day, only="risk_factors")
    check = copy.checks(result)["risk_factors.contract"]
    assert not result.success
    assert (check.passed, check.severity) == (False, ERROR)
    assert (check.metadata["left out"].value, check.metadata["not accounted for"].value) == (0, 1)


def test_where_no_row_is_good_nothing_follows(copy):
    day = copy.days.last
    count = pq.read_metadata(copy.file("risk_factors", day)).num_rows
    tamper(copy, "risk_factors", day, changed("rules_version", [None] * count))
    result = copy.scan(day, only="risk_scores")
    check = copy.checks(result)["risk_scores.contract"]
    assert not result.success
    assert (check.passed, check.severity) == (False, ERROR)
    (item,) = items(copy)
    assert item["cases"] == count


@pytest.mark.parametrize(("place", "last"), [(0, 0), (0, 2), (2, 2)])
def test_a_file_from_elsewhere_fails_as_a_whole_and_leaves_what_was(copy, place, last):
    days = copy.days.dates
    before = copy.rows("risk_scores", days[0])
    tamper(copy, "risk_factors", days[place], lambda table: table.drop_columns("context"))
    result = copy.scan(days[0], days[last], only="risk_scores")
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    cause = failed.event_specific_data.error.cause or failed.event_specific_data.error
    assert cause.message.strip().endswith(
        f"risk_factors breaks its contract: column context is not there; materialize it again for {days[place]}."
    )
    pd.testing.assert_frame_equal(copy.rows("risk_scores", days[0]), before)
    assert items(copy) == []


@pytest.mark.parametrize("table", ["outreach_drafts", "account_alerts"])
def test_texts_are_written_about_those_whose_rows_are_good(copy, table):
    day = copy.days.last
    copy.now = datetime(2026, 6, 30, 8, tzinfo=UTC)
    assert copy.scan(day, only=table).success
    before = copy.rows(table, day)
    assert before.empty == (table == "outreach_drafts"), "the one customer to write to is in the control group"
    scores = copy.rows("risk_scores", day)
    first = [*before.customer_id, *scores.customer_id][0]
    confidence = [5.0 if name == first else value for name, value in zip(scores.customer_id, scores.confidence)]  # noqa: B905
    tamper(copy, "risk_scores", day, changed("confidence", confidence))
    result = copy.scan(day, only=table)
    assert result.success
    assert list(copy.rows(table, day).customer_id) == list(before.customer_id[1:])
    assert copy.checks(result)[f"{table}.contract"].metadata["left out"].value == 1
    reasons = {item["reason"] for item in items(copy) if item["about"] == f"{table}.{day}"}
    assert "risk_scores: confidence is not between 0 and 1" in reasons


def test_old_days_have_no_texts_and_break_no_contract(copy):
    copy.now += timedelta(days=1)
    result = copy.scan(*copy.days.dates[::2], only="outreach_drafts")
    assert copy.checks(result)["outreach_drafts.contract"].passed
    assert all(copy.rows("outreach_drafts", day).empty for day in copy.days.dates)
