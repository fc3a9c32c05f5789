"""Masking: takes a customer out of files of every kind that the product writes; what is about others stays as it is."""

import fcntl
import hashlib
import json
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis

from orchestration_project import remains
from orchestration_project.domain.traces import MASK, Traces
from orchestration_project.lake import Lake

BUSY_SECONDS = 60
WHOLE = ("original",)
"""Columns of texts that are masked as a whole: all that they say is about one customer."""


def in_lake(lake: Lake, traces: Traces) -> int:
    """Rewrites every partition that names the customer, and returns how many; no other is touched."""
    lake.clear_staging()
    changed = 0
    for table, column, key, file in lake.everything():
        hits = remains.in_parquet(file, traces)
        if hits:
            with lake.engine.scope():
                _rewrite(lake, table, column, key, file, hits, traces)
            changed += 1
    return changed


def _rewrite(
    lake: Lake, table: str, column: str | None, key: str | None, file: Path, hits: Mapping[str, Sequence[str]],
    traces: Traces,
) -> None:  # fmt: skip
    keys = [key] if key else None
    rows = lake.read(table, keys, column)
    if "customer_id" in rows.columns:
        rows = rows.filter((rows.customer_id != traces.customer_id).fill_null(True))
    told = [name for name in hits if name != "customer_id" and _still_there(lake, rows[name], hits[name])]
    if told:
        rows = lake.engine.arrow(_masked(file, told, traces))
        rows = rows.mutate({column: ibis.literal(key)}) if column else rows
    lake.replace(table, rows, keys, column)


def _still_there(lake: Lake, column: Any, values: Sequence[str]) -> bool:
    """Whether rows of others name the customer; a nested column is looked at value by value anyway."""
    return not column.type().is_string() or bool(lake.engine.value(column.isin(values).any()))


def _masked(file: Path, columns: Sequence[str], traces: Traces) -> Any:
    """A file's rows without the customer's, and with masks in the others.

    A row that lists nobody else any more is left out, and so are texts that are a whole row of a source.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(file) as opened:
        table = opened.read()
    if "customer_id" in table.column_names:
        others = pc.fill_null(pc.not_equal(table.column("customer_id"), traces.customer_id), True)
        table = table.filter(others)
    emptied: set[int] = set()
    for name in columns:
        before = table.column(name).to_pylist()
        if name in WHOLE:
            after = [MASK if value and traces.found(value) else value for value in before]
        else:
            after = [traces.masked_in(value) for value in before]
        emptied |= {place for place, value in enumerate(before) if value and after[place] == []}
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(after, field.type))
    kept = [place for place in range(table.num_rows) if place not in emptied]
    return table.take(pa.array(kept, pa.int64())) if emptied else table


def in_outbox(folder: Path, traces: Traces, names: Collection[str]) -> int:
    """Removes e-mails to or about the customer and empties lines; `names` are keys and file names that are theirs."""
    changed = 0
    for file in remains.files(folder) if folder.is_dir() else ():
        if file.suffix == ".jsonl":
            changed += emptied(file, lambda line: _is_theirs(line, traces, names))
        elif file.stem in names or remains.in_file(file, traces) is not None:
            file.unlink()
            changed += 1
    return changed


def emptied(file: Path, is_over: Callable[[bytes], bool]) -> int:
    """Empties the lines that are over, each in its own length: who adds lines knows how far they have read."""
    changed = 0
    with file.open("r+b") as lines:
        fcntl.flock(lines, fcntl.LOCK_EX)
        while line := lines.readline():
            if not line.endswith(b"\n") or not is_over(line):
                continue
            lines.seek(-len(line), os.SEEK_CUR)
            lines.write(_emptied(line).encode().ljust(len(line) - 1) + b"\n")
            changed += 1
        lines.flush()
        os.fsync(lines.fileno())
    return changed


def _is_theirs(line: bytes, traces: Traces, keys: Collection[str]) -> bool:
    if traces.found(line.decode("utf-8", "replace")):
        return True
    try:
        return json.loads(line).get("idempotency_key") in keys
    except (ValueError, AttributeError):
        return False


def _emptied(line: bytes) -> str:
    """What is left of a line: a hash in the place of its key, since every line of these files has one."""
    left = json.dumps({"idempotency_key": hashlib.sha256(line).hexdigest()[:16]}, separators=(",", ":"))
    return left if len(left) < len(line) else "{}"


def in_database(file: Path, traces: Traces) -> int:
    """Takes the customer out of an SQLite database: rows with a `customer_id` go, other texts are masked.

    The file is then rewritten, since what is deleted stays on disk until it is overwritten.
    """
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.create_function("is_trace", 1, lambda value: _found(value, traces))
        connection.create_function("without_trace", 1, lambda value: _without(value, traces))
        connection.execute("BEGIN IMMEDIATE")
        changed = sum(_in_table(connection, *each, traces) for each in remains.tables(connection).items())
        connection.execute("COMMIT")
        if changed or _on_disk(file, traces):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return changed
    finally:
        connection.close()


def _in_table(connection: sqlite3.Connection, table: str, columns: list[str], traces: Traces) -> int:
    name = remains.quoted(table)
    traced = " OR ".join(f"is_trace({remains.quoted(column)})" for column in columns)
    if "customer_id" in columns:
        gone = f"DELETE FROM {name} WHERE customer_id = ? OR {traced}"
        return connection.execute(gone, (traces.customer_id,)).rowcount
    masks = ", ".join(f"{column} = without_trace({column})" for column in map(remains.quoted, columns))
    return connection.execute(f"UPDATE {name} SET {masks} WHERE {traced}").rowcount


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return remains.unpacked(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _found(value: Any, traces: Traces) -> bool:
    text = _as_text(value)
    return text is not None and traces.found(text)


def _without(value: Any, traces: Traces) -> Any:
    if not _found(value, traces):
        return value
    masked = traces.masked(str(_as_text(value)))
    if isinstance(value, str):
        return masked
    return zlib.compress(masked.encode()) if remains.unpacked(value) != value else masked.encode()


def _on_disk(file: Path, traces: Traces) -> bool:
    """Whether the bytes of a database, of deleted rows too, may name the customer."""
    content = file.read_bytes().lower()
    return any(form in content for form in traces.letters)


def in_text(file: Path, traces: Traces) -> bool:
    """Masks the customer in a file of text; whether it named them. What is no text is left alone."""
    content = file.read_bytes()
    text = content.decode("utf-8", "surrogateescape")
    if b"\0" in content or not traces.found(text):
        return False
    replace(file, traces.masked(text).encode("utf-8", "surrogateescape"))
    return True


def in_folder(folder: Path, traces: Traces) -> int:
    """Masks the customer in all databases and texts below a folder; how many places."""
    changed = 0
    for file in remains.files(folder) if folder.is_dir() else ():
        with file.open("rb") as opened:
            is_database = opened.read(16) == remains.SQLITE
        if is_database:
            changed += in_database(file, traces)
        elif not file.name.endswith(("-wal", "-shm", "-journal")):
            changed += in_text(file, traces)
    return changed


def replace(file: Path, content: bytes) -> None:
    """Replaces a file as a whole, readable by its owner as before."""
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
    if file.exists():
        Path(part.name).chmod(file.stat().st_mode & 0o777)
    Path(part.name).replace(file)
