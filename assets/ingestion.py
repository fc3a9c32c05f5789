"""Ingestion: reads a source into the lake, and says what was kept, what not, and how fresh it is."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

import dagster as dg
import ibis
import ibis.expr.types as ir

from assets.results import ROW_COUNT, records, written
from orchestration_project.agents.runtime import CallFailed
from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.domain.activity import contact_days, customers_seen, days_seen
from orchestration_project.escalations import escalate
from orchestration_project.lake import Lake
from orchestration_project.partitions import month_key, next_month
from orchestration_project.resources import Workspace
from orchestration_project.sources.collected import cases, record, with_earlier
from orchestration_project.sources.config import Sources, load_sources
from orchestration_project.sources.history import with_history
from orchestration_project.sources.ingest import QUARANTINE, UNDATED, Ingested, ingest, ingest_usage
from orchestration_project.sources.open import open_table

MADE_OF = {"engagements": ("engagement_daily",), "usage_daily": ("usage_customers", "usage_coverage")}
"""Further tables that are made of a source table as it is stored."""
Log = Callable[[str], None]
MONTHS_AT_ONCE = 3
"""Months of usage read in one go: fewer passes over text files, and still within memory."""

USAGE_ORDER = ("day", "customer_id", "event", "known_on")


def ingest_customers(workspace: Workspace, log: Log) -> dg.MaterializeResult:
    """Reads the customers, with the history that was kept of them."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        ingested = _ingest("customers", workspace, sources, lake, None, log)
        stored = lake.read("customers") if lake.has("customers") else None
        has_versions = "valid_from" in ingested.present
        kept = lake.engine.keep(with_history(ingested.table, stored, workspace.now(), has_versions))
        result = _store("customers", kept, ingested, lake, workspace)
        ingested.raw.finish()
        return result


def ingest_facts(name: str, workspace: Workspace, log: Log) -> dg.MaterializeResult:
    """Reads a table of facts, or forgets it where its source is not connected."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        if name not in sources.connected:
            return _disconnected(name, lake)
        ingested = _ingest(name, workspace, sources, lake, lake.read("customers"), log)
        missing = ingested.raw.missing
        rows = with_earlier(ingested.table, lake.read(name) if lake.has(name) else None, missing, lake)
        result = _store(name, rows, ingested, lake, workspace)
        record(name, missing, lake, workspace.now().date())
        _ask_for_help(name, missing, lake, workspace)
        ingested.raw.finish()
        return result


def ingest_months(wanted: list[date], workspace: Workspace, log: Log) -> tuple[dg.MaterializeResult, dict[str, int]]:
    """Reads usage of the wanted months; returns the result, and the rows of each month."""
    sources = load_sources(workspace.home)
    with workspace.lake() as lake:
        if "usage_events" not in sources.connected:
            return _disconnected("usage_daily", lake), {}
        result = _usage(wanted, workspace, sources, lake, log)
        return result, lake.counts("usage_daily", [month_key(month) for month in wanted], "month")


def _ingest(
    name: str, workspace: Workspace, sources: Sources, lake: Lake, customers: ir.Table | None, log: Log
) -> Ingested:
    connector = open_table(name, sources, workspace, lake.engine, lambda: _names(lake), log=log)
    today, grace = workspace.now().date(), workspace.settings.grace_hours
    return ingest(name, connector, sources.tables[name], lake.engine, today, grace, customers, workspace.erased())


def _store(name: str, rows: ir.Table, ingested: Ingested, lake: Lake, workspace: Workspace) -> dg.MaterializeResult:
    lake.replace(name, rows)
    if name == "engagements":
        lake.replace("engagement_daily", contact_days(rows))
    lake.replace(QUARANTINE, ingested.quarantine.mutate(source=ibis.literal(name)), [name], "source")
    stored = lake.read(name)
    newest = lake.engine.value(stored[_newest_column(name)].max())
    return _reported(name, [ingested], newest, workspace, {ROW_COUNT: lake.engine.value(stored.count())})


def _ask_for_help(about: str, missing: Mapping[str, CallFailed] | None, lake: Lake, workspace: Workspace) -> None:
    workflow = workspace.workflow
    escalate(about, workflow.step("collector"), cases(missing), lake, workflow, workspace.now())


def _names(lake: Lake) -> list[str]:
    """The customers to ask for."""
    names = lake.read("customers").select("customer_id").distinct().order_by("customer_id")
    return [row["customer_id"] for row in lake.engine.rows(names)]


def _usage(wanted: list[date], workspace: Workspace, sources: Sources, lake: Lake, log: Log) -> dg.MaterializeResult:
    between = (wanted[0], next_month(wanted[-1]))
    connector = open_table("usage_events", sources, workspace, lake.engine, lambda: _names(lake), between, log)
    missing = connector.rows().missing
    done = []
    for start in range(0, len(wanted), MONTHS_AT_ONCE):
        some = wanted[start : start + MONTHS_AT_ONCE]
        with lake.engine.scope():
            ingested = ingest_usage(
                connector, sources.tables["usage_events"], lake.engine, workspace.now().date(),
                workspace.settings.grace_hours, lake.read("customers"), some[0], next_month(some[-1]),
                undated=start == 0, erased=workspace.erased(),
            )  # fmt: skip
            _store_usage(some, ingested, lake, missing, workspace, undated=start == 0)
        done.append(ingested)
    about = f"usage_events.{month_key(wanted[-1])}"
    _ask_for_help(about, missing, lake, workspace)
    connector.rows().finish()
    newest = lake.engine.value(lake.read("usage_coverage").day.max())
    return _reported("usage_daily", done, newest, workspace)


def _store_usage(
    some: list[date],
    ingested: Ingested,
    lake: Lake,
    missing: Mapping[str, CallFailed] | None,
    workspace: Workspace,
    undated: bool,
) -> None:
    months = [month_key(month) for month in some]
    loaded = [month for month in months if month in lake.partitions("usage_daily")]
    stored = lake.read("usage_daily", loaded, "month") if loaded else None
    kept = with_earlier(ingested.table, stored, missing, lake).order_by(USAGE_ORDER)
    lake.replace("usage_daily", kept.mutate(month=kept.day.strftime("%Y-%m")), months, "month")
    for month in months:
        stored = lake.read("usage_daily", [month], "month")
        for name, seen in {"usage_customers": customers_seen(stored), "usage_coverage": days_seen(stored)}.items():
            lake.replace(name, seen.mutate(month=ibis.literal(month)), [month], "month")
    for first in some:
        span = (first, next_month(first) - timedelta(days=1))
        record(f"usage_events.{month_key(first)}", missing, lake, workspace.now().date(), span)
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
    read, kept, erased = (sum(getattr(each, name) for each in ingested) for name in ("read", "kept", "erased"))
    counts = {"read": read, "kept": kept, "quarantined": read - kept - erased, "erased": erased}
    counts |= {"newest": str(newest or "nothing")}
    counts |= ingested[0].raw.figures
    why = records([{"reason": reason, "rows": count} for reason, count in reasons.items()])
    checks = [_fresh(name, newest, workspace), _kept(read - erased, kept)]
    return written({**rows, **counts, "quarantine": why}, checks)


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
    limit = workspace.risk.severities.stale_after_days.get(source)
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
