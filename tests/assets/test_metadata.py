"""What a person finds in the Dagster UI about what was written."""

import base64
import re
import struct

import pytest

DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores")
PNG = re.compile(r"^!\[(?P<title>[^]]+)\]\(data:image/png;base64,(?P<data>[A-Za-z0-9+/=]+)\)$")


ROUNDED = 0.5e-4
"""How far what the UI shows may be off: figures there have four decimals."""


@pytest.fixture(scope="session")
def last(company, runs):
    """The metadata of the last partition of each asset."""
    everything = company.written(runs.refresh) | company.written(runs.scan)
    return {asset: partitions[list(partitions)[-1]] for asset, partitions in everything.items()}


def records(value):
    return [record.data for record in value]


def test_each_partition_tells_its_own_number_of_rows(company, runs):
    for table in DAILY:
        told = {day: of["dagster/row_count"] for day, of in company.written(runs.scan)[table].items()}
        assert told == {str(day): len(company.rows(table, day)) for day in company.days.dates}
    months = {month: of["dagster/row_count"] for month, of in company.written(runs.refresh)["usage_daily"].items()}
    with company.workspace.lake() as lake:
        assert months == lake.counts("usage_daily", ["2026-03", "2026-04", "2026-05", "2026-06"], "month")


@pytest.mark.parametrize("table", ["customers", "support_tickets", "invoices", "engagements"])
def test_a_source_tells_rows_read_kept_quarantined_and_its_newest(company, last, table):
    with company.workspace.lake() as lake:
        rows = lake.engine.value(lake.read(table).count())
    told = last[table]
    assert (told["dagster/row_count"], told["read"], told["kept"], told["quarantined"]) == (rows, rows, rows, 0)
    assert told["newest"].startswith("2026-0")
    assert told["quarantine"] == "none"


@pytest.mark.parametrize(
    ("name", "title"),
    [("customers by score", "Customers by risk score, 2026-06-29"), ("customers by band", "Customers by band")],
)
def test_scores_come_with_pictures_that_a_browser_shows(last, name, title):
    found = PNG.match(last["risk_scores"][name])
    assert found is not None
    assert found["title"] == title
    picture = base64.b64decode(found["data"], validate=True)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 500
    assert height > 300


def test_profiles_come_with_the_coverage_of_each_required_field(company, last):
    coverage = {row["field"]: row["share"] for row in records(last["customer_profiles"]["coverage per field"].records)}
    profiles = company.rows("customer_profiles", company.days.last)
    expected = {name: profiles[name].notna().mean() for name in ("name", "segment", "plan", "mrr", "contact_email")}
    expected |= {
        part: profiles[f"{part}_missing"].isna().mean() for part in ("usage", "tickets", "payments", "engagement")
    }
    assert coverage == pytest.approx(expected, abs=ROUNDED)
    assert last["customer_profiles"]["fields not connected"] == "none"


def test_trends_factors_and_next_actions_are_told_as_tables(company, last):
    day = company.days.last
    trends = company.rows("usage_trends", day).trend.value_counts().to_dict()
    assert {row["trend"]: row["customers"] for row in records(last["usage_trends"]["trends"].records)} == trends
    actions = company.rows("risk_scores", day).next_action.value_counts().to_dict()
    told = {row["next_action"]: row["customers"] for row in records(last["risk_scores"]["next actions"].records)}
    assert told == actions
    factors = company.rows("risk_factors", day)
    for row in records(last["risk_factors"]["families"].records):
        assert row["known"] == pytest.approx(factors[row["family"]].notna().mean(), abs=ROUNDED)
        assert row["mean severity"] == pytest.approx(factors[row["family"]].mean(), abs=ROUNDED)
