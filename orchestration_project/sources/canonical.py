"""Canonical: a source's rows, renamed and typed as the canonical table, each with what is wrong with it, if anything.

Portable expressions only: for a database they run there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from orchestration_project.contracts.tables import Column, Table
from orchestration_project.sources.config import TableSource
from orchestration_project.sources.connector import listed
from orchestration_project.sources.errors import MissingColumn, SourceError, UnusableColumn

EARLIEST = date(1990, 1, 1)
"""No fact is older: earlier dates are defaults of some system."""
LATEST_YEARS = 30
"""How far ahead a due or renewal date may lie."""
NULLS = ("", "null", "none", "nan", "na", "n/a", "\\n")
"""Texts that mean no value, whatever their case."""
TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "1": True}
FALSEHOODS = {"false": False, "f": False, "no": False, "n": False, "0": False}


@dataclass(frozen=True)
class Checked:
    """A canonical table whose rows carry `problem`, null or the first thing that is wrong, and their `original` text."""

    table: ir.Table
    present: tuple[str, ...]
    """Canonical columns that the source supplies."""


def canonical(raw: ir.Table, table: Table, source: TableSource, today: date) -> Checked:
    """The rows that `where` selects, as `table`, each with its `problem`.

    Raises `MissingColumn` and `UnusableColumn` where the source can't be brought to the contract at all.
    """
    rows = _selected(raw, table, source)
    found = {column.name: _found(rows, table, column, source) for column in table.columns}
    texts = {name: _text(rows[real]) for name, real in found.items() if real and rows[real].type().is_string()}
    values: dict[str, ir.Value] = {}
    for column in table.columns:
        real = found[column.name]
        if column.name in source.constants:
            values[column.name] = ibis.literal(source.constants[column.name]).cast(column.type)
        elif real is None:
            values[column.name] = ibis.null(column.type)
        else:
            values[column.name] = _typed(rows[real], texts.get(column.name), table, column, source)
    raws = {f"raw_{name}": text for name, text in texts.items() if table.column(name).type != "string"}
    typed = rows.select(**values, **raws, original=_original(rows))
    checked = typed.mutate(problem=_problem(typed, table, list(raws), today)).drop(*raws)
    return Checked(checked, tuple(name for name in table.names if found[name] or name in source.constants))


def is_plausible(time: ir.TimestampValue, today: date, happened: bool) -> ir.BooleanValue:
    """Whether a date can be true: after 1990, and not in the future where it says that something happened."""
    latest = today + timedelta(days=2) if happened else date(today.year + LATEST_YEARS, 1, 1)
    return (time >= ibis.timestamp(f"{EARLIEST} 00:00:00")) & (time < ibis.timestamp(f"{latest} 00:00:00"))


def _selected(raw: ir.Table, table: Table, source: TableSource) -> ir.Table:
    for column, wanted in source.where.items():
        if column not in raw.columns:
            raise SourceError(
                f"{table.name} has no column {column!r} to select by (it has {', '.join(sorted(raw.columns))}); "
                f"correct `tables.{table.name}.where` in sources.yaml."
            )
        raw = raw.filter(raw[column].cast("string").isin([_written(value) for value in listed(wanted)]))
    return raw


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _found(rows: ir.Table, table: Table, column: Column, source: TableSource) -> str | None:
    """Name of the source's column: as mapped, else of the same name, else of the same name in other case."""
    if column.name in source.constants:
        return None
    wanted = source.columns.get(column.name, column.name)
    if wanted in rows.columns:
        return wanted
    folded = {name.strip().lower(): name for name in rows.columns}
    if wanted.lower() in folded:
        return folded[wanted.lower()]
    if column.required or column.name in source.columns:
        raise MissingColumn(table.name, wanted, rows.columns)
    return None


def _original(rows: ir.Table) -> ir.StringValue:
    """All of a row's values as text, for people who look for what is wrong with it."""
    parts = [ibis.literal(f"{name}=") + rows[name].cast("string").fill_null("") for name in rows.columns]
    return ibis.literal("; ").join(parts)


def _text(value: ir.StringValue) -> ir.StringValue:
    trimmed = value.strip()
    return trimmed.lower().isin(NULLS).ifelse(ibis.null("string"), trimmed)


def _typed(value: ir.Value, text: ir.StringValue | None, table: Table, column: Column, source: TableSource) -> ir.Value:
    kind = value.type()
    if column.type == "string":
        return text if text is not None else value.cast("string")
    if text is not None:
        return _read_text(text, column, source)
    if column.type == "timestamp":
        return _as_utc(value, kind, table, column, source)
    if column.type == "boolean" and (kind.is_boolean() or kind.is_integer()):
        return value.cast("boolean")
    if column.type in ("float64", "int64") and kind.is_numeric():
        return _finite(value.cast("float64")).cast(column.type) if kind.is_floating() else value.cast(column.type)
    raise UnusableColumn(table.name, column.name, str(kind), column.type)


def _finite(value: ir.FloatingValue) -> ir.FloatingValue:
    return (value.isnan() | value.isinf()).ifelse(ibis.null("float64"), value)


def _as_utc(value: ir.Value, kind: dt.DataType, table: Table, column: Column, source: TableSource) -> ir.TimestampValue:
    if kind.is_timestamp() and kind.timezone:
        return value.cast(dt.Timestamp(timezone="UTC")).cast("timestamp")
    if (kind.is_timestamp() or kind.is_date()) and source.timezone == "UTC":
        return value.cast("timestamp")
    if kind.is_timestamp() or kind.is_date():
        return _read_text(value.cast("timestamp").cast("string"), column, source)
    raise UnusableColumn(table.name, column.name, str(kind), "timestamp")


def _read_text(text: ir.StringValue, column: Column, source: TableSource) -> ir.Value:
    if column.type == "boolean":
        lower = text.lower()
        return ibis.cases(
            (lower.isin(list(TRUTHS)), True), (lower.isin(list(FALSEHOODS)), False), else_=ibis.null("boolean")
        )
    if column.type != "timestamp":
        number = _finite(text.try_cast("float64"))
        whole = number.round() == number
        return number if column.type == "float64" else whole.ifelse(number, ibis.null("float64")).try_cast("int64")
    zoned = text.re_search(r"([Zz]|[+-]\d{2}(:?\d{2})?|\b[A-Z]{3,4}| [A-Za-z]+/\w+)$") & text.contains(":")
    with_zone = zoned.ifelse(text, text + ibis.literal(f" {source.timezone}"))
    dated = text.re_search(r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d|$)")
    full = text.contains(":").ifelse(with_zone, text + ibis.literal(f" 00:00:00 {source.timezone}"))
    read = full.try_cast(dt.Timestamp(timezone="UTC")).cast("timestamp")
    return dated.ifelse(read, ibis.null("timestamp"))


def _problem(rows: ir.Table, table: Table, raws: Sequence[str], today: date) -> ir.StringValue:
    """The first problem of a row, by column, worst kind first."""
    cases: list[tuple[ir.BooleanValue, str]] = []
    for raw in raws:
        name = raw.removeprefix("raw_")
        cases.append((rows[raw].notnull() & rows[name].isnull(), f"{name} is no {_wording(table.column(name))}"))
    cases += [(rows[name].isnull(), f"{name} is missing") for name in table.required]
    for column in table.columns:
        value = rows[column.name]
        if column.type == "timestamp":
            implausible = value.notnull() & ~is_plausible(value, today, column.happened)
            cases.append((implausible.fill_null(False), f"{column.name} is not plausible"))
        if column.choices:
            cases.append((value.notnull() & ~value.isin(column.choices), f"{column.name} is not one of its choices"))
        if column.minimum is not None:
            cases.append(((value < column.minimum).fill_null(False), f"{column.name} is below {column.minimum:g}"))
        if column.maximum is not None:
            cases.append(((value > column.maximum).fill_null(False), f"{column.name} is above {column.maximum:g}"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _wording(column: Column) -> str:
    return {"timestamp": "time", "float64": "number", "int64": "whole number", "boolean": "yes or no"}[column.type]
