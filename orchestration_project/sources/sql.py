"""SQL: tables in any database that Ibis reaches by URL; heavy work is done where the rows live."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from orchestration_project.contracts.tables import Table
from orchestration_project.engine import Engine
from orchestration_project.sources.canonical import found_column
from orchestration_project.sources.config import SqlSource
from orchestration_project.sources.connector import RawRows
from orchestration_project.sources.errors import SourceError, TooSlow, Unreachable

CONNECT_SECONDS = 10
DRIVER_ERRORS = {"Error", "IbisError", "OSError", "GoogleAPIError"}
"""Base classes of what goes wrong in databases, by name: each driver has classes of its own, mostly after PEP 249."""


class Sql:
    """One canonical table in a database."""

    def __init__(self, table: Table, source: SqlSource, engine: Engine) -> None:
        self._table, self._source, self._engine = table, source, engine

    def rows(self) -> RawRows:
        """The table as it stands in the database; nothing is read yet."""
        schema, _, name = self._source.table.rpartition(".")
        with self._answering():
            try:
                table = self._backend.table(name, database=schema or None)
            except ibis.common.exceptions.TableNotFound as error:
                raise SourceError(
                    f"{self._table.name}: {self._where} has no table {self._source.table!r}; "
                    f"correct `tables.{self._table.name}.table` in sources.yaml."
                ) from error

        # Types of the database's own, such as enumerations or points, travel as text.
        own = {name: table[name].cast("string") for name, kind in table.schema().items() if not _travels(kind)}
        return RawRows(table.mutate(**own) if own else table, in_engine=False)

    def collect(self, expression: ir.Table) -> ir.Table:
        """Runs the expression in the database; only its rows travel."""
        with self._answering():
            found = self._backend.to_pyarrow(expression)
        return self._engine.arrow(found)

    def fingerprint(self) -> str:
        """The newest time at which anything happened or was recorded."""
        rows = self.rows().table
        times = [column for column in self._table.columns if column.name in (self._table.happened_at, "recorded_at")]
        names = [found_column(rows.columns, self._table, column, self._source) for column in times]
        newest = [rows[name].max().cast("string").name(name) for name in names if name]
        with self._answering():
            found = self._backend.to_pyarrow(rows.aggregate([rows.count().name("rows"), *newest]))
        return str(found.to_pylist()[0])

    @cached_property
    def _backend(self) -> Any:
        limits = {"connect_timeout": CONNECT_SECONDS} if self._is_postgres else {}
        try:
            backend = ibis.connect(self._source.url, **limits)
        except (ValueError, ImportError) as error:
            scheme = self._source.url.partition(":")[0]
            raise SourceError(
                f"{self._table.name}: databases of kind {scheme!r} can't be reached from here; install "
                f"`ibis-framework[{scheme}]`, or correct `tables.{self._table.name}.url`."
            ) from error
        weakref.finalize(self, backend.disconnect)
        if self._is_postgres:
            backend.raw_sql("SET TIME ZONE 'UTC'").close()
            backend.raw_sql(f"SET statement_timeout = {self._source.timeout_seconds * 1000:d}").close()
        return backend

    @property
    def _is_postgres(self) -> bool:
        return self._source.url.startswith(("postgres://", "postgresql://"))

    @property
    def _where(self) -> str:
        parts = urlsplit(self._source.url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            if not DRIVER_ERRORS & {each.__name__ for each in type(error).__mro__}:
                raise
            told = str(error).replace(self._source.url, self._where).strip()
            cause = told.splitlines()[0].rstrip(".") if told else type(error).__name__
            if type(error).__name__ == "QueryCanceled":
                raise TooSlow(self._table.name, self._where, self._source.timeout_seconds) from error
            if type(error).__name__ in ("OperationalError", "ConnectionTimeout", "gaierror", "InterfaceError"):
                raise Unreachable(self._table.name, self._where, cause) from error
            raise SourceError(
                f"{self._table.name}: the database at {self._where} refused: {cause}; correct `url` or `table` of "
                f"`tables.{self._table.name}` in sources.yaml, or expose what it can answer as a view."
            ) from error


def _travels(kind: dt.DataType) -> bool:
    return kind.is_primitive() or kind.is_string() or kind.is_decimal() or kind.is_timestamp() or kind.is_date()
