"""Files: CSV, JSON Lines and Parquet, on this machine or behind any fsspec URL."""

import codecs
import glob
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project.engine import DataError, Engine, readable
from orchestration_project.sources.config import FilesSource
from orchestration_project.sources.connector import RawRows
from orchestration_project.sources.errors import EmptyFile, NoFile, SourceError

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


class Files:
    """One canonical table in one or more files of the same format."""

    def __init__(self, name: str, source: FilesSource, home: Path, engine: Engine) -> None:
        self._name, self._source, self._home, self._engine = name, source, home, engine

    def rows(self) -> RawRows:
        """The rows of all files; columns of CSV are text."""
        return self._rows

    @cached_property
    def _rows(self) -> RawRows:
        files = self._local()
        kind = self._source.format or FORMATS.get(Path(files[0]).suffix.lower())
        empty = next((file for file in files if Path(file).stat().st_size == 0), None)
        if empty:
            raise EmptyFile(self._name, empty)
        if kind == "parquet":
            return RawRows(self._engine.parquet_by_name(files))
        if kind == "csv":
            read = [self._engine.delimited(file, self._source.encoding or _encoding(file)) for file in files]
        elif kind == "jsonl":
            read = [self._engine.json_lines(file) for file in files]
        else:
            raise SourceError(
                f"{self._name}: {files[0]} has an ending that says no format; add `tables.{self._name}.format`: "
                "csv, jsonl or parquet."
            )
        rejected = [
            f"{Path(file).name}: {line}" for file, (_, lines) in zip(files, read, strict=True) for line in lines
        ]
        return RawRows(_together([table for table, _ in read]), rejected)

    def collect(self, expression: ir.Table) -> ir.Table:
        """Files are read by the engine itself."""
        try:
            return self._engine.keep(expression)
        except DataError as error:
            path = self._source.path
            raise SourceError(f"{self._name}: {path} is broken. {error}") from error

    def fingerprint(self) -> str:
        """Names, sizes and times of change of all files."""
        if "://" in self._source.path:
            filesystem, found = self._remote()
            return ";".join(f"{name}:{filesystem.ukey(name)}" for name in found)
        stats = ((file, Path(file).stat()) for file in self._local())
        return ";".join(f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in stats)

    def _local(self) -> list[str]:
        path = self._source.path
        if "://" in path:
            return self._fetched()
        files = sorted(file for file in glob.glob(str(self._home / path), recursive=True) if Path(file).is_file())  # noqa: PTH207
        if not files:
            raise NoFile(self._name, str(self._home / path))
        return files

    def _remote(self) -> tuple[Any, list[str]]:
        """The file system behind the URL, and the names of the files that it has there."""
        import fsspec

        url = self._source.path
        try:
            filesystem, pattern = fsspec.core.url_to_fs(url)
            filesystem.invalidate_cache()
            found = sorted(filesystem.glob(pattern))
        except (OSError, ImportError, ValueError) as error:
            raise self._unreachable(error) from error
        if not found:
            raise NoFile(self._name, url)
        return filesystem, found

    def _fetched(self) -> list[str]:
        import fsspec

        protocol = self._source.path.partition("://")[0]
        _, found = self._remote()
        prefix = "" if protocol == "file" else "simplecache::"
        try:
            opened = fsspec.open_local([f"{prefix}{protocol}://{name}" for name in found])
        except (OSError, ImportError, ValueError) as error:
            raise self._unreachable(error) from error
        return [str(file) for file in opened]

    def _unreachable(self, error: Exception) -> SourceError:
        return SourceError(
            f"{self._name}: {self._source.path} can't be reached ({error}); check the URL and its credentials."
        )


def _together(tables: list[ir.Table]) -> ir.Table:
    """All rows of tables of text, matched by column name in any case; absent columns are null."""
    spelt: dict[str, str] = {}
    for name in (name for table in tables for name in table.columns):
        spelt.setdefault(name.lower(), name)
    parts = []
    for table in tables:
        own = {name.lower(): name for name in table.columns}
        parts.append(
            table.select(
                **{name: table[own[low]] if low in own else ibis.null("string") for low, name in spelt.items()}
            )
        )
    return ibis.union(*parts)


def _encoding(file: str) -> str:
    with readable(file), Path(file).open("rb") as content:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while block := content.read(1 << 20):
                decoder.decode(block)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"
