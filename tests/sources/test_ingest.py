"""Ingest: what is good is kept, what is not is counted with its reason, and nothing is lost in between."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

import csv
import io
import itertools
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.sources.errors import MissingColumn, UnusableColumn

GOOD_EVENT = "C1,2026-03-01 10:00:00,login,2,u1"
HEADER = "customer_id,occurred_at,event,quantity,user_id\n"


def events(*lines: str) -> str:
    return HEADER + "\n".join(lines) + "\n"


# Each case is marked by its number, by which its row is found again in the quarantine.
BAD = [
    ("C1,31.02.2026,{0},1,{0}", "occurred_at is no time"),
    ("C1,2026-02-30 10:00:00,{0},1,{0}", "occurred_at is no time"),
    ("C1,1772359200,{0},1,{0}", "occurred_at is no time"),
    ("C1,,{0},1,{0}", "occurred_at is missing"),
    (",2026-03-01 10:00:00,{0},1,{0}", "customer_id is missing"),
    ("N/A,2026-03-01 10:00:00,{0},1,{0}", "customer_id is missing"),
    ("C1,2026-03-01 10:00:00,,1,{0}", "event is missing"),
    ("C1,2026-03-01 10:00:00,{0},many,{0}", "quantity is no number"),
    ("C1,2026-03-01 10:00:00,{0},inf,{0}", "quantity is no number"),
    ("C1,2026-03-01 10:00:00,{0},-3,{0}", "quantity is below 0"),
    ("C1,2026-03-01 10:00:00,{0},1e12,{0}", "quantity is above 1e+09"),
    ("C7,2026-03-01 10:00:00,{0},1,{0}", "customer_id is not among the customers"),
    ("C1,2024-12-31 23:59:59,{0},1,{0}", "occurred_at is before sign-up"),
    ("C2,2026-07-01 00:00:00,{0},1,{0}", "occurred_at is after leaving"),
    ("C1,1970-01-01 00:00:00,{0},1,{0}", "occurred_at is not plausible"),
    ("C1,2099-01-01 00:00:00,{0},1,{0}", "occurred_at is not plausible"),
    ("C1,{0}", "line is no row"),
    ("C1,2026-03-01,{0},1,u1,extra", "line is no row"),
]


@pytest.fixture(scope="module")
def dirty(make_home, tmp_path_factory):
    home = make_home(tmp_path_factory.mktemp("dirty"))
    home.csv("usage_events", events(GOOD_EVENT, *(line.format(f"#{n}#") for n, (line, _) in enumerate(BAD))))
    return home, home.usage()


def test_a_bad_row_names_its_customer_where_it_has_one(dirty):
    home, ingested = dirty
    told = {row["original"]: row["customer_id"] for row in home.engine.rows(ingested.quarantine)}
    named = {number: name for original, name in told.items() for number in range(len(BAD)) if f"#{number}#" in original}
    assert named == {n: None if reason in ("customer_id is missing", "line is no row") else line.split(",")[0]
                     for n, (line, reason) in enumerate(BAD) if n in named}  # fmt: skip
    assert set(named.values()) == {None, "C1", "C2", "C7"}


@pytest.mark.parametrize(("number", "line", "reason"), [(n, *case) for n, case in enumerate(BAD)])
def test_a_bad_event_is_quarantined_with_its_reason(dirty, number, line, reason):
    home, ingested = dirty
    assert [why for why, original in home.quarantined(ingested) if f"#{number}#" in original] == [reason]


def test_among_bad_events_the_good_one_is_kept_and_counts_add_up(dirty):
    home, ingested = dirty
    assert home.rows(ingested, "customer_id", "day", "event", "quantity", "users", "events") == [
        ("C1", date(2026, 3, 1), "login", 2.0, 1, 1)
    ]
    assert (ingested.read, ingested.kept, ingested.quarantined) == (len(BAD) + 1, 1, len(BAD))
    assert sum(ingested.reasons.values()) == len(BAD)


def test_the_original_of_a_quarantined_row_can_be_found_again(home):
    home.csv("usage_events", events("C1,2026-03-01 10:00:00,login,-3,u77"))
    assert home.quarantined(home.usage()) == [
        (
            "quantity is below 0",
            "customer_id=C1; occurred_at=2026-03-01 10:00:00; event=login; quantity=-3; user_id=u77",
        )
    ]


def test_events_on_the_days_of_sign_up_and_of_leaving_are_kept(home):
    home.csv("usage_events", events("C2,2025-06-01 00:00:00,login,1,u1", "C2,2026-06-30 23:59:59,login,1,u1"))
    assert home.usage().quarantined == 0


def test_a_row_with_two_faults_is_counted_once_even_where_its_time_is_one_of_them(home):
    rows = ("C1,1970-01-01,login,many,u1", ",2099-01-01,login,1,u1", ",,,,", "C1,nonsense,login,-1,u1", GOOD_EVENT)
    home.csv("usage_events", events(*rows))
    ingested = home.usage(date(2026, 3, 1), date(2026, 4, 1))
    assert (ingested.read, ingested.kept, ingested.quarantined) == (5, 1, 4)


def test_months_and_the_undated_together_count_every_row_once(home):
    lines = [
        GOOD_EVENT, "C1,2026-04-30 23:59:59,login,1,u1", "C1,2026-04-02,login,x,u1", "C1,2026-05-01,login,1,u1",
        "C1,1970-01-01,login,1,u1", "C1,,login,1,u1", ",1971-01-01,login,1,u1", "C1,2026-11-30,login,1,u1",
        "C9,2026-05-02,a,1,",
    ]  # fmt: skip
    home.csv("usage_events", events(*lines))
    months = [date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1), date(2027, 1, 1)]
    parts = [home.usage(first, after, undated=first == months[0]) for first, after in itertools.pairwise(months)]
    assert sum(part.read for part in parts) == len(lines)
    assert sum(part.kept for part in parts) == 3
    assert {row["month"] for row in home.engine.rows(parts[0].quarantine)} == {"undated"}


@pytest.mark.parametrize("name", sorted(SOURCE_TABLES))
def test_a_required_column_that_is_missing_is_named_with_the_key_to_map_it(home, name):
    home.csv(name, "something,else\n1,2\n")
    first = SOURCE_TABLES[name].required[0]
    with pytest.raises(MissingColumn) as raised:
        home.usage() if name == "usage_events" else home.ingest(name)
    assert f"{name} has no column '{first}' (it has else, something)" in str(raised.value)
    assert f"`tables.{name}.columns.{first}`" in str(raised.value)


def test_a_mapped_column_that_is_missing_is_named_as_it_was_mapped(home):
    home.csv("customers", "customer_id,signed_up_at\nC1,2025-01-01\n", columns={"plan": "product"})
    with pytest.raises(MissingColumn, match=r"no column 'product' .* `tables.customers.columns.plan`"):
        home.ingest("customers")


def test_a_column_of_a_wrong_type_is_refused_with_the_way_out(home):
    home.parquet("customers", [{"customer_id": "C1", "signed_up_at": 1735689600}])
    with pytest.raises(UnusableColumn, match=r"customers.signed_up_at is of type int64, which is no timestamp; .*view"):
        home.ingest("customers")


def test_typed_values_that_do_not_fit_are_quarantined_and_not_rounded(home):
    rows = [
        {"customer_id": "C1", "signed_up_at": date(2025, 1, 1), "employee_count": 3.0, "mrr": float("nan")},
        {"customer_id": "C2", "signed_up_at": date(2025, 1, 1), "employee_count": 3.5, "mrr": 1.0},
        {"customer_id": "C3", "signed_up_at": date(2025, 1, 1), "employee_count": 1e300, "mrr": 1.0},
        {"customer_id": "C4", "signed_up_at": date(2025, 1, 1), "employee_count": None, "mrr": float("inf")},
    ]
    home.parquet("customers", rows)
    ingested = home.ingest("customers")
    assert home.rows(ingested, "customer_id", "employee_count", "mrr") == [("C1", 3, None)]
    assert ingested.reasons == {"employee_count is no whole number": 2, "mrr is no number": 1}


def test_numbers_as_names_are_the_same_with_and_without_a_decimal_point(home):
    home.parquet("customers", [{"customer_id": 17.0, "signed_up_at": date(2025, 1, 1)},
                               {"customer_id": float("nan"), "signed_up_at": date(2025, 1, 1)}])  # fmt: skip
    home.csv("usage_events", events("17,2026-03-01 10:00:00,login,1,u1"))
    assert home.rows(home.ingest("customers"), "customer_id") == [("17",)]
    assert home.usage().kept == 1


def test_of_rows_with_the_same_key_the_first_recorded_is_kept(home):
    home.csv(
        "support_tickets",
        "ticket_id,customer_id,opened_at,category,recorded_at\n"
        "T1,C1,2026-03-01,late,2026-03-03\nT1,C1,2026-03-01,early,2026-03-02\nT2,C1,2026-03-01,other,\n",
    )
    ingested = home.ingest("support_tickets")
    assert home.rows(ingested, "ticket_id", "category") == [("T1", "early"), ("T2", "other")]
    assert ingested.reasons == {"ticket_id is a duplicate": 1}


def test_a_bad_row_does_not_displace_a_good_one_with_the_same_key(home):
    home.csv("invoices", "invoice_id,customer_id,due_at,amount\nI1,C1,2026-03-01,-5\nI1,C1,2026-03-01,5\n")
    ingested = home.ingest("invoices")
    assert home.rows(ingested, "invoice_id", "amount") == [("I1", 5.0)]
    assert ingested.reasons == {"amount is below 0": 1}


def test_a_customer_twice_without_versions_is_a_duplicate_and_with_versions_is_none(home):
    home.csv("customers", "customer_id,signed_up_at\nC1,2025-01-01\nC1,2025-01-02\n")
    assert home.ingest("customers").reasons == {"customer_id and valid_from is a duplicate": 1}
    home.csv("customers", "customer_id,signed_up_at,valid_from\nC1,2025-01-01,2025-01-01\nC1,2025-01-01,2025-02-01\n")
    assert home.ingest("customers").kept == 2


@pytest.mark.parametrize("name", ["support_tickets", "invoices", "engagements"])
def test_facts_of_unknown_customers_are_quarantined(home, name):
    good = {"ticket_id": "1", "invoice_id": "1", "customer_id": "C1", "kind": "reply"}
    good |= dict.fromkeys(("opened_at", "due_at", "occurred_at"), "2026-03-01")
    home.jsonl(name, [good, good | {"customer_id": "C9", "ticket_id": "2", "invoice_id": "2"}])
    ingested = home.ingest(name)
    assert (ingested.kept, ingested.reasons) == (1, {"customer_id is not among the customers": 1})


def test_rows_of_who_was_erased_are_left_out_good_and_bad_ones_and_counted(home):
    home.csv("customers", "customer_id,signed_up_at\nC1,2025-01-01\nC2,2025-01-01\nC2,wrong\n")
    home.erase("C2", "C3")
    customers = home.ingest("customers")
    assert (customers.read, customers.kept, customers.quarantined, customers.erased) == (3, 1, 0, 2)
    rows = [f"{number},{customer},2026-03-01" for number, customer in enumerate(("C1", "C2", "C3", "C9", ""))]
    home.csv("support_tickets", "\n".join(["ticket_id,customer_id,opened_at", *rows, "6, C2", "7,C1"]))
    tickets = home.ingest("support_tickets")
    assert (tickets.read, tickets.kept, tickets.quarantined, tickets.erased) == (7, 1, 3, 3)
    assert "C2" not in str(home.quarantined(tickets))
    lines = ["C1,2026-03-01,login,1,u", "C2,2026-03-01,login,1,u", "C2,2026-03-01,login,1,v", "C2,2026-03-01,x,-1,v"]
    home.csv("usage_events", events(*lines))
    usage = home.usage()
    assert (usage.read, usage.kept, usage.quarantined, usage.erased) == (4, 1, 0, 3)
    assert home.quarantined(usage) == []


def test_one_id_in_ten_missing_costs_these_rows_and_no_other(home):
    lines = [f"{'' if n % 10 == 0 else 'C1'},2026-03-{n % 28 + 1:02d} 10:00:00,login,1,u{n}" for n in range(200)]
    home.csv("usage_events", events(*lines))
    ingested = home.usage()
    assert (ingested.read, ingested.kept, ingested.reasons) == (200, 180, {"customer_id is missing": 20})


def test_a_table_with_a_header_only_has_no_rows_and_is_no_error(home):
    home.csv("usage_events", HEADER)
    home.csv("support_tickets", "ticket_id,customer_id,opened_at")
    assert (home.usage().read, home.ingest("support_tickets").read) == (0, 0)


def test_values_outside_their_choices_are_quarantined_and_case_does_not_matter(home):
    rows = [("1", "HIGH"), ("2", "burning"), ("3", ""), ("4", "low")]
    lines = "".join(f"T{number},C1,2026-03-01,{priority}\n" for number, priority in rows)
    home.csv("support_tickets", f"ticket_id,customer_id,opened_at,priority\n{lines}")
    ingested = home.ingest("support_tickets")
    assert home.rows(ingested, "ticket_id", "priority") == [("T1", "high"), ("T3", None), ("T4", "low")]
    assert ingested.reasons == {"priority is not one of its choices": 1}


def test_an_invoice_without_an_issue_date_was_issued_thirty_days_before_it_is_due(home):
    home.csv("invoices", "invoice_id,customer_id,due_at\nI1,C1,2026-03-31\n")
    assert home.rows(home.ingest("invoices"), "issued_at") == [(datetime(2026, 3, 1),)]


def test_a_fact_counts_from_the_day_it_was_recorded_by_the_end_of_plus_the_grace(home):
    home.csv(
        "engagements",
        "customer_id,occurred_at,kind,recorded_at\nC1,2026-03-01 12:00:00,a,2026-03-02 05:59:59\n"
        "C1,2026-03-01 12:00:00,b,2026-03-02 06:00:00\nC1,2026-03-01 12:00:00,c,\n",
    )
    expected = [("a", date(2026, 3, 1)), ("b", date(2026, 3, 2)), ("c", date(2026, 3, 1))]
    assert home.rows(home.ingest("engagements"), "kind", "known_on") == expected


def test_a_user_counts_once_a_day_with_the_earliest_known_of_its_rows(home):
    home.csv(
        "usage_events",
        "customer_id,occurred_at,event,user_id,recorded_at\n"
        "C1,2026-03-01 10:00:00,login,u1,2026-03-01 10:00:00\nC1,2026-03-01 11:00:00,login,u1,2026-03-05 10:00:00\n"
        "C1,2026-03-01 12:00:00,login,u2,2026-03-05 10:00:00\nC1,2026-03-01 12:00:00,login,,2026-03-05 10:00:00\n",
    )
    assert home.rows(home.usage(), "known_on", "quantity", "events", "users") == [
        (date(2026, 3, 1), 1.0, 1, 1),
        (date(2026, 3, 5), 3.0, 3, 1),
    ]


def test_the_sample_that_ships_is_ingested_without_a_single_quarantined_row(home):
    sample = Path(__file__).parents[2] / "data" / "sample"
    for name in SOURCE_TABLES:
        home.connect(name, connector="files", path=str(sample / f"{name}.csv"))
    for name in SOURCE_TABLES:
        ingested = home.usage() if name == "usage_events" else home.ingest(name)
        assert ingested.reasons == {}
        with (sample / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert ingested.kept == sum(1 for _ in csv.reader(file)) - 1


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
CELL = st.sampled_from(
    ["C1", "C2", "C9", "2026-03-01", "2026-03-01T10:00:00+05:30", "1970-01-01", "2099-01-01", "login", "-1", "3", "",
     "NULL", "nan", "a,b", 'say "hi"', "two\nlines", "cr\rlf\r\n", "1e400", "é"]
) | TEXT  # fmt: skip


@given(
    st.lists(st.lists(CELL, min_size=1, max_size=7), max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(",;\t"),
)
def test_whatever_is_in_a_csv_read_is_kept_plus_quarantined(
    tmp_path_factory, make_home, rows, encoding, quoting, newline, delimiter
):
    home = make_home(tmp_path_factory.mktemp("dirty"))
    good = ["C1", "2026-03-01 10:00:00", "login", "2", "u1"]
    written = io.StringIO()
    writer = csv.writer(written, quoting=quoting, lineterminator=newline, delimiter=delimiter)
    writer.writerow(HEADER.strip().split(","))
    for row in rows:
        writer.writerow(row)
        writer.writerow(good)
    home.csv("usage_events", written.getvalue().encode(encoding))
    with home.engine.scope():
        ingested = home.usage()
        assert ingested.read == ingested.kept + ingested.quarantined == 2 * len(rows)
        assert ingested.kept >= len(rows), "a good row was lost"
        assert len(home.quarantined(ingested)) >= len(ingested.reasons)
