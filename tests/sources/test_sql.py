"""SQL: against a real PostgreSQL server."""

# Canonical times are UTC and carry no zone.
# ruff: noqa: DTZ001

import re
import socket
from datetime import UTC, date, datetime

import pytest

from orchestration_project.sources.errors import MissingColumn, SourceError, TooSlow, Unreachable, UnusableColumn

EVENTS = {"customer_id": "text", "ts": "timestamptz", "event": "text", "quantity": "numeric", "user_id": "text"}
MAPPED = {"columns": {"occurred_at": "ts"}}


def event(day: int = 1, **changes):
    return {
        "customer_id": "C1", "ts": datetime(2026, 3, day, 10, tzinfo=UTC), "event": "login", "quantity": 1,
        "user_id": "u1",
    } | changes  # fmt: skip


def connect(home, postgres, table, name="usage_events", **options):
    home.connect(name, connector="sql", url=postgres.url, table=table, **options)


def test_only_rows_of_the_rollup_travel(home, postgres):
    postgres.run("CREATE SCHEMA IF NOT EXISTS product")
    postgres.load("product.events", EVENTS, [])
    postgres.run(
        "INSERT INTO product.events SELECT 'C1', timestamptz '2026-03-01 00:00Z' + n * interval '1 minute', 'login', 1,"
        " 'u' || n % 7 FROM generate_series(0, 9999) AS n"
    )
    connect(home, postgres, "product.events", **MAPPED)
    postgres.run("SELECT pg_stat_statements_reset()")
    ingested = home.usage()

    travelled = postgres.run(
        "SELECT query, rows FROM pg_stat_statements WHERE query ~ 'product' OR query ~* '^FETCH' ORDER BY rows"
    )
    assert (ingested.read, ingested.kept, ingested.quarantined) == (10_000, 10_000, 0)
    rolled_up = home.rows(ingested, "day", "quantity", "events", "users")
    assert len(rolled_up) == 7
    assert rolled_up[0] == (date(2026, 3, 1), 1440.0, 1440, 7)
    assert sum(rows for _, rows in travelled) == 7, travelled
    assert "GROUP BY" in postgres.log.read_text()


def test_the_rollup_of_a_month_reads_only_that_month(home, postgres):
    postgres.load("events", EVENTS, [event(), event(ts=datetime(2026, 4, 1, tzinfo=UTC))])
    connect(home, postgres, "events", **MAPPED)
    ingested = home.usage(date(2026, 4, 1), date(2026, 5, 1))
    assert home.rows(ingested, "day") == [(date(2026, 4, 1),)]
    assert ingested.read == 1


def test_bad_events_are_found_in_the_database_and_counted(home, postgres):
    rows = [
        event(), event(customer_id=None), event(quantity=-1), event(customer_id="C9"), event(quantity="NaN"),
        event(ts=datetime(1970, 1, 1, tzinfo=UTC)), event(ts=datetime(2099, 1, 1, tzinfo=UTC)),
        event(ts=None), event(ts="infinity"), event(event="  "), event(customer_id="C2", ts="2026-07-01 00:00Z"),
    ]  # fmt: skip
    postgres.load("events", EVENTS, rows)
    connect(home, postgres, "events", **MAPPED)
    ingested = home.usage()
    assert ingested.reasons == {
        "customer_id is missing": 1, "customer_id is not among the customers": 1, "event is missing": 1,
        "occurred_at is after leaving": 1, "occurred_at is missing": 1, "occurred_at is not plausible": 3,
        "quantity is below 0": 1, "quantity is no number": 1,
    }  # fmt: skip
    assert (ingested.read, ingested.kept) == (11, 1)


def test_an_unreachable_database_is_named_with_what_to_check(home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.connect("usage_events", connector="sql", url=f"postgresql://u@127.0.0.1:{port}/db", table="events")
    with pytest.raises(Unreachable) as raised:
        home.usage()
    assert f"usage_events: the database at 127.0.0.1:{port}/db does not answer" in str(raised.value)
    assert "check that it runs, the URL and the network" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_slow_query_is_cancelled_and_the_sentence_says_what_to_raise(home, postgres):
    postgres.run(
        "CREATE OR REPLACE VIEW slow AS SELECT 'C1' customer_id, now() occurred_at, 'x' \"event\" FROM pg_sleep(30)"
    )
    connect(home, postgres, "slow", timeout_seconds=1)
    with pytest.raises(TooSlow, match=r"took longer than 1 s .* raise `tables.usage_events.timeout_seconds`"):
        home.usage()


def test_a_wrong_password_or_database_never_shows_the_password(home, postgres, monkeypatch):
    monkeypatch.setenv("PW", "hunter2")
    for url in (f"postgresql://u:${{PW}}@127.0.0.1:{postgres.port}/nowhere", "nosuch://u:${PW}@host/db"):
        home.connect("usage_events", connector="sql", url=url, table="events")
        with pytest.raises(SourceError) as raised:
            home.usage()
        assert "hunter2" not in str(raised.value)
        assert "usage_events" in str(raised.value)


def test_a_missing_table_is_named_with_the_key_to_correct(home, postgres):
    connect(home, postgres, "product.nothing")
    with pytest.raises(SourceError, match=r"has no table 'product.nothing'; correct `tables.usage_events.table`"):
        home.usage()


def test_a_missing_column_is_named_with_those_that_are_there(home, postgres):
    postgres.load("events", EVENTS, [event()])
    connect(home, postgres, "events")
    with pytest.raises(
        MissingColumn, match=r"no column 'occurred_at' \(it has customer_id, event.*columns.occurred_at`"
    ):
        home.usage()


def test_times_kept_as_text_in_a_database_are_refused_with_the_way_out(home, postgres):
    postgres.load("events", EVENTS | {"ts": "text"}, [event(ts="2026-03-01 10:00")])
    connect(home, postgres, "events", **MAPPED)
    with pytest.raises(UnusableColumn, match=r"usage_events.occurred_at is of type string.*in a view"):
        home.usage()


def test_columns_are_found_in_any_case_and_tables_in_any_schema(home, postgres):
    postgres.run('CREATE SCHEMA IF NOT EXISTS "Odd"')
    postgres.load('"Odd".events', {"CUSTOMER_ID": "text", "Occurred_At": "timestamptz", "EVENT": "varchar(20)"}, [])
    postgres.run("""INSERT INTO "Odd".events VALUES ('C1', '2026-03-01 23:30-05', 'login')""")
    connect(home, postgres, "Odd.events")
    ingested = home.usage()
    assert home.rows(ingested, "customer_id", "day", "quantity", "users") == [("C1", date(2026, 3, 2), 1.0, None)]
    assert "2026-03-02 04:30" in home.connector("usage_events").fingerprint()
    connect(home, postgres, "Odd.events", columns={"event": "Event"})
    assert home.usage().kept == 1


def test_the_fingerprint_moves_with_the_newest_row(home, postgres):
    postgres.load("events", EVENTS, [event()])
    connect(home, postgres, "events", **MAPPED)
    before = home.connector("usage_events").fingerprint()
    assert home.connector("usage_events").fingerprint() == before
    postgres.load("events", EVENTS, [event(), event(day=2)])
    assert home.connector("usage_events").fingerprint() != before


def test_where_and_constants_apply_in_the_database(home, postgres):
    rows = [event(), event(event="error"), event(event="sync"), event(quantity=5)]
    postgres.load("events", EVENTS, rows)
    connect(
        home,
        postgres,
        "events",
        where={"event": ["login", "sync"], "quantity": 1},
        constants={"user_id": "all"},
        **MAPPED,
    )
    ingested = home.usage()
    assert home.rows(ingested, "event", "quantity", "users") == [("login", 1.0, 1), ("sync", 1.0, 1)]
    assert ingested.read == 2


def test_where_also_selects_rows_of_other_tables_in_the_database(home, postgres):
    postgres.load(
        "tickets", {"ticket_id": "bigint", "customer_id": "text", "opened_at": "timestamptz", "deleted": "boolean"},
        [{"ticket_id": n, "customer_id": "C1", "opened_at": "2026-03-01Z", "deleted": n % 3 == 0} for n in range(9)],
    )  # fmt: skip
    connect(home, postgres, "tickets", "support_tickets", where={"deleted": False})
    postgres.run("SELECT pg_stat_statements_reset()")
    assert home.ingest("support_tickets").kept == 6
    assert postgres.run("SELECT sum(rows) FROM pg_stat_statements WHERE query ~* '^FETCH'") == [(6,)]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-08 01:59:59", datetime(2026, 3, 8, 6, 59, 59)),
        ("2026-03-08 02:30:00", datetime(2026, 3, 8, 7, 30)),
        ("2026-11-01 01:30:00", datetime(2026, 11, 1, 6, 30)),
        ("2026-07-01 20:00:00", datetime(2026, 7, 2, 0, 0)),
    ],
)
def test_naive_times_are_of_the_zone_that_is_said_in_the_database_and_in_files_alike(home, postgres, written, utc):
    row = {"customer_id": "C1", "occurred_at": written, "kind": "meeting"}
    postgres.load("contacts", {"customer_id": "text", "occurred_at": "timestamp", "kind": "text"}, [row])
    zone = {"timezone": "America/New_York"}
    connect(home, postgres, "contacts", "engagements", **zone)
    assert home.rows(home.ingest("engagements"), "occurred_at") == [(utc,)]
    home.jsonl("engagements", [row], **zone)
    assert home.rows(home.ingest("engagements"), "occurred_at") == [(utc,)]
    postgres.load(
        "events", {"customer_id": "text", "occurred_at": "timestamp", "event": "text"}, [row | {"event": "x"}]
    )
    connect(home, postgres, "events", **zone)
    assert home.rows(home.usage(), "day") == [(utc.date(),)]


def test_times_without_end_are_quarantined_whatever_the_zone(home, postgres):
    rows = [
        {"customer_id": "C1", "occurred_at": time, "event": "x"} for time in ("infinity", "20260-01-01", "2026-03-01")
    ]
    postgres.load("events", {"customer_id": "text", "occurred_at": "timestamp", "event": "text"}, rows)
    for zone in ("UTC", "America/New_York"):
        connect(home, postgres, "events", timezone=zone)
        ingested = home.usage()
        assert (ingested.kept, ingested.reasons) == (1, {"occurred_at is not plausible": 2})


def test_enumerations_and_other_types_of_the_database_do_not_get_in_the_way(home, postgres):
    postgres.run(
        "DROP TABLE IF EXISTS bills", "DROP TYPE IF EXISTS state", "CREATE TYPE state AS ENUM ('Open', 'Paid')",
        "CREATE TABLE bills (invoice_id uuid, customer_id text, due_at date, status state, amount money, tags text[],"
        " extra jsonb, place point)",
        "INSERT INTO bills VALUES ('7f3c1c0e-54b6-4d2e-9d55-0f6a9f2f6a11', 'C1', '2026-03-01', 'Paid', 5, '{a}', '{}',"
        " '(1,2)')",
        "ALTER TABLE bills ALTER amount TYPE numeric",
    )  # fmt: skip
    connect(home, postgres, "bills", "invoices")
    ingested = home.ingest("invoices")
    assert home.rows(ingested, "invoice_id", "due_at", "status", "amount") == [
        ("7f3c1c0e-54b6-4d2e-9d55-0f6a9f2f6a11", datetime(2026, 3, 1), "paid", 5.0)
    ]


def test_nothing_is_written_to_the_database(home, postgres):
    postgres.load("events", EVENTS, [event()])
    connect(home, postgres, "events", **MAPPED)
    before = len(postgres.log.read_text())
    home.usage()
    statements = re.findall(r"(?:statement|execute [^:]*): (\w+)", postgres.log.read_text()[before:])
    assert {statement.upper() for statement in statements} <= {
        "SELECT",
        "SET",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SHOW",
        "DECLARE",
        "FETCH",
        "CLOSE",
        "DEALLOCATE",
        "WITH",
        "CREATE",
    }
