"""Lake: Hive-partitioned Parquet that any tool can read, replaced partition by partition, each atomically."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import ibis.expr.types as ir

from orchestration_project.engine import Engine, StrayRowsError

FILE = "part-0.parquet"
STAGING = ".staging"
LINK_ATTEMPTS = 100
ABANDONED_SECONDS = 86_400
"""Age at which what a killed run left in staging is removed."""


class LakeError(Exception):
    """A table or partition that is not there; names it and the command that makes it."""


class Lake:
    """Tables below one folder: `<table>/part-0.parquet`, or `<table>/<column>=<key>/part-0.parquet`."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self.engine = engine
        self._hold = folder / STAGING / uuid.uuid4().hex

    def has(self, table: str) -> bool:
        """Whether an unpartitioned table, or any partition of a partitioned one, is there."""
        return (self.folder / table / FILE).exists() or bool(self.partitions(table))

    def partitions(self, table: str) -> list[str]:
        """Keys of the partitions that are there, in order."""
        return sorted(file.parent.name.partition("=")[2] for file in (self.folder / table).glob(f"*=*/{FILE}"))

    def read(self, table: str, keys: Iterable[str] | None = None, column: str | None = None) -> ir.Table:
        """A table's rows: of the partitions `keys` of `column`, all of which must be there, or the whole table."""
        if column is None:
            files = self._all_files(table)
        else:
            wanted = list(keys or ())
            files = [self.folder / table / f"{column}={key}" / FILE for key in wanted]
            absent = [key for key, file in zip(wanted, files, strict=True) if not file.exists()]
            if not files:
                raise LakeError(_not_there(table, f"any {column}"))
            if absent:
                span = absent[0] if len(absent) == 1 else f"{absent[0]} to {absent[-1]}"
                raise LakeError(_not_there(table, f"{column} {span}"))
        return self.engine.parquet(self._held(files), hive=files[0].parent.name != table)

    def close(self) -> None:
        """Lets go of the files that were read."""
        shutil.rmtree(self._hold, ignore_errors=True)

    def replace(
        self,
        table: str,
        rows: ir.Table,
        keys: Sequence[str] | None = None,
        column: str | None = None,
        passing: Callable[[ir.Table], ir.Table] | None = None,
    ) -> None:
        """Replaces a table, or its partitions `keys`, by `rows`; keys without rows become empty partitions.

        Each partition is whole at any moment: the old one, then the new one. Rows of other keys are an error. `passing`
        is shown the rows of partitions once they are computed, and tells which of them to replace the old ones by.
        """
        with self._staging() as staged:
            if column is None:
                self.engine.write(rows, staged / FILE)
                _move(staged / FILE, self.folder / table / FILE)
                return
            written = self._written(table, rows, keys or (), column, staged / table)
            files = [file for folder in written.values() for file in sorted(folder.glob("*.parquet"))]
            if passing and files:
                computed = self.engine.parquet(files, hive=True)
                if (passed := passing(computed)) is not computed:
                    self.replace(table, passed, keys, column)
                    return
            for key in keys or ():
                source = self._single(written[key]) if key in written else self._empty(rows.drop(column), staged)
                _move(source, self.folder / table / f"{column}={key}" / FILE)

    def _written(self, table: str, rows: ir.Table, keys: Sequence[str], column: str, target: Path) -> dict[str, Path]:
        """Folders of the partitions that have rows, by key."""
        if len(keys) == 1:
            folder = target / f"{column}={keys[0]}"
            folder.mkdir(parents=True)
            self._write_one(table, rows, column, keys[0], folder / FILE)
            return {keys[0]: folder}
        self.engine.write(rows, target, partition=column)
        written = {folder.name.partition("=")[2]: folder for folder in target.glob(f"{column}=*")}
        if unexpected := sorted(written.keys() - set(keys)):
            raise LakeError(_stray(table, unexpected[:3]))
        return written

    def _write_one(self, table: str, rows: ir.Table, column: str, key: str, file: Path) -> None:
        """One partition's file; for DuckDB that is much less work than to sort rows into folders."""
        try:
            self.engine.write_only(rows, column, key, file)
        except StrayRowsError as error:
            raise LakeError(_stray(table, [str(error)])) from error

    def everything(self) -> Iterator[tuple[str, str | None, str | None, Path]]:
        """Every file: its table, and the column and key of its partition where the table has any."""
        for file in sorted(self.folder.glob(f"*/{FILE}")) + sorted(self.folder.glob(f"*/*=*/{FILE}")):
            column, _, key = file.parent.name.partition("=")
            if STAGING not in file.parts:
                yield (file.parent.name, None, None, file) if not key else (file.parent.parent.name, column, key, file)

    def remove_partitions(self, table: str, keys: Iterable[str], column: str) -> None:
        """Removes partitions whose term is over."""
        for key in keys:
            shutil.rmtree(self.folder / table / f"{column}={key}", ignore_errors=True)

    def clear_staging(self) -> None:
        """Removes what killed runs left; only for who has the home to themselves."""
        for left in (self.folder / STAGING).glob("*"):
            if left != self._hold:
                shutil.rmtree(left, ignore_errors=True)

    def remove(self, table: str) -> None:
        """Removes a table whose source is no longer connected."""
        shutil.rmtree(self.folder / table, ignore_errors=True)

    def counts(self, table: str, keys: Iterable[str], column: str) -> dict[str, int]:
        """Rows of each partition, as its file says."""
        import pyarrow.parquet

        files = {key: self.folder / table / f"{column}={key}" / FILE for key in keys}
        return {key: pyarrow.parquet.read_metadata(file).num_rows for key, file in files.items()}

    def shapes(self, table: str, keys: Iterable[str], column: str) -> list[str]:
        """A key for each set of columns and types that partitions have; one, where all are alike."""
        import pyarrow.parquet

        files = {key: self.folder / table / f"{column}={key}" / FILE for key in keys}
        found: dict[str, str] = {}
        for key, file in files.items():
            found.setdefault(str(pyarrow.parquet.read_schema(file).remove_metadata()), key)
        return list(found.values())

    def written_at(self, table: str, key: str, column: str) -> datetime:
        """When a partition was written, aware, in UTC."""
        file = self.folder / table / f"{column}={key}" / FILE
        if not file.exists():
            raise LakeError(_not_there(table, f"{column} {key}"))
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)

    def size(self, table: str) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in (self.folder / table).rglob("*.parquet"))

    def _held(self, files: Sequence[Path]) -> list[Path]:
        """The files under names of our own: DuckDB opens a file more than once, and all times must find the same."""
        held = self._hold / uuid.uuid4().hex
        return [_linked(file, held / file.relative_to(self.folder)) for file in files]

    def _all_files(self, table: str) -> list[Path]:
        single = self.folder / table / FILE
        files = [single] if single.exists() else sorted((self.folder / table).glob(f"*=*/{FILE}"))
        if not files:
            raise LakeError(_not_there(table, "any row"))
        return files

    def _single(self, folder: Path) -> Path:
        files = sorted(folder.glob("*.parquet"))
        if len(files) == 1:
            return files[0]
        merged = folder / "merged.parquet"
        self.engine.write(self.engine.parquet(files), merged)
        return merged

    def _empty(self, rows: ir.Table, staged: Path) -> Path:
        file = staged / f"{uuid.uuid4().hex}.parquet"
        self.engine.write(rows.limit(0), file)
        return file

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        root = self.folder / STAGING
        staged = root / uuid.uuid4().hex
        staged.mkdir(parents=True)
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            _remove_abandoned(root)


def _linked(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(LINK_ATTEMPTS):
        try:
            target.hardlink_to(source)
        except FileNotFoundError:
            # The name was taken over by a new file in this very moment.
            continue
        except OSError:
            shutil.copyfile(source, target)
        return target
    raise LakeError(f"{source} is replaced faster than it can be read; stop one of the runs that write it.")


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _remove_abandoned(root: Path) -> None:
    for folder in root.iterdir():
        try:
            if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            continue


def _stray(table: str, keys: list[str]) -> str:
    return f"{table} was to be written for other partitions than {keys}; this is a bug."


def _not_there(table: str, what: str) -> str:
    command = "orchestrate backfill" if table not in ("customers", "usage_daily") else "orchestrate scan"
    return f"The lake has no {table} for {what}; run `{command}` for it first."
