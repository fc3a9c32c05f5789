"""Ingest: reads a source, keeps what is good, quarantines the rest with its reason.

Rows of customers who were erased are left out before anything is written: read = kept + quarantined + erased.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from orchestration_project.contracts.tables import SOURCE_TABLES, Table
from orchestration_project.domain.activity import with_first_of_day
from orchestration_project.domain.days import known_on
from orchestration_project.domain.tombstones import NOBODY, Tombstones
from orchestration_project.domain.windows import exact
from orchestration_project.engine import Engine
from orchestration_project.sources.canonical import Checked, canonical, is_plausible, selected
from orchestration_project.sources.config import TableSource
from orchestration_project.sources.connector import Connector, RawRows

QUARANTINE = "quarantine"
NO_ROW = "line is no row"
UNDATED = "undated"


@dataclass(frozen=True)
class Ingested:
    """What an ingestion kept, and what it did not and why."""

    table: ir.Table
    quarantine: ir.Table
    kept: int
    reasons: Mapping[str, int]
    present: Sequence[str]
    raw: RawRows
    """The rows as they were read, and who is missing in them."""
    erased: int = 0
    """Rows of customers who were erased."""

    @property
    def quarantined(self) -> int:
        """Rows that were not kept."""
        return sum(self.reasons.values())

    @property
    def read(self) -> int:
        """Rows that the source had."""
        return self.kept + self.quarantined + self.erased


def ingest(
    name: str,
    connector: Connector,
    source: TableSource,
    engine: Engine,
    today: date,
    grace_hours: float,
    customers: ir.Table | None = None,
    erased: Tombstones = NOBODY,
) -> Ingested:
    """A whole canonical table (not usage, see `ingest_usage`) with `known_on`, the first scan day that may use a row.

    `customers`, where given, are the validated customers: rows of others are quarantined. Those of `erased` are not.
    """
    table = SOURCE_TABLES[name]
    raw = connector.rows()
    checked = canonical(connector.collect(selected(raw.table, table, source)), table, source, today)
    rows, left_out = _without_erased(checked.table, erased, engine)
    if customers is not None:
        rows = _flag(rows, ~rows.customer_id.isin(customers.customer_id), "customer_id is not among the customers")
    if table.key:
        order = [ibis.coalesce(rows.recorded_at, rows[table.happened_at])] if "recorded_at" in rows.columns else []
        rank = ibis.row_number().over(group_by=[*table.key, rows.problem.isnull()], order_by=[*order, rows.original])
        rows = _flag(rows.mutate(rank=rank), _.rank > 0, f"{' and '.join(table.key)} is a duplicate").drop("rank")
    settled = engine.keep(rows)
    good = settled.filter(settled.problem.isnull()).drop("problem", "original")
    kept = _with_known_on(_with_defaults(good, table), table, grace_hours)
    bad = settled.filter(settled.problem.notnull())
    rejected = _unerased(raw.rejected, erased)
    left_out += len(raw.rejected) - len(rejected) + raw.erased
    number = engine.value(good.count())
    return _ingested(engine, kept, _quarantined(bad), rejected, number, checked.present, raw, left_out)


def ingest_usage(
    connector: Connector,
    source: TableSource,
    engine: Engine,
    today: date,
    grace_hours: float,
    customers: ir.Table | None,
    first: date,
    after: date,
    undated: bool = True,
    erased: Tombstones = NOBODY,
) -> Ingested:
    """Usage from `first` up to before `after`, rolled up per customer, day, kind and day it was known.

    The rollup, and the look for bad rows, run where the events live; only their results travel. Rows whose time can't
    be told or believed belong to no month and are quarantined with any, where `undated`. `customers`, where given, are
    the validated customers: usage of others, and before sign-up or after leaving, is quarantined. That of `erased`
    customers is not.
    """
    raw = connector.rows()
    table = SOURCE_TABLES["usage_events"]
    checked = canonical(selected(raw.table, table, source), table, source, today, raw.in_engine)
    time = checked.table.occurred_at
    rows = checked.table.mutate(dated=is_plausible(time, today, happened=True).fill_null(False))
    within = rows.dated & (rows.occurred_at >= _midnight(first)) & (rows.occurred_at < _midnight(after))
    rolled = connector.collect(rollup(rows.filter(within, rows.problem.isnull()), checked, grace_hours))
    rolled, good_left_out = _without_erased(rolled, erased, engine, "events")
    bad = rows.filter(rows.problem.notnull(), within | ~rows.dated if undated else within)
    month = bad.dated.ifelse(bad.occurred_at.strftime("%Y-%m"), UNDATED)
    faulty = connector.collect(bad.select("problem", "original", "customer_id", month=month))
    faulty, bad_left_out = _without_erased(faulty, erased, engine)
    flagged = engine.keep(_with_life_problems(with_first_of_day(rolled), customers))
    good = flagged.filter(flagged.problem.isnull()).drop("problem")
    misplaced = flagged.filter(flagged.problem.notnull())
    quarantine = ibis.union(
        _quarantined(faulty),
        misplaced.select(
            reason=misplaced.problem,
            original=_described(misplaced),
            rows=misplaced.events.cast("int64"),
            customer_id=misplaced.customer_id,
            month=misplaced.day.strftime("%Y-%m"),
        ),
    )
    kept = int(engine.value(good.events.sum()) or 0)
    lines = raw.rejected if undated else ()
    rejected = _unerased(lines, erased)
    left_out = good_left_out + bad_left_out + len(lines) - len(rejected) + (raw.erased if undated else 0)
    return _ingested(engine, good, quarantine, rejected, kept, checked.present, raw, left_out)


def rollup(rows: ir.Table, checked: Checked, grace_hours: float) -> ir.Table:
    """Events per customer, day, kind and day known: `quantity`, `events` and `users` not seen earlier that day.

    `users` adds up over what was known by when: a user counts with the earliest known of its rows.
    """
    keys = ["customer_id", "day", "event", "known_on"]
    recorded = rows.mutate(
        day=rows.occurred_at.date(),
        known_on=known_on(rows.occurred_at, rows.recorded_at, grace_hours),
        amount=exact(rows.quantity.fill_null(1)),
    )
    if "user_id" not in checked.present:
        counted = recorded.group_by(keys).agg(quantity=_.amount.sum(), events=_.count())
        return counted.mutate(users=ibis.null("int64"))
    per_user = recorded.group_by([*keys, "user_id"]).agg(quantity=_.amount.sum(), events=_.count())
    seen = ibis.row_number().over(group_by=["customer_id", "day", "event", "user_id"], order_by="known_on")
    marked = per_user.mutate(new_user=((seen == 0) & per_user.user_id.notnull()).ifelse(1, 0))
    return marked.group_by(keys).agg(quantity=_.quantity.sum(), events=_.events.sum(), users=_.new_user.sum())


def _without_erased(
    rows: ir.Table, erased: Tombstones, engine: Engine, counted: str | None = None
) -> tuple[ir.Table, int]:
    """Rows without those of erased customers, and how many source rows those were."""
    if not erased:
        return rows, 0
    # Kept first: DuckDB would hash the customer of every row.
    ids = engine.keep(rows.select("customer_id").distinct())
    found = [row["customer_id"] for row in engine.rows(ids.filter(erased.flag(ids.customer_id)))]
    if not found:
        return rows, 0
    theirs = rows.customer_id.isin(found).fill_null(False)
    gone = rows.filter(theirs)
    number = engine.value(gone[counted].sum() if counted else gone.count())
    return rows.filter(~theirs), int(number or 0)


def _unerased(lines: Sequence[str], erased: Tombstones) -> Sequence[str]:
    """Lines that are no rows, without those with a word that is an erased customer's identifier."""
    return [line for line in lines if not erased.among(re.split(r"[^\w.@/-]+", line))] if erased else lines


def _flag(rows: ir.Table, wrong: ir.BooleanValue, problem: str) -> ir.Table:
    bound = wrong if isinstance(wrong, ir.Value) else wrong.resolve(rows)
    return rows.mutate(problem=ibis.coalesce(rows.problem, bound.ifelse(problem, ibis.null("string"))))


def _with_life_problems(rolled: ir.Table, customers: ir.Table | None) -> ir.Table:
    if customers is None:
        return rolled.mutate(problem=ibis.null("string"))
    never = ibis.timestamp("9999-01-01 00:00:00")
    newest = customers.group_by("customer_id").agg(
        signed_up=_.signed_up_at.min().date(),
        left=_.churned_at.fill_null(never).argmax(_.valid_from.fill_null(ibis.timestamp("1970-01-01 00:00:00"))).date(),
    )
    joined = rolled.left_join(newest, "customer_id")
    problem = ibis.cases(
        (joined.signed_up.isnull(), "customer_id is not among the customers"),
        (joined.day < joined.signed_up, "occurred_at is before sign-up"),
        (joined.day > joined.left, "occurred_at is after leaving"),
        else_=ibis.null("string"),
    )
    return joined.mutate(problem=problem).drop("customer_id_right", "signed_up", "left")


def _described(rolled: ir.Table) -> ir.StringValue:
    names = ("customer_id", "day", "event", "quantity")
    parts = [ibis.literal(f"{name}=") + rolled[name].cast("string") for name in names]
    return ibis.literal("; ").join(parts)


def _with_defaults(rows: ir.Table, table: Table) -> ir.Table:
    if table.name == "invoices":
        return rows.mutate(issued_at=ibis.coalesce(rows.issued_at, rows.due_at - ibis.interval(days=30)))
    return rows


def _with_known_on(rows: ir.Table, table: Table, grace_hours: float) -> ir.Table:
    happened = rows[table.happened_at]
    recorded = rows.recorded_at if "recorded_at" in rows.columns else happened
    return rows.mutate(known_on=known_on(happened, recorded, grace_hours))


def _quarantined(bad: ir.Table) -> ir.Table:
    month = {"month": bad.month} if "month" in bad.columns else {}
    one = ibis.literal(1).cast("int64")
    return bad.select(reason=bad.problem, original=bad.original, rows=one, customer_id=bad.customer_id, **month)


def _midnight(day: date) -> ir.TimestampScalar:
    return ibis.timestamp(f"{day} 00:00:00")


def _ingested(
    engine: Engine,
    table: ir.Table,
    quarantine: ir.Table,
    rejected: Sequence[str],
    kept: int,
    present: Sequence[str],
    raw: RawRows,
    erased: int,
) -> Ingested:
    counted = quarantine.group_by("reason").agg(n=_.rows.sum())
    reasons = {row["reason"]: int(row["n"]) for row in engine.rows(counted)}
    if rejected:
        reasons[NO_ROW] = len(rejected)
        lines: dict[str, list[Any]] = {"reason": [NO_ROW] * len(rejected), "original": list(rejected)}
        lines |= {"rows": [1] * len(rejected), "customer_id": [None] * len(rejected)}
        if "month" in quarantine.columns:
            lines["month"] = [UNDATED] * len(rejected)
        quarantine = ibis.union(quarantine, engine.keep(ibis.memtable(lines, schema=quarantine.schema())))
    return Ingested(table, quarantine, kept, dict(sorted(reasons.items())), present, raw, erased)
