"""Files: what is in them arrives, whatever their dialect; what can't be read is said in one sentence."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

import os
from datetime import UTC, date, datetime

import pytest

from orchestration_project.engine import EngineError
from orchestration_project.sources.errors import EmptyFile, NoFile, SourceError

CUSTOMER_COLUMNS = ("customer_id", "name")


def customers(*lines: str, header: str = "customer_id,name,signed_up_at", newline: str = "\n") -> str:
    return newline.join([header, *lines]) + newline


def test_a_missing_file_is_named_with_the_key_to_correct(home):
    home.connect("customers", connector="files", path="crm/nothing.csv")
    with pytest.raises(NoFile) as raised:
        home.ingest("customers")
    expected = (
        f"customers: no file matches {home.path}/crm/nothing.csv; correct `tables.customers.path` in sources.yaml."
    )
    assert str(raised.value) == expected


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_of_no_bytes_is_named_with_what_to_do(home, ending):
    (home.path / f"nothing.{ending}").touch()
    home.connect("customers", connector="files", path=f"nothing.{ending}")
    with pytest.raises(EmptyFile, match=rf"customers: .*nothing.{ending} is empty.*; export it again, or remove it"):
        home.ingest("customers")


def test_a_file_of_blank_lines_is_named_with_what_to_do(home):
    home.csv("customers", "\n\n")
    with pytest.raises(EngineError, match=r"customers.csv has no column names in its first line; export it again"):
        home.ingest("customers")


def test_an_ending_that_says_no_format_asks_for_one(home):
    home.csv("customers", "x").rename(home.path / "customers.dat")
    home.connect("customers", connector="files", path="customers.dat")
    with pytest.raises(SourceError, match=r"add `tables.customers.format`: csv, jsonl or parquet"):
        home.ingest("customers")
    (home.path / "customers.dat").write_text(customers("C1,Ada,2025-01-01"))
    home.connect("customers", connector="files", path="customers.dat", format="csv")
    assert home.ingest("customers").kept == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("header", ["customer_id,name,signed_up_at", '"customer_id","name","signed_up_at"'])
def test_a_byte_order_mark_and_latin_1_are_understood(home, encoding, header):
    home.csv("customers", customers("C1,Zoë Núñez,2025-01-01", header=header).encode(encoding))
    assert home.rows(home.ingest("customers"), *CUSTOMER_COLUMNS) == [("C1", "Zoë Núñez")]


def test_files_of_different_encodings_and_columns_can_be_one_table(home):
    (home.path / "a.csv").write_bytes(customers("C1,Zoë,2025-01-01").encode("latin-1"))
    header = "SIGNED_UP_AT;Customer_ID;name;plan"
    (home.path / "b.csv").write_bytes(customers("2025-01-02;C2;Núñez;basic", header=header).encode())
    home.connect("customers", connector="files", path="?.csv")
    found = home.rows(home.ingest("customers"), *CUSTOMER_COLUMNS, "plan")
    assert found == [("C1", "Zoë", None), ("C2", "Núñez", "basic")]


def test_an_encoding_that_is_wrong_is_said_with_the_setting_to_change(home):
    home.csv("customers", customers("C1,Zoë,2025-01-01").encode("latin-1"), encoding="utf-8")
    with pytest.raises(
        EngineError, match=r"customers.csv can't be read: it is not UTF-8 text; set `encoding: latin-1`"
    ):
        home.ingest("customers")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quoted_line_breaks_quotes_and_delimiters_are_part_of_the_value(home, newline):
    lines = ['C1,"two\nlines",2025-01-01', 'C2,"a ""big"" one, really",2025-01-01']
    home.csv("customers", customers(*lines, newline=newline))
    expected = [("C1", "two\nlines"), ("C2", 'a "big" one, really')]
    assert home.rows(home.ingest("customers"), *CUSTOMER_COLUMNS) == expected


def test_the_first_quotes_and_ragged_lines_far_down_are_understood_too(home):
    lines = [f"C{n},plain,2025-01-01" for n in range(30_000)]
    home.csv("customers", customers(*lines, 'Q1,"a,b",2025-01-01', "short", 'Q2,"c\nd",2025-01-01'))
    ingested = home.ingest("customers")
    assert (ingested.kept, ingested.reasons) == (30_002, {"line is no row": 1})
    assert home.quarantined(ingested) == [("line is no row", "customers.csv: line 30003, 1 of 3 values: short")]


def test_ragged_lines_are_quarantined_wherever_they_are(home):
    ragged = ["C1,first", "C2,Ada,2025-01-01", "C3,too,2025-01-01,many", "C4,Bob,2025-01-01", "last"]
    home.csv("customers", customers(*ragged))
    ingested = home.ingest("customers")
    assert home.rows(ingested, *CUSTOMER_COLUMNS) == [("C2", "Ada"), ("C4", "Bob")]
    assert (ingested.read, ingested.reasons) == (5, {"line is no row": 3})


def test_a_quote_that_never_ends_costs_only_what_follows_it_and_that_is_kept_in_the_quarantine(home):
    home.csv("customers", customers("C1,Ada,2025-01-01", 'C2,"Bob,2025-01-01', "C3,Cyd,2025-01-01"))
    ingested = home.ingest("customers")
    assert home.rows(ingested, "customer_id") == [("C1",)]
    ((reason, original),) = home.quarantined(ingested)
    assert reason == "line is no row"
    assert "C3,Cyd,2025-01-01" in original


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_says_the_delimiter(home, delimiter):
    lines = ("customer_id,name,signed_up_at", "C1,Ada,2025-01-01")
    home.csv("customers", "\n".join(line.replace(",", delimiter) for line in lines))
    assert home.rows(home.ingest("customers"), *CUSTOMER_COLUMNS) == [("C1", "Ada")]


def test_unnamed_and_repeated_columns_do_not_get_in_the_way(home):
    home.csv("customers", "\ufeff,customer_id,name,name,signed_up_at\n0,C1,Ada,Other,2025-01-01\n")
    assert home.rows(home.ingest("customers"), *CUSTOMER_COLUMNS) == [("C1", "Ada")]


def test_lines_that_are_no_json_objects_are_quarantined_and_the_others_kept(home):
    good = {"customer_id": "C1", "signed_up_at": "2025-01-01", "mrr": 5, "opted_out": True, "tags": ["a"]}
    later = {"customer_id": 2, "signed_up_at": "2025-01-01T00:00:00Z", "mrr": "7.5", "opted_out": None}
    home.jsonl("customers", [good, '{"customer_id": "C9", ', "[1, 2]", "", later])
    ingested = home.ingest("customers")
    assert home.rows(ingested, "customer_id", "mrr", "opted_out") == [("2", 7.5, None), ("C1", 5.0, True)]
    assert ingested.reasons == {"line is no row": 2}


def test_a_half_written_parquet_file_is_named_among_the_others(home):
    whole = home.parquet("customers", [{"customer_id": f"C{n}", "signed_up_at": date(2025, 1, 1)} for n in range(999)])
    (home.path / "customers-2.parquet").write_bytes(whole.read_bytes()[:-200])
    home.connect("customers", connector="files", path="customers*.parquet")
    with pytest.raises(EngineError) as raised:
        home.ingest("customers")
    assert str(raised.value).startswith(f"{home.path}/customers-2.parquet can't be read: it is not a complete Parquet")
    assert "half-written" in str(raised.value)
    assert "write it again" in str(raised.value)


def test_a_parquet_file_with_a_broken_middle_is_one_sentence(home):
    file = home.parquet("customers", [{"customer_id": f"C{n}", "signed_up_at": date(2025, 1, 1)} for n in range(9999)])
    content = bytearray(file.read_bytes())
    content[4:600] = os.urandom(596)
    file.write_bytes(content)
    with pytest.raises(SourceError) as raised:
        home.ingest("customers")
    assert "\n" not in str(raised.value)
    assert "customers.parquet is broken" in str(raised.value)
    assert "write the file again" in str(raised.value)


def test_a_file_that_may_not_be_read_is_one_sentence(home):
    home.csv("customers", customers("C1,Ada,2025-01-01")).chmod(0)
    if os.getuid() == 0:
        pytest.skip("root may read every file")
    with pytest.raises(EngineError, match=r"customers.csv can't be read: this user may not read it; change its"):
        home.ingest("customers")


def test_a_url_of_a_local_file_is_read_too_and_an_unknown_kind_is_one_sentence(home):
    file = home.csv("customers", customers("C1,Ada,2025-01-01"))
    home.connect("customers", connector="files", path=f"file://{file}")
    assert home.ingest("customers").kept == 1
    home.connect("customers", connector="files", path="nosuch://bucket/*.csv")
    with pytest.raises(SourceError, match=r"customers: nosuch://bucket/\*.csv can't be reached .*; check the URL"):
        home.ingest("customers")


def test_the_fingerprint_changes_with_the_files(home):
    file = home.csv("customers", customers("C1,Ada,2025-01-01"))
    before = home.connector("customers").fingerprint()
    assert home.connector("customers").fingerprint() == before
    file.write_text(customers("C1,Ada,2025-01-01", "C2,Bob,2025-01-01"))
    assert home.connector("customers").fingerprint() != before


def test_where_selects_rows_of_files_by_text_truth_and_absence(home):
    header = "customer_id,signed_up_at,live,left"
    home.csv(
        "customers", customers("C1,2025-01-01,True,", "C2,2025-01-01,False,", "C3,2025-01-01,TRUE,2026", header=header)
    )
    home.tables["customers"]["where"] = {"live": True, "left": None}
    home.connect("customers", **home.tables["customers"])
    assert home.rows(home.ingest("customers"), "customer_id") == [("C1",)]


def test_where_with_a_column_that_is_not_there_is_one_sentence(home):
    home.csv("customers", customers("C1,Ada,2025-01-01"), where={"deleted": False})
    with pytest.raises(SourceError, match=r"customers has no column 'deleted' .* correct `tables.customers.where`"):
        home.ingest("customers")


def test_constants_fill_columns_and_are_read_in_the_zone_of_the_source(home):
    constants = {"segment": "smb", "mrr": 5, "opted_out": False, "signed_up_at": "2025-07-01 00:00"}
    home.csv("customers", "customer_id\nC1\n", constants=constants, timezone="America/New_York")
    found = home.rows(home.ingest("customers"), "segment", "mrr", "opted_out", "signed_up_at")
    assert found == [("smb", 5.0, False, datetime(2025, 7, 1, 4))]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-01T23:30:00-05:00", datetime(2026, 3, 2, 4, 30)),
        ("2026-03-01T23:30:00.250+0530", datetime(2026, 3, 1, 18, 0, 0, 250_000)),
        ("2026-03-01 23:30:00+02", datetime(2026, 3, 1, 21, 30)),
        ("2026-03-01T23:30:00Z", datetime(2026, 3, 1, 23, 30)),
        ("2026-03-01T23:30Z", datetime(2026, 3, 1, 23, 30)),
        ("2026-03-01 23:30:00 UTC", datetime(2026, 3, 1, 23, 30)),
        ("2026-03-01 23:30:00 America/Argentina/Buenos_Aires", datetime(2026, 3, 2, 2, 30)),
        ("2026-03-01 23:30:00", datetime(2026, 3, 2, 4, 30)),
        ("2026-03-01", datetime(2026, 3, 1, 5)),
        ("2026-03-08 02:30:00", datetime(2026, 3, 8, 7, 30)),
        ("2026-11-01 01:30:00", datetime(2026, 11, 1, 6, 30)),
        ("2026-11-01 01:30:00-04:00", datetime(2026, 11, 1, 5, 30)),
        ("2024-02-29", datetime(2024, 2, 29, 5)),
    ],
)
def test_times_of_any_zone_become_utc(mixed_zones, written, utc):
    assert mixed_zones[written] == utc


@pytest.fixture(scope="module")
def mixed_zones(make_home, tmp_path_factory, request):
    home = make_home(tmp_path_factory.mktemp("zones"))
    cases = next(mark for mark in test_times_of_any_zone_become_utc.pytestmark if mark.name == "parametrize").args[1]
    rows = [{"customer_id": "C1", "occurred_at": written, "kind": written} for written, _ in cases]
    home.jsonl("engagements", rows, timezone="America/New_York")
    ingested = home.ingest("engagements")
    assert ingested.reasons == {}
    return dict(home.rows(ingested, "kind", "occurred_at"))


def test_times_with_and_without_a_zone_in_parquet_become_utc(home):
    home.parquet(
        "engagements", [{"customer_id": "C1", "kind": "a", "occurred_at": datetime(2026, 3, 1, 23, 30, tzinfo=UTC)}]
    )
    home.tables["engagements"]["timezone"] = "America/New_York"
    home.connect("engagements", **home.tables["engagements"])
    assert home.rows(home.ingest("engagements"), "occurred_at") == [(datetime(2026, 3, 1, 23, 30),)]
    rows = [{"customer_id": "C1", "kind": "a", "occurred_at": datetime(2026, 3, 1, 23, 30)}]
    home.parquet("engagements", rows, timezone="America/New_York")
    assert home.rows(home.ingest("engagements"), "occurred_at") == [(datetime(2026, 3, 2, 4, 30),)]
