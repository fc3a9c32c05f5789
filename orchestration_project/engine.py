"""Engine: runs Ibis expressions on DuckDB. The only place that writes SQL; what is computed is decided elsewhere."""

import csv
import gc
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project.settings import EngineSettings

COLLECT_AFTER = 50_000
"""New objects before garbage is looked for."""
LONGEST_LINE = 1 << 24
"""Bytes that one line of a text file may have, and that are read at once."""
ROWS_READ_AT_ONCE = 32_768
"""Rows of one group in a partition's file: threads share out groups, so 100,000 rows keep more than one busy."""
ROWS_AT_A_TIME = 2_000
"""Rows that are plain values at once where there may be many."""
STRAY = "rows of another partition: "
UNREADABLE = (
    ("Permission denied", "this user may not read it", "change its owner or its mode"),
    ("No files found", "no such file", "correct `path` in sources.yaml, or put the file there"),
    ("No such file", "no such file", "correct `path` in sources.yaml, or put the file there"),
    ("too small", "it is not a complete Parquet file (half-written?)", "write it again and try once more"),
    ("magic bytes", "it is not a complete Parquet file (half-written?)", "write it again and try once more"),
    ("straddl", "a line is longer than 16 MB (a quote that never ends?)", "close the quote and try once more"),
    ("UTF8", "it is not UTF-8 text", "set `encoding: latin-1` in sources.yaml, or save it as UTF-8"),
    ("codec can't decode", "it is not UTF-8 text", "set `encoding: latin-1` in sources.yaml, or save it as UTF-8"),
)
"""Signs in an error about a file, what each means, and how to mend it."""


class EngineError(Exception):
    """A computation that could not run on this machine or this data; names culprit, cause and fix."""


class DataError(EngineError):
    """Data that turned out to be unreadable only when it was computed with."""


class StrayRowsError(EngineError):
    """Rows of another partition than the one that is written; says which."""


class Engine:
    """One DuckDB database in memory, with the limits of the settings."""

    def __init__(self, settings: EngineSettings, spill_folder: Path) -> None:
        limits: dict[str, Any] = {"memory_limit": settings.memory_limit, "temp_directory": str(spill_folder)}
        if settings.threads:
            limits["threads"] = settings.threads
        # Ibis takes longer to merge the steps of a query into fewer than DuckDB, which does so anyway, to read them.
        ibis.options.sql.fuse_selects = False
        # Its expressions are trees of many objects that are gone soon: nobody needs to look at them every 700 objects.
        gc.set_threshold(COLLECT_AFTER)
        self._ibis = ibis.duckdb.connect(":memory:", **limits)
        self._kept: list[str] = []
        # A partition may be replaced while this process runs: blocks of the old file must not be mixed with the new.
        self._duckdb.execute("SET enable_external_file_cache = false")
        # Ibis 12 writes lambdas with the arrow that DuckDB 2 reads only when asked to.
        self._duckdb.execute("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
        self._duckdb.execute("SET partitioned_write_max_open_files = 10000")
        self._duckdb.execute("SET preserve_insertion_order = false")
        self._duckdb.execute("SET TimeZone = 'UTC'")
        # Its bar would be drawn on standard output, among a command's results.
        self._duckdb.execute("SET enable_progress_bar = false")

    @property
    def _duckdb(self) -> Any:
        return self._ibis.con

    def close(self) -> None:
        """Ends the connection and frees its memory."""
        self._ibis.disconnect()

    def parquet(self, files: Sequence[Path], hive: bool = False) -> ir.Table:
        """The rows of Parquet files; with `hive`, the `key=value` folders they lie in are columns."""
        with readable(*(str(file) for file in files)):
            relation = self._duckdb.read_parquet([str(file) for file in files], hive_partitioning=hive)
            return self._view(relation)

    def parquet_by_name(self, files: Sequence[str]) -> ir.Table:
        """The rows of Parquet files whose columns may differ: they are matched by name."""
        with readable(*files):
            return self._view(self._duckdb.read_parquet(list(files), union_by_name=True))

    def delimited(self, file: str, encoding: str) -> tuple[ir.Table, list[str]]:
        """The rows of a CSV file, every column as text, and the lines that are no rows.

        Nothing is guessed from a sample: the first line says the columns and the delimiter, quotes are double quotes.
        """
        with readable(file):
            names, delimiter, has_rows = _header(file, encoding)
            if not has_rows:
                return self.keep(ibis.memtable({name: [] for name in names}, schema=dict.fromkeys(names, "string"))), []
            return self._lines(file, names, 1, encoding, delimiter=delimiter, newlines_in_values=True)

    def json_lines(self, file: str) -> tuple[ir.Table, list[str]]:
        """The rows of a JSON Lines file, every column as text, and the lines that are no JSON objects."""
        with readable(file):
            # JSON allows no bare control characters: this one separates nothing, and each line is one value.
            lines, rejected = self._lines(file, ["line"], 0, "utf-8", delimiter="\x1f", quote_char=False)
            table = lines.get_name()
            others = f"FROM {table} WHERE CASE WHEN json_valid(line) THEN json_type(line) END IS DISTINCT FROM 'OBJECT'"
            rejected += [
                f"no JSON object: {line}" for (line,) in self._duckdb.execute(f"SELECT line {others}").fetchall()
            ]
            self._duckdb.execute(f"DELETE {others}")
            keys = self._duckdb.execute(f"SELECT DISTINCT unnest(json_keys(line)) AS key FROM {table} ORDER BY key")
            shape = {key: "VARCHAR" for (key,) in keys.fetchall()}
            if not shape:
                return lines, rejected
            query = f"SELECT unnest(json_transform(line, {_text(json.dumps(shape))})) FROM {table}"
            return self.keep(self._view(self._duckdb.sql(query))), rejected

    def _lines(
        self, file: str, names: list[str], skipped: int, encoding: str, **parsing: Any
    ) -> tuple[ir.Table, list[str]]:
        """The lines of a file after the first `skipped` as rows of text, and those with more or fewer values."""
        import pyarrow
        import pyarrow.csv as arrow

        rejected: list[str] = []

        def reject(row: Any) -> str:
            rejected.append(f"line {row.number}, {row.actual_columns} of {row.expected_columns} values: {row.text}")
            return "skip"

        reader = arrow.open_csv(
            file,
            arrow.ReadOptions(
                use_threads=False, block_size=LONGEST_LINE, column_names=names, skip_rows_after_names=skipped,
                encoding=encoding,
            ),
            arrow.ParseOptions(invalid_row_handler=reject, **parsing),
            arrow.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string())),
        )  # fmt: skip
        self._duckdb.register("incoming_lines", reader)
        try:
            return self.keep(self._ibis.table("incoming_lines")), rejected
        finally:
            self._duckdb.unregister("incoming_lines")

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

    def batches(self, expression: ir.Table) -> Iterator[list[dict[str, Any]]]:
        """The rows of an expression that may be large, so many at a time, as plain values."""
        self._ibis._run_pre_execute_hooks(expression)
        with computable():
            for batch in self._duckdb.sql(self._ibis.compile(expression)).to_arrow_reader(ROWS_AT_A_TIME):
                yield batch.to_pylist()

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
        query = _optional(self._ibis.compile(expression), len(expression.columns))
        with computable():
            self._duckdb.execute(f"COPY ({query}) TO {_text(str(target))} ({', '.join(options)})")

    def write_only(self, expression: ir.Table, column: str, key: str, target: Path) -> None:
        """Writes rows as one Parquet file without their `column`, which must be `key` in all of them."""
        import duckdb

        self._ibis._run_pre_execute_hooks(expression)
        name = _identifier(column)
        stray = f"error({_text(STRAY)} || COALESCE(CAST({name} AS VARCHAR), 'null'))"
        only = f"CASE WHEN CAST({name} AS VARCHAR) = {_text(key)} THEN true ELSE {stray} END"
        others = f"SELECT * EXCLUDE ({name}) FROM ({self._ibis.compile(expression)}) WHERE {only}"
        query = _optional(others, len(expression.columns) - 1)
        with computable():
            try:
                self._duckdb.execute(
                    f"COPY ({query}) TO {_text(str(target))} (FORMAT parquet, ROW_GROUP_SIZE {ROWS_READ_AT_ONCE})"
                )
            except duckdb.Error as error:
                if STRAY not in str(error):
                    raise
                raise StrayRowsError(str(error).rpartition(STRAY)[2].split('"')[0].strip()) from error

    def _view(self, relation: Any) -> ir.Table:
        name = f"view_{uuid.uuid4().hex}"
        relation.create_view(name)
        return self._ibis.table(name)


@contextmanager
def readable(*files: str) -> Iterator[None]:
    """Turns errors about source files into one sentence, which names the one file where the error does."""
    import duckdb
    from pyarrow import ArrowInvalid

    try:
        yield
    except (duckdb.Error, ArrowInvalid, OSError, UnicodeDecodeError) as error:
        cause = _first_line(error)
        culprit = next((file for file in files if file in str(error)), ", ".join(files[:3]))
        for sign, meaning, fix in UNREADABLE:
            if sign in cause:
                raise EngineError(f"{culprit} can't be read: {meaning}; {fix}.") from error
        raise EngineError(f"{culprit} can't be read: {cause}; write the file again and try once more.") from error


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
        if re.search(r"No space left|write all|File too large|quota exceeded", str(error)):
            raise EngineError(_no_space(error)) from error
        if "Could not read enough bytes" in str(error):
            raise DataError(_unreadable(error)) from error
        raise EngineError(f"A file could not be read or written: {_first_line(error)}; check the disk.") from error
    except duckdb.Error as error:
        # Readers of compressed or encoded pages raise the base class itself; other kinds of error are bugs of ours.
        if type(error) not in (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.Error):
            raise
        raise DataError(_unreadable(error)) from error


def _header(file: str, encoding: str) -> tuple[list[str], str, bool]:
    """Column names and delimiter of a CSV file, and whether any line follows its first; no name is used twice."""
    with Path(file).open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as text:
        delimiter = max(",;\t|", key=text.readline().count)
        text.seek(0)
        lines = csv.reader(text, delimiter=delimiter)
        names: dict[str, None] = {}
        for position, name in enumerate(next(lines, []), start=1):
            taken = not name.strip() or name.strip().lower() in (each.lower() for each in names)
            names[f"{name.strip()}_{position}" if taken else name.strip()] = None
        if not names:
            raise EngineError(f"{file} has no column names in its first line; export it again with a header.")
        try:
            return list(names), delimiter, any(lines)
        except csv.Error:
            return list(names), delimiter, True


def _no_space(error: Exception) -> str:
    return (
        f"The disk is full ({_first_line(error)}); free some space, or set `engine.spill_folder` in settings.yaml "
        "to a folder on a larger disk, and run the same command again: nothing was half-replaced."
    )


def _unreadable(error: Exception) -> str:
    return f"The data can't be read: {_first_line(error)}; write the file again and try once more."


def _first_line(error: Exception) -> str:
    told = str(error)
    # DuckDB wraps what goes wrong in a write of another thread into JSON.
    wrapped = re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', told)
    lines = (json.loads(wrapped[1]) if wrapped else told).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".;")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _optional(query: str, columns: int) -> str:
    """The same rows, of which DuckDB can't tell that no column is null: it would mark those columns as required.

    One file would differ from the next then, and tools that take a table's columns from its first file misread it.
    """
    nothing = ", ".join(["NULL"] * columns)
    return f"({query}) UNION ALL SELECT {nothing} FROM range(0)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
