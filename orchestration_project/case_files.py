"""Case files: what an account manager gets to see of a customer at high risk, beside the reasons."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project import charts
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.handoffs import Handoffs
from orchestration_project.lake import Lake

TREND_DAYS = 90
SINCE_DAYS = 180
MOST_ROWS = 20
"""Newest tickets and invoices that are shown of one customer."""
TICKET = ("ticket_id", "opened_at", "resolved_at", "priority", "category", "satisfaction")
INVOICE = ("invoice_id", "issued_at", "due_at", "paid_at", "amount", "status")
File = dict[str, Any]


def case_files(lake: Lake, workflow: Manifest, day: date, customers: Sequence[str]) -> dict[str, File]:
    """By customer: `handoffs` of all steps, `tickets`, `invoices`, and the `trend` of the score with its `picture`.

    Only what a scan of the day knew. Times are ISO texts, the picture is an SVG.
    """
    if not customers:
        return {}
    history = Handoffs(lake, workflow, day).among(customers)
    tickets = _newest(lake, "support_tickets", "opened_at", TICKET, day, customers)
    invoices = _newest(lake, "invoices", "due_at", INVOICE, day, customers)
    trends = _trends(lake, day, customers)
    return {
        customer: {
            "handoffs": [each.model_dump(mode="json") for each in history.get(customer, [])],
            "tickets": tickets[customer], "invoices": invoices[customer], "trend": trends[customer],
            "picture": charts.score_trend(trends[customer], *workflow.bands),
        }
        for customer in customers
    }  # fmt: skip


def _newest(
    lake: Lake, table: str, when: str, columns: Sequence[str], day: date, customers: Sequence[str]
) -> dict[str, list[File]]:
    """The newest rows per customer of a source; none where it is not connected."""
    found: dict[str, list[File]] = defaultdict(list)
    if not lake.has(table):
        return found
    rows = lake.read(table)
    wanted = rows.filter(
        rows.customer_id.isin(customers), rows.known_on <= ibis.date(day),
        rows[when] >= ibis.timestamp(str(day - timedelta(SINCE_DAYS))),
    )  # fmt: skip
    for row in lake.engine.rows(wanted.select("customer_id", *columns).order_by(ibis.desc(when))):
        if len(found[row["customer_id"]]) < MOST_ROWS:
            found[row["customer_id"]].append({name: _plain(row[name]) for name in columns})
    return found


def _trends(lake: Lake, day: date, customers: Sequence[str]) -> dict[str, list[File]]:
    first = (day - timedelta(TREND_DAYS)).isoformat()
    keys = [key for key in lake.partitions("risk_scores") if first < key <= day.isoformat()]
    scores: ir.Table = lake.read("risk_scores", keys, "scan_day")
    rows = scores.filter(scores.customer_id.isin(customers), scores.score.notnull())
    found: dict[str, list[File]] = defaultdict(list)
    for row in lake.engine.rows(rows.select("customer_id", "scan_day", "score").order_by("scan_day")):
        found[row["customer_id"]].append({"day": row["scan_day"].isoformat(), "score": round(row["score"], 2)})
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
