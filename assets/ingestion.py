"""Ingestion: reads a source into the lake, and says what was kept, what not, and how fresh it is."""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

import dagster as dg
import ibis
import ibis.expr.types as ir

from assets.results import ROW_COUNT, records, written
from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.domain.activity import contact_days, customers_seen, days_seen
from orchestration_project.lake import Lake
from orchestration_project.partitions import month_key, next_month
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import Sources, load_sources
from orchestration_project.sources.history import with_history
from orchestration_project.sources.ingest import QUARANTINE, UNDATED, Ingested, ingest, ingest_usage
from orchestration_project.sources.open import open_table

MADE_OF = {"engagements": ("engagement_daily",), "usage_daily": ("usage_customers", "usage_coverage")}
"""Further tables that are made of a source table as it is stored."""
MONTHS_AT_ONCE = 3
"""Months of usage read in one go: fewer passes over text files, and still within memory."""

USAGE_ORDER = ("day", "customer_id", "event", "known_on")


def ingest_customers(workspace: Workspace) -> dg.MaterializeResult:
    """Reads the customers, with the history that was kept of them."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        ingested = _ingest("customers", workspace, sources, lake)
        stored = lake.read("customers") if lake.has("customers") else None
        has_versions = "valid_from" in ingested.present
        kept = lake.engine.keep(with_history(ingested.table, stored, workspace.now(), has_versions))
        return _store("customers", kept, ingested, lake, workspace)


def ingest_facts(name: str, workspace: Workspace) -> dg.MaterializeResult:
    """Reads a table of facts, or forgets it where its source is not connected."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        if name not in sources.connected:
            return _disconnected(name, lake)
        ingested = _ingest(name, workspace, sources, lake, lake.read("customers"))
        return _store(name, ingested.table, ingested, lake, workspace)


def ingest_months(wanted: list[date], workspace: Workspace) -> tuple[dg.MaterializeResult, dict[str, int]]:
    """Reads usage of the wanted months; returns the result, and the rows of each month."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        if "usage_events" not in sources.connected:
            return _disconnected("usage_daily", lake), {}
        result = _usage(wanted, workspace, sources, lake)
        return result, lake.counts("usage_daily", [month_key(month) for month in wanted], "month")


def _ingest(
    name: str, workspace: Workspace, sources: Sources, lake: Lake, customers: ir.Table | None = None
) -> Ingested:
    connector = open_table(name, sources, workspace.home, lake.engine, workspace.yesterday)
    today, grace = workspace.now().date(), workspace.settings.grace_hours
    return ingest(name, connector, sources.tables[name], lake.engine, today, grace, customers)


def _store(name: str, rows: ir.Table, ingested: Ingested, lake: Lake, workspace: Workspace) -> dg.MaterializeResult:
    lake.replace(name, rows)
    if name == "engagements":
        lake.replace("engagement_daily", contact_days(rows))
    lake.replace(QUARANTINE, ingested.quarantine.mutate(source=ibis.literal(name)), [name], "source")
    stored = lake.read(name)
    newest = lake.engine.value(stored[_newest_column(name)].max())
    return _reported(name, [ingested], newest, workspace, {ROW_COUNT: lake.engine.value(stored.count())})


def _usage(wanted: list[date], workspace: Workspace, sources: Sources, lake: Lake) -> dg.MaterializeResult:
    connector = open_table("usage_events", sources, workspace.home, lake.engine, workspace.yesterday)
    connector.rows()
    done = []
    for start in range(0, len(wanted), MONTHS_AT_ONCE):
        some = wanted[start : start + MONTHS_AT_ONCE]
        with lake.engine.scope():
            ingested = ingest_usage(
                connector, sources.tables["usage_events"], lake.engine, workspace.now().date(),
                workspace.settings.grace_hours, lake.read("customers"), some[0], next_month(some[-1]),
                undated=start == 0,
            )  # fmt: skip
            _store_usage([month_key(month) for month in some], ingested, lake, undated=start == 0)
        done.append(ingested)
    newest = lake.engine.value(lake.read("usage_coverage").day.max())
    return _reported("usage_daily", done, newest, workspace)


def _store_usage(months: list[str], ingested: Ingested, lake: Lake, undated: bool) -> None:
    kept = ingested.table.order_by(USAGE_ORDER)
    lake.replace("usage_daily", kept.mutate(month=kept.day.strftime("%Y-%m")), months, "month")
    for month in months:
        stored = lake.read("usage_daily", [month], "month")
        for name, seen in {"usage_customers": customers_seen(stored), "usage_coverage": days_seen(stored)}.items():
            lake.replace(name, seen.mutate(month=ibis.literal(month)), [month], "month")
    names = [f"usage_events.{month}" for month in [*months, *([UNDATED] if undated else [])]]
    source = ibis.literal("usage_events.") + ingested.quarantine.month
    lake.replace(QUARANTINE, ingested.quarantine.mutate(source=source).drop("month"), names, "source")


def _reported(
    name: str,
    ingested: list[Ingested],
    newest: datetime | date | None,
    workspace: Workspace,
    rows: Mapping[str, int] = MappingProxyType({}),
) -> dg.MaterializeResult:
    reasons: dict[str, int] = {}
    for each in ingested:
        for reason, count in each.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    read, kept = sum(each.read for each in ingested), sum(each.kept for each in ingested)
    counts = {"read": read, "kept": kept, "quarantined": read - kept, "newest": str(newest or "nothing")}
    why = records([{"reason": reason, "rows": count} for reason, count in reasons.items()])
    return written({**rows, **counts, "quarantine": why}, [_fresh(name, newest, workspace), _kept(read, kept)])


def _kept(read: int, kept: int) -> dg.AssetCheckResult:
    share = kept / read if read else 1.0
    return dg.AssetCheckResult(
        check_name="kept",
        passed=read == kept,
        severity=dg.AssetCheckSeverity.WARN,
        description="Every row is kept; others lie in the lake's table `quarantine`, with their reason.",
        metadata={"share kept": share, "quarantined": read - kept},
    )


def _fresh(name: str, newest: datetime | date | None, workspace: Workspace) -> dg.AssetCheckResult:
    source = {"usage_daily": "usage_events"}.get(name, name)
    limit = workspace.settings.risk.severities.stale_after_days.get(source)
    day = newest.date() if isinstance(newest, datetime) else newest
    age = (workspace.yesterday - day).days if day else None
    return dg.AssetCheckResult(
        check_name="fresh",
        passed=age is not None and (limit is None or age <= limit),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The newest row is at most {limit} days older than yesterday." if limit else "There is a row.",
        metadata={"newest": str(newest or "nothing"), "age in days": age if age is not None else "unknown"},
    )


def _disconnected(name: str, lake: Lake) -> dg.MaterializeResult:
    """Forgets what an earlier connection left: facts of a source that is not connected are missing, not old."""
    for table in (name, *MADE_OF.get(name, ())):
        lake.remove(table)
    why = {"source": "not connected"}
    checks = [dg.AssetCheckResult(check_name=check, passed=True, metadata=why) for check in ("fresh", "kept")]
    return written(why, checks)


def _newest_column(name: str) -> str:
    return "signed_up_at" if name == "customers" else SOURCE_TABLES[name].happened_at
