"""Connector: what every way of reaching a table has in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import ibis.expr.types as ir


@dataclass(frozen=True)
class RawRows:
    """A source table as its connector found it."""

    table: ir.Table
    """The rows, in the source's own columns: in the engine, or still where they live."""
    rejected: Sequence[str] = field(default_factory=tuple)
    """Lines that are no rows at all, each with its place and error."""
    in_engine: bool = True
    """False where the rows are still in a database."""


class Connector(Protocol):
    """Reaches one table of one source."""

    def rows(self) -> RawRows:
        """The whole table."""

    def collect(self, expression: ir.Table) -> ir.Table:
        """Computes an expression over `rows()` where the rows live and brings only its result into the engine."""

    def fingerprint(self) -> str:
        """A text that changes when the source's newest data moved on; cheap to ask for."""


def listed(values: Any) -> list[Any]:
    """A value or a list of values, as a list."""
    return list(values) if isinstance(values, list) else [values]
