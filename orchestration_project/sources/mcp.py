"""MCP: tables that tools list, page by page, of all customers or customer by customer."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import anyio
import ibis.expr.types as ir
import pyarrow as pa

from orchestration_project.agents.errors import InvalidData, UnexpectedOutput
from orchestration_project.agents.replies import Replies, asked, forget
from orchestration_project.agents.runtime import CallFailed, Counts, Limits, Runtime
from orchestration_project.agents.servers import ToolServer
from orchestration_project.agents.tools import Tools
from orchestration_project.contracts.manifest import Manifest, Role
from orchestration_project.contracts.tables import Table
from orchestration_project.domain.tombstones import NOBODY, Tombstones
from orchestration_project.engine import Engine
from orchestration_project.sources.config import McpSource
from orchestration_project.sources.connector import RawRows
from orchestration_project.sources.errors import SourceError

RESUME_SECONDS = 6 * 3600.0
"""Age at which replies that a killed run left are too old to go on from."""
MOST_PAGES = 10_000
ALL = ""
"""Stands for the customer where a tool lists the rows of all."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Collector:
    """The agent that calls: what it may call, within what limits, and where it keeps what was answered so far."""

    name: str
    role: Role
    retry: bool
    servers: Mapping[str, ToolServer]
    kept: Path
    log: Callable[[str], None] = lambda _: None

    @classmethod
    def of(
        cls, manifest: Manifest, servers: Mapping[str, ToolServer], kept: Path, log: Callable[[str], None]
    ) -> "Collector":
        """The collector of a workflow."""
        name = manifest.step("collector")
        return cls(name, manifest.roles[name], manifest.handling.tool_failure == "retry", servers, kept, log)

    @property
    def allowed(self) -> frozenset[str]:
        """The tools that it may call."""
        return frozenset(self.role.tools)


class Mcp:
    """One canonical table behind a tool."""

    def __init__(
        self,
        table: Table,
        source: McpSource,
        collector: Collector,
        engine: Engine,
        customers: Callable[[], Sequence[str]],
        between: tuple[date, date] | None = None,
        erased: Tombstones = NOBODY,
    ) -> None:
        self._table, self._source, self._collector, self._engine = table, source, collector, engine
        self._customers, self._between, self._erased = customers, between, erased
        self._left_out = 0
        self._limits = Limits.of(collector.role, collector.retry)

    def rows(self) -> RawRows:
        """All rows that could be had; customers whose rows could not be had are told as missing."""
        return self._read

    def collect(self, expression: ir.Table) -> ir.Table:
        """The rows are in the engine already."""
        return self._engine.keep(expression)

    def fingerprint(self) -> str:
        """A hash of the first page; nothing can be told of tools that list customer by customer."""
        if self._source.per_customer:
            return "customer by customer"
        first: list[Row] = []
        _, failed, _ = self._run(["all"], lambda runtime, tools, _: self._pages(runtime, tools, ALL, first, most=1))
        if failed:
            raise self._refused(failed["all"])
        return asked(rows=first)

    @cached_property
    def _read(self) -> RawRows:
        customers = list(self._customers()) if self._source.per_customer else [ALL]
        rows: list[Row] = []
        file = self._collector.kept / f"{self._table.name}.db"
        if file.exists() and time.time() - file.stat().st_mtime > RESUME_SECONDS:
            forget(file)
        with Replies(file) as replies:
            done, failed, counts = self._run(
                customers, lambda runtime, tools, customer: self._pages(runtime, tools, customer, rows), replies
            )
        if ALL in failed:
            raise self._refused(failed[ALL])
        human = next((error for error in failed.values() if error.error.error_class == "human_needed"), None)
        if human and not done:
            raise self._refused(human)
        figures = _figures(counts, len(customers), len(failed))
        table = self._engine.arrow(_texts(rows, self._names))
        missing = failed if self._source.per_customer else None
        return RawRows(table, (), True, missing, figures, self._left_out, lambda: forget(file))

    def _run(
        self, customers: Sequence[str], work: Callable[[Runtime, Tools, str], Any], replies: Replies | None = None
    ) -> tuple[int, dict[str, CallFailed], Counts]:
        """How many customers were done, those that failed, and what it took."""
        runtime = Runtime(self._limits, replies)

        async def run() -> dict[str, Any]:
            async with Tools(self._collector.servers, self._collector.allowed, self._collector.name) as tools:
                return await runtime.each(customers, lambda customer: work(runtime, tools, customer), self._tell)

        outcomes = anyio.run(run)
        failed = {customer: each for customer, each in outcomes.items() if isinstance(each, CallFailed)}
        return len(outcomes) - len(failed), failed, runtime.counts

    async def _pages(
        self, runtime: Runtime, tools: Tools, customer: str, rows: list[Row], most: int = MOST_PAGES
    ) -> None:
        """Adds one customer's rows, all or none."""
        found: list[Row] = []
        left_out = 0
        arguments = self._arguments(customer)
        seen: set[str] = set()
        for _ in range(most):
            key = asked(server=self._source.server, tool=self._source.tool, arguments=arguments)
            ask = partial(self._page, tools, customer, arguments)
            reply = await runtime.call(key, self._source.server, ask, customer or None)
            found += reply.value["rows"]
            left_out += reply.value.get("erased", 0)
            following = reply.value["following"]
            if following is None:
                break
            if following in seen:
                raise CallFailed(UnexpectedOutput(f"{self._tool} tells the same next page twice"), reply.attempts)
            seen.add(following)
            arguments = {**arguments, self._source.cursor: following}
        else:
            if most == MOST_PAGES:
                raise CallFailed(InvalidData(f"{self._tool} has more than {MOST_PAGES:,} pages"), ())
        rows += found
        self._left_out += left_out

    async def _page(self, tools: Tools, customer: str, arguments: Row) -> Row:
        told = await tools.call(self._source.server, self._source.tool, arguments)
        items, following = told.get(self._source.items), told.get(self._source.next_cursor)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnexpectedOutput(f"{self._tool} answered without a list of rows under `{self._source.items}`")
        if following is not None and not isinstance(following, str | int):
            raise UnexpectedOutput(f"{self._tool} answered with a `{self._source.next_cursor}` that is no text")
        rows = [_flat(item) for item in items]
        if customer:
            self._own(rows, customer)
        told = {"following": None if following in (None, "") else str(following)}
        # Replies are kept on disk, so who was erased is left out before.
        kept = [row for row in rows if not self._of_erased(row)] if self._erased else rows
        return told | {"rows": kept, "erased": len(rows) - len(kept)}

    def _of_erased(self, row: Row) -> bool:
        name = self._source.columns.get("customer_id", "customer_id")
        return str(row.get(name)).strip() in self._erased

    def _own(self, rows: list[Row], customer: str) -> None:
        """Each row says whose it is, and it is the customer's who was asked for."""
        name = self._source.columns.get("customer_id", "customer_id")
        for row in rows:
            if str(row.setdefault(name, customer)) != customer:
                raise UnexpectedOutput(f"{self._tool} answered with rows of another customer")

    def _arguments(self, customer: str) -> Row:
        arguments: Row = dict(self._source.arguments)
        if self._source.per_customer:
            arguments[self._source.per_customer] = customer
        if self._between:
            days = zip((self._source.since, self._source.until), self._between, strict=True)
            arguments |= {name: day.isoformat() for name, day in days if name}
        return arguments

    @property
    def _names(self) -> list[str]:
        return [self._source.columns.get(name, name) for name in self._table.names]

    @property
    def _tool(self) -> str:
        return f"{self._source.server}.{self._source.tool}"

    def _tell(self, done: int, of: int, failed: int) -> None:
        if of > 1 and (done == of or done % max(1, of // 10) == 0):
            self._collector.log(f"{self._table.name}: {done:,} of {of:,} customers collected, {failed:,} failed")

    def _refused(self, failed: CallFailed) -> SourceError:
        tries = f" after {len(failed.attempts)} attempts" if len(failed.attempts) > 1 else ""
        return SourceError(f"{self._table.name} could not be collected{tries}: {failed.error}.")


def _flat(item: Row, prefix: str = "") -> Row:
    """Nested objects as columns with dots: `{"contact": {"email": ...}}` has the column `contact.email`."""
    flat: Row = {}
    for name, value in item.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _texts(rows: list[Row], otherwise: list[str]) -> pa.Table:
    """Rows as texts, which the contract of the table then reads, as it does those of a CSV file."""
    names = sorted({name for row in rows for name in row}) or otherwise
    columns = {name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names}
    return pa.table(columns)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _figures(counts: Counts, customers: int, failed: int) -> Mapping[str, float]:
    taken = sorted(counts.seconds)
    return {
        "tool calls": counts.calls, "calls made again": counts.again, "replies from an earlier run": counts.remembered,
        "asked for": customers, "not collected": failed,
        "median call ms": round(1000 * taken[len(taken) // 2], 1) if taken else 0,
        "slow call ms (95 %)": round(1000 * taken[int(len(taken) * 0.95)], 1) if taken else 0,
    }  # fmt: skip
