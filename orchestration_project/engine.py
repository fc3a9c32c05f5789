"""Engine: runs Ibis expressions on DuckDB. The only place that writes SQL; what is computed is decided elsewhere."""

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project.settings import EngineSettings


class EngineError(Exception):
    """A computation that could not run on this machine or this data; names culprit, cause and fix."""


class Engine:
    """One DuckDB database in memory, with the limits of the settings."""

    def __init__(self, settings: EngineSettings, spill_folder: Path) -> None:
        limits: dict[str, Any] = {"memory_limit": settings.memory_limit, "temp_directory": str(spill_folder)}
        if settings.threads:
            limits["threads"] = settings.threads
        self._ibis = ibis.duckdb.connect(":memory:", **limits)
        self._kept: list[str] = []
        # A partition may be replaced while this process runs: blocks of the old file must not be mixed with the new.
        self._duckdb.execute("SET enable_external_file_cache = false")
        # Ibis 12 writes lambdas with the arrow that DuckDB 2 reads only when asked to.
        self._duckdb.execute("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
        self._duckdb.execute("SET partitioned_write_max_open_files = 10000")
        self._duckdb.execute("SET preserve_insertion_order = false")
        self._duckdb.execute("SET TimeZone = 'UTC'")

    @property
    def _duckdb(self) -> Any:
        return self._ibis.con

    def close(self) -> None:
        """Ends the connection and frees its memory."""
        self._ibis.disconnect()

    def parquet(self, files: Sequence[Path], hive: bool = False) -> ir.Table:
        """The rows of Parquet files; with `hive`, the `key=value` folders they lie in are columns."""
        with readable(f"{files[0].parent}" if len(files) > 1 else str(files[0])):
            relation = self._duckdb.read_parquet([str(file) for file in files], hive_partitioning=hive)
            return self._view(relation)

    def parquet_by_name(self, files: Sequence[str]) -> ir.Table:
        """The rows of Parquet files whose columns may differ: they are matched by name."""
        with readable(", ".join(files[:3])):
            return self._view(self._duckdb.read_parquet(list(files), union_by_name=True))

    def delimited(self, files: Sequence[str], encoding: str) -> tuple[ir.Table, list[tuple[int, str, str]]]:
        """The rows of CSV files, every column as text, and the lines that are no rows: number, line, error."""
        with readable(", ".join(files[:3])):
            relation = self._duckdb.read_csv(
                list(files),
                all_varchar=True,
                header=True,
                sample_size=20_000,
                encoding=encoding,
                ignore_errors=True,
                store_rejects=True,
                rejects_limit=0,
                union_by_name=True,
                normalize_names=False,
                null_padding=False,
            )
            table = self.keep(self._view(relation))
            query = "SELECT line, csv_line, error_message FROM reject_errors WHERE error_type <> 'CAST'"
            rejected = self._duckdb.execute(query).fetchall()
            self._duckdb.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
            return table, rejected

    def json_lines(self, files: Sequence[str]) -> ir.Table:
        """The rows of JSON Lines files."""
        with readable(", ".join(files[:3])):
            return self._ibis.read_json(list(files), format="newline_delimited", union_by_name=True)

    def arrow(self, table: Any) -> ir.Table:
        """An Arrow table, kept."""
        return self.keep(ibis.memtable(table))

    def keep(self, expression: ir.Table) -> ir.Table:
        """Computes an expression now and keeps the rows for as long as the engine lives."""
        name = f"kept_{uuid.uuid4().hex}"
        self._kept.append(name)
        with computable():
            return self._ibis.create_table(name, expression, temp=True)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forgets in the end what `keep` kept within."""
        before = len(self._kept)
        try:
            yield
        finally:
            for name in self._kept[before:]:
                self._duckdb.execute(f"DROP TABLE IF EXISTS {_identifier(name)}")
            del self._kept[before:]

    def rows(self, expression: ir.Table) -> list[dict[str, Any]]:
        """The rows of a small expression, as plain values; absent values are None."""
        with computable():
            return self._ibis.to_pyarrow(expression).to_pylist()

    def frame(self, expression: ir.Table) -> Any:
        """The rows of a small expression, as a pandas frame."""
        with computable():
            return self._ibis.to_pandas(expression)

    def value(self, expression: ir.Scalar) -> Any:
        """A single value."""
        with computable():
            return self._ibis.to_pyarrow(expression).as_py()

    def write(self, expression: ir.Table, target: Path, partition: str | None = None) -> None:
        """Writes rows as Parquet: one file, or below folder `target` one file per value of column `partition`."""
        options = ["FORMAT parquet"]
        if partition:
            options += [f"PARTITION_BY ({_identifier(partition)})", "FILENAME_PATTERN 'part-{i}'"]
        self._ibis._run_pre_execute_hooks(expression)
        query = self._ibis.compile(expression)
        with computable():
            self._duckdb.execute(f"COPY ({query}) TO {_text(str(target))} ({', '.join(options)})")

    def _view(self, relation: Any) -> ir.Table:
        name = f"view_{uuid.uuid4().hex}"
        relation.create_view(name)
        return self._ibis.table(name)


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turns DuckDB's errors about a file into one sentence."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        cause = _first_line(error)
        fix = "write the file again and try once more"
        if "No files found" in cause or "Cannot open file" in cause:
            cause, fix = "no such file", "correct `path` in sources.yaml, or put the file there"
        elif "too small" in cause or "magic bytes" in cause or "No magic" in cause:
            cause = "it is not a complete Parquet file (half-written?)"
        raise EngineError(f"{what} can't be read: {cause}; {fix}.") from error


@contextmanager
def computable() -> Iterator[None]:
    """Turns DuckDB's errors about this machine or its data into one sentence."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        if re.search(r"max_temp_directory_size|No space|disk", str(error)):
            raise EngineError(_no_space(error)) from error
        raise EngineError(
            f"The computation needs more memory than it may use ({_first_line(error)}); raise `engine.memory_limit` "
            "or lower `engine.rows_at_once` in settings.yaml."
        ) from error
    except duckdb.IOException as error:
        if "No space left" in str(error) or "write all" in str(error):
            raise EngineError(_no_space(error)) from error
        raise EngineError(f"A file could not be read or written: {_first_line(error)}; check the disk.") from error
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise EngineError(
            f"The data can't be read: {_first_line(error)}; write the file again, or correct it, and try once more."
        ) from error


def _no_space(error: Exception) -> str:
    return (
        f"The disk is full ({_first_line(error)}); free some space, or set `engine.spill_folder` in settings.yaml "
        "to a folder on a larger disk, and run the same command again: nothing was half-replaced."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".;")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
