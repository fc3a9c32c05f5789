"""Writer: Parquet files of bounded memory, and a folder that appears whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_BUFFERED_ROWS = 1_000_000


class TableWriter:
    """Appends to one file at a time; a new file name closes the one before."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True)
        self._folder = folder
        self._name = ""
        self._file: pq.ParquetWriter | None = None
        self._buffer: list[pa.Table] = []

    def add(self, name: str, rows: pa.Table) -> None:
        """Append rows to the file of that name."""
        if name != self._name:
            self.close()
            # Without the Arrow schema a reader sees plain strings where the writer holds dictionaries.
            self._file = pq.ParquetWriter(self._folder / f"{name}.parquet", rows.schema, store_schema=False)
            self._name = name
        self._buffer.append(rows)
        if sum(part.num_rows for part in self._buffer) >= _BUFFERED_ROWS:
            self._flush()

    def close(self) -> None:
        """Finish the current file."""
        if self._file is not None:
            self._flush()
            self._file.close()
            self._file = None

    def _flush(self) -> None:
        if self._file is not None and self._buffer:
            self._file.write_table(pa.concat_tables(self._buffer))
            self._buffer.clear()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place once everything in it has been written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging, old = (folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.{role}") for role in ("new", "old"))
    try:
        staging.mkdir()
        yield staging
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
