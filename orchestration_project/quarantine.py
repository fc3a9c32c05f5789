"""Quarantine: what a step reads and writes is held against its contract, and rows that break it are set aside.

They lie in the lake's table `quarantine` and are one escalation per reason and scan day; the rest goes on.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.steps import breach, keeps, require_columns
from orchestration_project.domain.days import DayRange
from orchestration_project.escalations import TABLE as ESCALATIONS
from orchestration_project.escalations import Case, escalate
from orchestration_project.lake import Lake
from orchestration_project.partitions import day_keys
from orchestration_project.resources import Workspace
from orchestration_project.sources.canonical import as_text
from orchestration_project.sources.ingest import QUARANTINE

GOVERNED_WITH = {"risk_factors": "risk_scores", "action_plan": "risk_scores"}
"""Tables that are no step's output by themselves, with the one whose step answers for them."""
FOUND = ("customer_id", "scan_day", "reason", "error_class")


class CheckedStep:
    """One step on some scan days: what it reads and what it writes, as far as that keeps its contract."""

    def __init__(self, days: DayRange, lake: Lake, workspace: Workspace) -> None:
        self._days, self._lake, self._workspace = days, lake, workspace
        self._read: dict[str, ir.Table] = {}
        self._aside: list[ir.Table] = []
        self.left_out: dict[date, int] = {}
        """Customers of each day who were left out; known once the step has written."""

    def read(self, table: str) -> ir.Table:
        """Rows that an earlier step wrote; `ContractError` where they are not such a table at all."""
        if table not in self._read:
            keys = day_keys(self._days)
            rows = self._lake.read(table, keys, "scan_day")
            for key in self._lake.shapes(table, keys, "scan_day"):
                alike = rows if len(keys) == 1 else self._lake.read(table, [key], "scan_day")
                require_columns(table, alike, f"materialize it again for {key}")
            self._read[table] = self._kept(table, rows, "missing_or_invalid_data")
        return self._read[table]

    def write(self, table: str, rows: ir.Table, cases: Sequence[Case] = ()) -> None:
        """Replaces the days of a table, and what is quarantined and escalated about them.

        `cases` are what else is to be escalated about the last day. `ContractError` where the rows are not such a table
        at all; everything stays as it was then.
        """
        require_columns(table, rows, "correct the step that writes it")
        self._lake.replace(
            table, rows, day_keys(self._days), "scan_day",
            passing=lambda computed: self._kept(table, computed, "unexpected_output"),
        )  # fmt: skip
        found = [row for each in self._aside for row in self._lake.engine.rows(each.select(*FOUND))]
        self._store(table, {row["scan_day"] for row in found})
        for day in self._days.dates:
            rows_of_day = [row for row in found if row["scan_day"] == day]
            names = [row["customer_id"] for row in rows_of_day]
            self.left_out[day] = len({*names} - {None}) + names.count(None)
            self._escalate(table, day, [*_cases(rows_of_day), *(cases if day == self._days.last else ())])

    def _kept(self, table: str, rows: ir.Table, error_class: str) -> ir.Table:
        """The rows that keep the contract; others are set aside."""
        good = keeps(table, rows)
        if not self._lake.engine.value((~good).sum()):
            return rows
        bad = rows.filter(~good)
        told = {"reason": breach(table, bad), "original": as_text(bad), "error_class": ibis.literal(error_class)}
        self._aside.append(self._lake.engine.keep(bad.select("customer_id", "scan_day", **told)))
        return rows.filter(good)

    def _store(self, table: str, bad: Collection[date]) -> None:
        """Replaces what is quarantined of the days, of which some have `bad` rows and some may have had."""
        known = self._lake.partitions(QUARANTINE)
        names = {f"{table}.{day}": day for day in self._days.dates}
        changed = [name for name, day in names.items() if day in bad or name in known]
        if not changed:
            return
        types = {column.name: column.type for column in LAKE_TABLES[QUARANTINE]}
        rows = [self._lake.engine.keep(ibis.memtable([], schema=types))]
        for each in self._aside:
            source = ibis.literal(f"{table}.") + each.scan_day.cast("string")
            one = ibis.literal(1, "int64")
            rows.append(each.select("reason", "original", rows=one, customer_id=each.customer_id, source=source))
        self._lake.replace(QUARANTINE, ibis.union(*rows) if self._aside else rows[0], changed, "source")

    def _escalate(self, table: str, day: date, cases: Sequence[Case]) -> None:
        about, workflow = f"{table}.{day}", self._workspace.workflow
        if cases or about in self._lake.partitions(ESCALATIONS):
            output = GOVERNED_WITH.get(table, table)
            step = next(name for name, role in workflow.roles.items() if role.output == output)
            escalate(about, step, cases, self._lake, workflow, self._workspace.now())


def _cases(rows: Sequence[dict[str, Any]]) -> list[Case]:
    return [Case(row["customer_id"], row["error_class"], row["reason"]) for row in rows]
