"""Check: what is wrong with each source table, where, and how to mend it. Reads as ingestion does, writes nothing."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from orchestration_project.contracts.tables import CUSTOMERS, SOURCE_TABLES, USAGE_EVENTS, Table
from orchestration_project.domain.rules import FAMILY_SOURCES
from orchestration_project.engine import Engine, EngineError
from orchestration_project.lake import Lake
from orchestration_project.resources import Workspace
from orchestration_project.sources.canonical import EARLIEST, canonical, selected
from orchestration_project.sources.config import McpSource, Sources, TableSource, load_sources
from orchestration_project.sources.connector import RawRows
from orchestration_project.sources.errors import SourceError
from orchestration_project.sources.history import with_history
from orchestration_project.sources.ingest import Ingested, ingest, ingest_usage
from orchestration_project.sources.open import open_table

State = Literal["ok", "warning", "error", "not connected"]

TIME_ORDER: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        "customers": (("churned_at", "signed_up_at"), ("renews_at", "signed_up_at")),
        "usage_events": (("recorded_at", "occurred_at"),),
        "support_tickets": (("resolved_at", "opened_at"), ("recorded_at", "opened_at")),
        "invoices": (("paid_at", "issued_at"), ("due_at", "issued_at"), ("recorded_at", "issued_at")),
        "engagements": (("recorded_at", "occurred_at"),),
    }
)
"""Per table: times of which the first can't be before the second."""
SAMPLED = 20
"""Customers that a check asks for where a tool lists one customer's rows a call."""
LOW_COVERAGE = 0.5
"""Share of customers below which missing usage is worth a warning."""
_MAP = "map the right column under `tables.{table}.columns.{column}` or correct the rows at the source"
MENDS: Sequence[tuple[str, str]] = (
    ("is no time", "write it as 2026-11-22T08:30:00Z, or " + _MAP),
    ("is no", _MAP),
    ("is missing", _MAP),
    ("is not plausible", "look for default dates and wrong units, then " + _MAP),
    ("is not one of its choices", "expose it in a view with the values {choices}"),
    ("is below", _MAP),
    ("is above", _MAP),
    ("is a duplicate", "export each once, or select one of them by `tables.{table}.where`"),
    ("is not among the customers", "add these customers to `tables.customers`, or " + _MAP),
    ("is before sign-up", "correct `signed_up_at` of these customers, or the zone under `tables.{table}.timezone`"),
    ("is after leaving", "correct `churned_at` of these customers, or the zone under `tables.{table}.timezone`"),
    ("line is no row", "quote values with delimiters, quotes or line breaks, and write the file again"),
)
"""What a reason to quarantine ends in, and how to mend it; the first that is found in the reason counts."""


@dataclass(frozen=True)
class TableCheck:
    """What a check found out about one canonical table."""

    table: str
    state: State
    read: int = 0
    kept: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Rows quarantined, by reason."""
    first: date | None = None
    newest: date | None = None
    coverage: float | None = None
    """Share of the customers who have any row; null where the customers are not known."""
    findings: tuple[str, ...] = ()
    """Sentences, each naming what is wrong, where, and how to mend it."""


def check_sources(workspace: Workspace, lake: Lake) -> Iterator[TableCheck]:
    """A verdict for each canonical table, connected or not; a table that fails does not stop the others."""
    sources = load_sources(workspace.home)
    verdict, customers = _check_customers(workspace, sources, lake)
    yield verdict
    for name in SOURCE_TABLES:
        if name not in sources.connected:
            yield TableCheck(name, "not connected", findings=(_not_connected(name),))
        elif name != "customers":
            with lake.engine.scope():
                verdict = _check_facts(name, workspace, sources, lake.engine, customers)
            yield verdict


def _check_customers(workspace: Workspace, sources: Sources, lake: Lake) -> tuple[TableCheck, ir.Table | None]:
    """The verdict, and the customers that an ingestion would then know; None where they can't be read."""
    connector = open_table("customers", sources, workspace, lake.engine)
    source, today, grace = sources.tables["customers"], workspace.now().date(), workspace.settings.grace_hours
    try:
        read = ingest("customers", connector, source, lake.engine, today, grace)
        stored = lake.read("customers") if lake.has("customers") else None
        known = lake.engine.keep(with_history(read.table, stored, workspace.now(), "valid_from" in read.present))
        disorder = _disorder(CUSTOMERS, read.table, read.present)
        return _verdict(CUSTOMERS, read, lake.engine.keep(disorder), workspace, lake.engine, known), known
    except (SourceError, EngineError) as error:
        return TableCheck("customers", "error", findings=(str(error),)), None


def _check_facts(
    name: str, workspace: Workspace, sources: Sources, engine: Engine, customers: ir.Table | None
) -> TableCheck:
    table, source = SOURCE_TABLES[name], sources.tables[name]
    asked = _asked(source, engine, customers)
    span = (workspace.settings.history_start, workspace.now().date())
    connector = open_table(name, sources, workspace, engine, lambda: asked or (), span)
    if asked is not None and customers is not None:
        customers = engine.keep(customers.filter(customers.customer_id.isin(asked)))
    today, grace = workspace.now().date(), workspace.settings.grace_hours
    try:
        if table is USAGE_EVENTS:
            until = today + timedelta(days=2)
            read = ingest_usage(connector, source, engine, today, grace, customers, EARLIEST, until)
            raw = connector.rows()
            rows = canonical(selected(raw.table, table, source), table, source, today, raw.in_engine).table
            disorder = connector.collect(_disorder(table, rows.filter(rows.problem.isnull()), read.present))
        else:
            read = ingest(name, connector, source, engine, today, grace, customers)
            disorder = engine.keep(_disorder(table, read.table, read.present))
        verdict = _verdict(table, read, disorder, workspace, engine, customers)
        return verdict if asked is None else _sampled(verdict, asked, read.raw)
    except (SourceError, EngineError) as error:
        return TableCheck(name, "error", findings=(str(error),))


def _asked(source: TableSource, engine: Engine, customers: ir.Table | None) -> list[str] | None:
    """The few customers to ask a tool for that lists one customer's rows a call; None where a check reads all."""
    if not isinstance(source, McpSource) or not source.per_customer:
        return None
    if customers is None:
        return []
    names = customers.select("customer_id").distinct().order_by("customer_id").limit(SAMPLED)
    return [row["customer_id"] for row in engine.rows(names)]


def _verdict(
    table: Table, read: Ingested, disorder: ir.Table, workspace: Workspace, engine: Engine, customers: ir.Table | None
) -> TableCheck:
    when = read.table.day if table is USAGE_EVENTS else read.table[_time_column(table)].date()
    span = engine.rows(
        read.table.aggregate(first=when.min(), newest=when.max(), known=read.table.customer_id.nunique())
    )
    first, newest, known = (span[0][key] for key in ("first", "newest", "known"))
    everyone = engine.value(customers.customer_id.nunique()) if customers is not None else 0
    coverage = known / everyone if everyone else None
    findings = [
        *_emptiness(table, read),
        *_quarantine(table, read, engine),
        *_disordered(table, engine.rows(disorder)[0]),
        *_span(table, read, newest, workspace, engine),
        *_coverage(table, coverage, customers is not None),
    ]
    state: State = "error" if read.kept == 0 and read.read else "warning" if findings else "ok"
    reasons = MappingProxyType(dict(read.reasons))
    counts = (read.read, read.kept, read.quarantined)
    return TableCheck(table.name, state, *counts, reasons, first, newest, coverage, tuple(findings))


def _sampled(verdict: TableCheck, asked: Sequence[str], raw: RawRows) -> TableCheck:
    """The verdict on a sample, and who of it could not be collected."""
    failed = tuple(
        f"{customer} could not be collected: {error.error}." for customer, error in (raw.missing or {}).items()
    )
    told = f"Only {len(asked)} customers were asked for, since {verdict.table} is listed customer by customer."
    state: State = "error" if failed and len(failed) == len(asked) else "warning" if failed else verdict.state
    return replace(verdict, state=state, findings=(*verdict.findings, told, *failed))


def _time_column(table: Table) -> str:
    return "signed_up_at" if table is CUSTOMERS else table.happened_at


def _not_connected(name: str) -> str:
    families = " and ".join(family for family, source in FAMILY_SOURCES.items() if source == name)
    return f"{name} is not connected, so {families} counts for no customer; add `tables.{name}` to sources.yaml."


def _emptiness(table: Table, read: Ingested) -> Iterator[str]:
    if not read.read:
        yield (
            f"{table.name} has no rows, which counts as missing and not as zero; check `tables.{table.name}` "
            "in sources.yaml, or the export."
        )
    elif not read.kept:
        yield f"None of the {read.read:,} rows of {table.name} can be used; mend what follows first."


def _quarantine(table: Table, read: Ingested, engine: Engine) -> Iterator[str]:
    examples = read.quarantine.group_by("reason").agg(original=read.quarantine.original.min())
    texts = {row["reason"]: " ".join(row["original"].split()) for row in engine.rows(examples)}
    for reason, rows in read.reasons.items():
        column = reason.partition(" ")[0]
        choices = ", ".join(table.column(column).choices) if column in table.names else ""
        mend = next(mend for sign, mend in MENDS if sign in reason)
        mend = mend.format(table=table.name, column=column, choices=choices)
        yield (
            f"{rows:,} of {read.read:,} rows of {table.name} are quarantined because {reason}, for example "
            f"`{textwrap.shorten(texts[reason], 160)}`; {mend}."
        )


def _disorder(table: Table, rows: ir.Table, present: Sequence[str]) -> ir.Table:
    """One row with, for each pair of times, how many rows have them the wrong way round, and one that does."""
    identity = rows[table.required[0]]
    counts: dict[str, ir.Scalar] = {"rows": rows.count()}
    for number, (later, earlier) in enumerate(TIME_ORDER[table.name]):
        if later in present and earlier in present:
            wrong = rows[later] < rows[earlier]
            counts |= {f"count_{number}": wrong.sum(), f"example_{number}": identity.min(where=wrong)}
    return rows.aggregate(**counts)


def _disordered(table: Table, counted: Mapping[str, Any]) -> Iterator[str]:
    for number, (later, earlier) in enumerate(TIME_ORDER[table.name]):
        count = counted.get(f"count_{number}")
        if count:
            yield (
                f"{count:,} rows of {table.name} have {later} before {earlier}, for example {table.required[0]} "
                f"{counted[f'example_{number}']}; check `tables.{table.name}.columns.{later}` and the time zones, "
                "or correct the rows at the source."
            )


def _span(table: Table, read: Ingested, newest: date | None, workspace: Workspace, engine: Engine) -> Iterator[str]:
    start = workspace.settings.history_start
    if table is USAGE_EVENTS:
        early = engine.value(read.table.events.sum(where=read.table.day < ibis.date(start)))
        if early:
            yield (
                f"{int(early):,} rows of {table.name} happened before history_start, {start}, and are not used; set "
                "an earlier `history_start` in settings.yaml to use them."
            )
    limit = workspace.risk.severities.stale_after_days.get(table.name)
    age = (workspace.yesterday - newest).days if newest else 0
    if limit is not None and age > limit:
        yield (
            f"The newest row of {table.name} is of {newest}, {age} days before yesterday, and more than {limit} count "
            "as missing; load newer rows at the source, or raise `risk.severities.stale_after_days` in settings.yaml."
        )


def _coverage(table: Table, coverage: float | None, customers_known: bool) -> Iterator[str]:
    if not customers_known:
        yield f"Whether rows of {table.name} belong to customers is not known; mend `tables.customers` first."
    elif table is USAGE_EVENTS and coverage is not None and 0 < coverage < LOW_COVERAGE:
        yield (
            f"Only {coverage:.0%} of the customers have any row in {table.name}; check that "
            f"`tables.{table.name}` holds the usage of all of them."
        )
