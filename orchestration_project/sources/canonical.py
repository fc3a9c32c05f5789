"""Canonical: a source's rows, renamed and typed as the canonical table, each with what is wrong with it, if anything.

Portable expressions: for a database they run there. Text is read as time, number or truth in the engine only, because
few databases can try a cast without failing on the first bad row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from orchestration_project.contracts.tables import Column, Table
from orchestration_project.sources.config import Scalar, TableSource
from orchestration_project.sources.connector import listed
from orchestration_project.sources.errors import MissingColumn, SourceError, UnusableColumn

EARLIEST = date(1990, 1, 1)
"""No fact is older: earlier dates are defaults of some system."""
LATEST_YEARS = 30
"""How far ahead a due or renewal date may lie."""
NULLS = r"^(|null|none|nan|na|n/a|\\n)$"
"""Texts that mean no value, whatever their case; a pattern, because DuckDB makes a join of a long list."""
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
LARGEST_WHOLE = 2.0**53
"""Below it a floating number holds every whole number exactly."""


@dataclass(frozen=True)
class Checked:
    """A canonical table whose rows carry `problem`, null or what is wrong first, and their `original` text."""

    table: ir.Table
    present: tuple[str, ...]
    """Canonical columns that the source supplies."""


def canonical(rows: ir.Table, table: Table, source: TableSource, today: date, in_engine: bool = True) -> Checked:
    """Selected rows as `table`, each with its `problem`; with `in_engine` false they are still in a database.

    Raises `MissingColumn` and `UnusableColumn` where the source can't be brought to the contract at all.
    """
    found = {column.name: found_column(rows.columns, table, column, source) for column in table.columns}
    original = as_text(rows)
    texts = {
        name: _text(rows[name]) for name in sorted(filter(None, {*found.values()})) if rows[name].type().is_string()
    }
    rows = rows.mutate(**texts, _original=original)
    values: dict[str, ir.Value] = {}
    given: dict[str, ir.BooleanValue] = {}
    for column in table.columns:
        real = found[column.name]
        if column.name in source.constants:
            values[column.name] = _constant(source.constants[column.name], column, source)
        elif real is None:
            values[column.name] = ibis.null(column.type)
        elif column.type == "string":
            values[column.name] = _named(rows[real], column)
        else:
            values[column.name] = _typed(rows[real], table, column, source, in_engine)
            given[f"given_{column.name}"] = _is_given(rows[real])
    typed = rows.select(**values, **given, original=rows._original)
    checked = typed.mutate(problem=_problem(typed, table, list(given), today)).drop(*given)
    return Checked(checked, tuple(name for name in table.names if found[name] or name in source.constants))


def is_plausible(time: ir.TimestampValue, today: date, happened: bool) -> ir.BooleanValue:
    """Whether a date can be true: after 1990, and not in the future where it says that something happened."""
    latest = today + timedelta(days=2) if happened else date(today.year + LATEST_YEARS, 1, 1)
    return (time >= ibis.timestamp(f"{EARLIEST} 00:00:00")) & (time < ibis.timestamp(f"{latest} 00:00:00"))


def selected(raw: ir.Table, table: Table, source: TableSource) -> ir.Table:
    """The rows that `where` selects; in a database the selection runs there."""
    for column, wanted in source.where.items():
        if column not in raw.columns:
            raise SourceError(
                f"{table.name} has no column {column!r} to select by (it has {', '.join(sorted(raw.columns))}); "
                f"correct `tables.{table.name}.where` in sources.yaml."
            )
        raw = raw.filter(ibis.or_(*(_equals(raw[column], value) for value in listed(wanted))))
    return raw


def _equals(column: ir.Value, wanted: Scalar) -> ir.BooleanValue:
    kind = column.type()
    if wanted is None:
        return _text(column).isnull() if kind.is_string() else column.isnull()
    if isinstance(wanted, bool):
        truth = column.cast("string").lower() if not kind.is_numeric() else column
        return truth == ((str(wanted).lower()) if not kind.is_numeric() else int(wanted))
    if isinstance(wanted, int | float) and kind.is_numeric():
        return column == wanted
    return column.cast("string") == str(wanted)


def found_column(columns: Sequence[str], table: Table, column: Column, source: TableSource) -> str | None:
    """Name of the source's column: as mapped, else of the same name, else of the same name in other case."""
    if column.name in source.constants:
        return None
    wanted = source.columns.get(column.name, column.name)
    if wanted in columns:
        return wanted
    folded = {name.strip().lower(): name for name in columns}
    if wanted.lower() in folded:
        return folded[wanted.lower()]
    if column.required or column.name in source.columns:
        raise MissingColumn(table.name, column.name, wanted, columns)
    return None


def as_text(rows: ir.Table) -> ir.StringValue:
    """All of a row's values as text, for people who look for what is wrong with it."""
    parts = [ibis.literal(f"{name}=") + rows[name].cast("string").fill_null("") for name in rows.columns]
    return ibis.literal("; ").join(parts)


def _text(value: ir.StringValue) -> ir.StringValue:
    trimmed = value.strip()
    return trimmed.lower().re_search(NULLS).ifelse(ibis.null("string"), trimmed)


def _is_given(value: ir.Value) -> ir.BooleanValue:
    return value.notnull() & ~value.isnan() if value.type().is_floating() else value.notnull()


def _named(value: ir.Value, column: Column) -> ir.StringValue:
    """A name as text; whole floating numbers without a fraction, as tools write integers where some are absent."""
    if value.type().is_string():
        return value.lower() if column.choices else value
    if not value.type().is_floating():
        return value.cast("string")
    text = ibis.coalesce(_whole(value).cast("string"), value.cast("string"))
    return value.isnan().ifelse(ibis.null("string"), text)


def _constant(value: Scalar, column: Column, source: TableSource) -> ir.Value:
    if value is None or column.type != "timestamp":
        return ibis.literal(value).cast(column.type)
    time = datetime.fromisoformat(str(value))
    aware = time if time.tzinfo else time.replace(tzinfo=ZoneInfo(source.timezone))
    return ibis.timestamp(aware.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" "))


def _typed(value: ir.Value, table: Table, column: Column, source: TableSource, in_engine: bool) -> ir.Value:
    kind = value.type()
    if kind.is_string() and in_engine:
        return _read_text(value, column, source)
    if column.type == "timestamp" and (kind.is_timestamp() or kind.is_date()):
        return _as_utc(value, source.timezone)
    if column.type == "boolean" and kind.is_boolean():
        return value
    if column.type == "boolean" and kind.is_integer():
        return ibis.cases((value == 1, True), (value == 0, False), else_=ibis.null("boolean"))
    if column.type in ("float64", "int64") and kind.is_numeric():
        return _number(value.cast("float64"), column)
    raise UnusableColumn(table.name, column.name, str(kind), column.type)


def _number(value: ir.FloatingValue, column: Column) -> ir.NumericValue:
    if column.type == "int64":
        return _whole(value)
    return (value.isnan() | value.isinf()).ifelse(ibis.null("float64"), value)


def _whole(value: ir.FloatingValue) -> ir.IntegerValue:
    """The value as an integer; null where it has a fraction or is too large to tell."""
    small = (value.abs() < LARGEST_WHOLE).ifelse(value, ibis.null("float64"))
    return (small == small.round()).ifelse(small, ibis.null("float64")).cast("int64")


def _as_utc(value: ir.Value, zone: str) -> ir.TimestampValue:
    kind = value.type()
    if kind.is_timestamp() and kind.timezone:
        return value.cast(dt.Timestamp(timezone="UTC")).cast("timestamp")
    naive = value.cast("timestamp")
    if zone == "UTC":
        return naive
    # Infinite times and those of five-digit years, which no zone applies to, stay what they are: not plausible.
    usual = (naive >= ibis.timestamp("1900-01-01 00:00:00")) & (naive < ibis.timestamp("2200-01-01 00:00:00"))
    local = usual.ifelse(naive, ibis.null("timestamp")).cast("string") + ibis.literal(f" {zone}")
    return usual.ifelse(local.cast(dt.Timestamp(timezone="UTC")).cast("timestamp"), naive)


def _read_text(text: ir.StringValue, column: Column, source: TableSource) -> ir.Value:
    if column.type == "boolean":
        lower = text.lower()
        return ibis.cases((lower.isin(TRUE), True), (lower.isin(FALSE), False), else_=ibis.null("boolean"))
    if column.type != "timestamp":
        return _number(text.try_cast("float64"), column)
    dated = text.re_search(r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d|$)")
    timed = text.contains(":").ifelse(text, text + ibis.literal(" 00:00:00"))
    zoned = text.contains(":") & text.re_search(r"([Zz]|[+-]\d{2}(:?\d{2})?|[A-Za-z]{3,}(/\w+)*)$")
    full = zoned.ifelse(timed, timed + ibis.literal(f" {source.timezone}"))
    read = full.try_cast(dt.Timestamp(timezone="UTC")).cast("timestamp")
    return dated.ifelse(read, ibis.null("timestamp"))


def _problem(rows: ir.Table, table: Table, given: Sequence[str], today: date) -> ir.StringValue:
    """The first problem of a row, by column, worst kind first."""
    cases: list[tuple[ir.BooleanValue, str]] = []
    for flag in given:
        name = flag.removeprefix("given_")
        cases.append((rows[flag] & rows[name].isnull(), f"{name} is no {_wording(table.column(name))}"))
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
