"""What tests of sources share: a home to put source tables into, and a PostgreSQL server."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration_project.domain.tombstones import pseudonym
from orchestration_project.engine import Engine
from orchestration_project.resources import Tombstone, Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.check import TableCheck, check_sources
from orchestration_project.sources.config import load_sources
from orchestration_project.sources.connector import Connector
from orchestration_project.sources.ingest import Ingested, ingest, ingest_usage
from orchestration_project.sources.open import open_table

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
CUSTOMERS = "customer_id,signed_up_at,churned_at\nC1,2025-01-01,\nC2,2025-06-01,2026-06-30\n"


@dataclass
class SourceHome:
    """A home whose sources a test writes; C1 is a customer since 2025, C2 was one until June 2026."""

    path: Path
    engine: Engine
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW

    def connect(self, name: str, **source: Any) -> None:
        """Says in sources.yaml where a table comes from."""
        self.tables[name] = source
        (self.path / "sources.yaml").write_text(yaml.safe_dump({"tables": self.tables}), encoding="utf-8")

    def csv(self, name: str, content: str | bytes, **options: Any) -> Path:
        """Writes a table as CSV and connects it."""
        file = self.path / f"{name}.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.connect(name, connector="files", path=file.name, **options)
        return file

    def jsonl(self, name: str, rows: Sequence[dict[str, Any] | str], **options: Any) -> None:
        """Writes rows, or lines as they are, as JSON Lines and connects them."""
        lines = [row if isinstance(row, str) else json.dumps(row, default=str) for row in rows]
        (self.path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.connect(name, connector="files", path=f"{name}.jsonl", **options)

    def parquet(self, name: str, rows: Sequence[dict[str, Any]] | pa.Table, **options: Any) -> Path:
        """Writes rows as Parquet and connects them."""
        file = self.path / f"{name}.parquet"
        pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows)), file)
        self.connect(name, connector="files", path=file.name, **options)
        return file

    @property
    def workspace(self) -> Workspace:
        """The workspace of this home, with the time stopped."""
        (self.path / "settings.yaml").write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        return Workspace(Home(self.path), lambda: self.now)

    def connector(self, name: str) -> Connector:
        """The connector of a table."""
        sources = load_sources(Home(self.path))
        return open_table(name, sources, self.workspace, self.engine)

    def ingest(self, name: str) -> Ingested:
        """Ingests a table, checked against the customers where it is another."""
        source = load_sources(Home(self.path)).tables[name]
        customers = None if name == "customers" else self.customers
        return ingest(
            name, self.connector(name), source, self.engine, NOW.date(), 6, customers, self.workspace.erased()
        )

    def usage(self, first: date = date(2020, 1, 1), after: date = date(2027, 1, 1), undated: bool = True) -> Ingested:
        """Ingests the usage of a span of days."""
        source = load_sources(Home(self.path)).tables["usage_events"]
        connector = self.connector("usage_events")
        span, erased = (first, after, undated), self.workspace.erased()
        return ingest_usage(connector, source, self.engine, NOW.date(), 6, self.customers, *span, erased)

    def erase(self, *customers: str) -> None:
        """Notes that customers were erased."""
        for customer in customers:
            tombstone = Tombstone(salt="salt", pseudonym=pseudonym("salt", customer), at=self.now)
            self.workspace.record_erased(tombstone)

    @cached_property
    def customers(self) -> ir.Table:
        """The customers, as first asked for."""
        return self.ingest("customers").table

    def rows(self, ingested: Ingested, *columns: str) -> list[tuple[Any, ...]]:
        """Some columns of what was kept, in order."""
        return sorted(
            (tuple(row[column] for column in columns) for row in self.engine.rows(ingested.table.select(*columns))),
            key=repr,
        )

    def quarantined(self, ingested: Ingested) -> list[tuple[str, str]]:
        """Reason and original of what was not kept, in order."""
        return sorted((row["reason"], row["original"]) for row in self.engine.rows(ingested.quarantine))

    def checks(self) -> dict[str, TableCheck]:
        """The verdicts of `sources check`."""
        workspace = self.workspace
        with workspace.lake() as lake:
            return {verdict.table: verdict for verdict in check_sources(workspace, lake)}


@pytest.fixture(scope="session")
def make_home(engine: Engine) -> Callable[[Path], SourceHome]:
    """Makes a home with its two customers in a folder."""

    def make(folder: Path) -> SourceHome:
        made = SourceHome(folder, engine)
        made.csv("customers", CUSTOMERS)
        return made

    return make


@pytest.fixture
def home(tmp_path: Path, make_home: Callable[[Path], SourceHome], engine: Engine) -> Iterator[SourceHome]:
    with engine.scope():
        yield make_home(tmp_path)
