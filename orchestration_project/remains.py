"""Remains: everything in a home searched for the traces of a customer, whatever kind of file they are in."""

import base64
import email.policy
import gzip
import io
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from orchestration_project.domain.traces import Traces

CHUNK, OVERLAP = 1 << 24, 1 << 12
"""Bytes searched at once, and those of them searched again with the next: no trace is longer."""
SQLITE, PARQUET, GZIP = b"SQLite format 3\0", b"PAR1", b"\x1f\x8b"
_CODED = re.compile(rb"[A-Za-z0-9_+/-]{12,}={0,2}")


def files(folder: Path, but: Sequence[Path] = ()) -> Iterator[Path]:
    """All files below a folder, in order, without those that are, or lie below, one of `but`."""
    left_out = set(but)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and left_out.isdisjoint((path, *path.parents)):
            yield path


def in_file(file: Path, traces: Traces) -> str | None:
    """How a file names the customer, or that it can't be read; None where it does not."""
    if traces.found(file.name):
        return "in its name"
    try:
        return "" if _holds(file, traces) else None
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error, sqlite3.Error, ValueError) as error:
        return f"can't be searched: {type(error).__name__}"


def _holds(file: Path, traces: Traces) -> bool:
    with file.open("rb") as content:
        start = content.read(16)
    if start.startswith(PARQUET):
        return bool(in_parquet(file, traces))
    if start.startswith(GZIP):
        with gzip.open(file) as unpacked:
            return _in_stream(unpacked, traces)
    if start == SQLITE and _in_sqlite(file, traces):
        return True
    if file.suffix == ".eml" and _in_mail(file.read_bytes(), traces):
        return True
    with file.open("rb") as content:
        return _in_stream(content, traces)


def in_parquet(file: Path, traces: Traces) -> dict[str, list[str]]:
    """The values of each column of a Parquet file, leaves of nested ones, that name the customer."""
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(file) as opened:
        leaves = [opened.schema.column(place) for place in range(len(opened.schema))]
        table = opened.read(columns=[leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"])
    found: dict[str, list[str]] = {}
    for name in table.column_names:
        for leaf, values in _leaves(name, table.column(name)):
            hits = _hits(leaf, values, traces)
            if hits:
                found.setdefault(name, []).extend(hits)
    return found


def _leaves(name: str, column: Any) -> Iterator[tuple[str, Any]]:
    """The columns of text within a column, with the name of the innermost field."""
    import pyarrow as pa

    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        kind = chunk.type
        if pa.types.is_map(kind):
            yield from _leaves(name, chunk.keys)
            yield from _leaves(name, chunk.items)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            yield from _leaves(name, chunk.flatten())
        elif pa.types.is_struct(kind):
            for place in range(kind.num_fields):
                yield from _leaves(kind.field(place).name, chunk.field(place))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            yield name, chunk


def _hits(name: str, values: Any, traces: Traces) -> list[str]:
    exact = name == "customer_id"
    told = {_text(value) for value in _candidates(values, traces) if value is not None}
    return sorted(each for each in told if traces.found(each) or (exact and each == traces.customer_id))


def _candidates(values: Any, traces: Traces) -> list[Any]:
    """Values in which the letters of a trace begin: they lie one after another in memory, and are searched as one."""
    import numpy as np
    import pyarrow as pa

    _, ends, held = values.buffers()
    if held is None:
        return []
    letters = bytes(held).lower()
    kind = np.int64 if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type) else np.int32
    starts = np.frombuffer(ends, kind)[values.offset : values.offset + len(values) + 1]
    found = {match.start() for form in traces.letters for match in re.finditer(re.escape(form), letters)}
    rows = np.unique(np.searchsorted(starts, sorted(found), "right") - 1)
    return [values[int(row)].as_py() for row in rows if 0 <= row < len(values)]


def _in_sqlite(file: Path, traces: Traces) -> bool:
    """Whether a value of an SQLite database names the customer; what its log holds is read with it."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        connection.text_factory = bytes
        for table, columns in tables(connection).items():
            for row in connection.execute(f"SELECT * FROM {quoted(table)}"):
                named = dict(zip(columns, row, strict=False))
                own = named.get("customer_id")
                if isinstance(own, bytes) and _text(own) == traces.customer_id:
                    return True
                if any(isinstance(value, bytes) and traces.found(_text(unpacked(value))) for value in row):
                    return True
        return False
    finally:
        connection.close()


def tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The tables of an SQLite database with their columns."""
    listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = [_text(name) for (name,) in listed.fetchall()]
    return {name: [_text(row[1]) for row in connection.execute(f"PRAGMA table_info({quoted(name)})")] for name in names}


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def unpacked(value: bytes) -> bytes:
    """What a value holds, unpacked where it is packed."""
    if value[:1] == b"x":
        try:
            return zlib.decompress(value)
        except zlib.error:
            return value
    return value


def _in_mail(content: bytes, traces: Traces) -> bool:
    """Whether a mail names the customer, in a header, a part, or the link that its reader unsubscribes by."""
    mail = BytesParser(policy=email.policy.default).parsebytes(content)
    for part in mail.walk():
        headers = "\n".join(f"{name}: {value}" for name, value in part.items())
        payload = None if part.is_multipart() else part.get_payload(decode=True)
        body = payload if isinstance(payload, bytes) else b""
        told = "\n".join((headers, _text(body), *_decoded(headers.encode()), *_decoded(body)))
        if traces.found(told):
            return True
    return False


def _decoded(content: bytes) -> Iterator[str]:
    """What stands coded in a text."""
    for coded in _CODED.findall(content.replace(b"\r\n ", b"")):
        for text in (coded, *coded.split(b"/")):
            plain = text.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            try:
                yield _text(base64.b64decode(plain + b"=" * (-len(plain) % 4)))
            except ValueError:
                continue


def _in_stream(content: io.BufferedIOBase | gzip.GzipFile, traces: Traces) -> bool:
    kept = b""
    while chunk := content.read(CHUNK):
        if traces.found(_text(kept + chunk)):
            return True
        kept = chunk[-OVERLAP:]
    return False


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
