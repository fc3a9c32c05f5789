# ruff: noqa: E501 - SQL reads best on its own lines
"""Company: a lake of any size, written straight as Parquet; content is random, shape and size are what matters."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import ibis

from orchestration_project.domain.activity import contact_days, customers_seen, days_seen
from orchestration_project.partitions import month_key, months_between
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

LAST = date(2026, 11, 22)
ACTIVE_PERCENT = 48
"""Share of customer-days with use: 100,000 customers x 455 days give about 22 million rows."""

SETTINGS = """\
history_start: {start}
engine: {{threads: 2, memory_limit: {memory}}}
"""
SOURCES = "tables:\n" + "".join(
    f"  {name}: {{connector: files, path: none.parquet}}\n"
    for name in ("customers", "usage_events", "support_tickets", "invoices", "engagements")
)


def make_home(folder: Path, customers: int, days: int, memory: str = "10GB") -> Workspace:
    """A home whose lake holds `customers` with `days` of history up to `LAST`."""
    start = LAST - timedelta(days=days - 1)
    lake = folder / "lake"
    lake.mkdir(parents=True)
    (folder / "settings.yaml").write_text(SETTINGS.format(start=start, memory=memory))
    (folder / "sources.yaml").write_text(SOURCES)
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET preserve_insertion_order = false; SET memory_limit = '10GB'")
    connection.execute(f"SET temp_directory = '{folder / 'spill'}'")
    connection.execute(
        f"CREATE TABLE ids AS SELECT range AS n, 'C' || lpad(range::text, 7, '0') AS customer_id "
        f"FROM range({customers})"
    )
    _write_small(connection, lake, start)
    for month in months_between(start, LAST):
        _write_usage(connection, lake, max(month, start), month)
    connection.close()
    workspace = Workspace(Home(folder))
    with workspace.lake() as opened:
        opened.replace("engagement_daily", contact_days(opened.read("engagements")))
        for key in opened.partitions("usage_daily"):
            usage = opened.read("usage_daily", [key], "month")
            for name, rows in {"usage_customers": customers_seen(usage), "usage_coverage": days_seen(usage)}.items():
                opened.replace(name, rows.mutate(month=ibis.literal(key)), [key], "month")
    return workspace


def _write(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def _write_usage(connection: duckdb.DuckDBPyConnection, lake: Path, first: date, month: date) -> None:
    key = month_key(month)
    last = min(LAST, (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1))
    query = f"""
        SELECT customer_id, day, 'kind_' || (hash(n * 31 + epoch(day)) % 5) AS event, day AS known_on,
               (1 + hash(n + epoch(day)) % 5)::double AS quantity, 1::bigint AS events, 1::bigint AS users,
               true AS first_of_day
        FROM ids, (SELECT range::date AS day FROM range(DATE '{first}', DATE '{last}' + 1, INTERVAL 1 DAY)) AS days
        WHERE hash(n * 7919 + epoch(day)) % 100 < {ACTIVE_PERCENT}
        ORDER BY day, customer_id
    """
    _write(connection, query, lake / "usage_daily" / f"month={key}" / "part-0.parquet")


def _write_small(connection: duckdb.DuckDBPyConnection, lake: Path, start: date) -> None:
    days = (LAST - start).days + 1
    at = f"TIMESTAMP '{start}' + to_seconds(hash(n * {{salt}} + range) % {days * 86400})"
    signed_up = f"TIMESTAMP '{start}' - INTERVAL 200 DAY"
    _write(connection, f"""
        SELECT customer_id, 'Company ' || n AS name, ['smb', 'mid_market', 'enterprise'][1 + n % 3] AS segment,
               'software' AS industry, (n % 900)::bigint AS employee_count, 'growth' AS plan, (50 + n % 900)::double AS mrr,
               {signed_up} AS signed_up_at, TIMESTAMP '{LAST}' + to_days((n % 300)::int) AS renews_at,
               NULL::timestamp AS churned_at, 'Owner ' || n % 20 AS owner, 'Person' AS contact_name,
               'en' AS language, 'UTC' AS timezone,
               n || '@example.com' AS contact_email, false AS opted_out, {signed_up} AS valid_from,
               ({signed_up})::date AS known_on
        FROM ids""", lake / "customers" / "part-0.parquet")  # fmt: skip
    facts = {
        "support_tickets": (0.4, "'T' || n || '-' || range AS ticket_id, customer_id, moment AS opened_at, "
                            "moment + INTERVAL 2 DAY AS resolved_at, 'normal' AS priority, 'how-to' AS category, "
                            "4.0 AS satisfaction, moment AS recorded_at"),
        "invoices": (1.0, "'I' || n || '-' || range AS invoice_id, customer_id, moment + INTERVAL 14 DAY AS due_at, "
                     "moment AS issued_at, CASE WHEN hash(n + range) % 20 > 0 THEN moment + INTERVAL 10 DAY END AS paid_at, "
                     "100.0 AS amount, 'open' AS status, moment AS recorded_at"),
        "engagements": (2.0, "customer_id, moment AS occurred_at, ['email_open', 'reply', 'meeting'][1 + range % 3] AS kind, "
                        "'email' AS channel, NULL::double AS value, moment AS recorded_at"),
    }  # fmt: skip
    for salt, (name, (monthly, columns)) in enumerate(facts.items(), start=11):
        rows = max(1, round(monthly * days / 30))
        happened = {"support_tickets": "opened_at", "invoices": "issued_at"}.get(name, "occurred_at")
        query = f"""
            SELECT *, {happened}::date AS known_on
            FROM (SELECT {columns} FROM (SELECT *, {at.format(salt=salt)} AS moment FROM ids, range({rows})))
        """
        _write(connection, query, lake / name / "part-0.parquet")
