"""Connector: what every way of reaching a table has in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import ibis.expr.types as ir

if TYPE_CHECKING:
    from orchestration_project.agents.runtime import CallFailed


@dataclass(frozen=True)
class RawRows:
    """A source table as its connector found it."""

    table: ir.Table
    """The rows, in the source's own columns: in the engine, or still where they live."""
    rejected: Sequence[str] = field(default_factory=tuple)
    """Lines that are no rows at all, each with its place and error."""
    in_engine: bool = True
    """False where the rows are still in a database."""
    missing: "Mapping[str, CallFailed] | None" = None
    """Customers whose rows could not be had, and why; None where rows are not asked for customer by customer."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What it took to read them, for people."""
    erased: int = 0
    """Rows of customers who were erased that were left out on the way."""
    finish: Callable[[], None] = lambda: None
    """To be called once the rows are safe in the lake: forgets what was kept in case of a crash."""


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
