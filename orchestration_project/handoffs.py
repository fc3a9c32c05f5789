"""Handoffs: reads what the lake has of customers on a scan day, for the chains that are made of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from orchestration_project import escalations
from orchestration_project.chains import PLAN, RESULTS, Scan, chain
from orchestration_project.contracts.handoff import Envelope, HandoffError
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.domain.rules import RHYTHM_DAYS
from orchestration_project.lake import Lake
from orchestration_project.partitions import month_key, months_between
from orchestration_project.sources.collected import PARTS
from orchestration_project.sources.ingest import QUARANTINE, UNDATED

RunIds = Callable[[Sequence[str]], Mapping[str, str]]
"""The run that wrote the day of each of some tables, where that is known."""
UNTOLD = ("scan_day", "facts", "kind_rates_30d", "kind_rates_prior_60d")
"""Columns that no handoff tells of; the facts of a text are those of the handoffs before it."""
NOBODY = ""
"""Stands for the customer of rows that name none, so that they can be joined."""


class Handoffs:
    """The handoffs of a workflow on one scan day, derived anew with each look."""

    def __init__(self, lake: Lake, workflow: Manifest, day: date, run_ids: RunIds = lambda _: {}) -> None:
        self._lake, self._workflow, self._key = lake, workflow, day.isoformat()
        outputs = _outputs(workflow)
        self._tables = [name for name in outputs if name == outputs[0] or self._key in lake.partitions(name)]
        written = {name: lake.written_at(name, self._key, "scan_day") for name in self._tables}
        self._scan = Scan(workflow, day, written, self._rules_version(), run_ids(self._tables))

    def of(self, customer: str) -> list[Envelope]:
        """The handoffs of one customer; none where nothing is known of it on that day."""
        return self.among([customer]).get(customer, [])

    def among(self, customers: Sequence[str]) -> dict[str, list[Envelope]]:
        """The handoffs of some customers; nobody of whom nothing is known."""
        rows = self._lake.engine.rows(self._facts(customers))
        return {facts["customer_id"]: self._chain(facts) for facts in rows}

    def each(self) -> Iterator[Envelope]:
        """The handoffs of all customers, in their order; what names no customer comes first."""
        for rows in self._lake.engine.batches(self._facts()):
            for facts in rows:
                yield from self._chain(facts)

    def _chain(self, facts: dict[str, Any]) -> list[Envelope]:
        return chain({**facts, "customer_id": facts["customer_id"] or None}, self._scan)

    def _rules_version(self) -> str | None:
        if self._key not in self._lake.partitions("risk_factors"):
            return None
        factors = self._lake.read("risk_factors", [self._key], "scan_day")
        version: str | None = self._lake.engine.value(factors.rules_version.max())
        return version

    def _facts(self, customers: Sequence[str] | None = None) -> ir.Table:
        """One row per customer, of all or of some, as `chain` wants them."""
        planned = [PLAN] if self._key in self._lake.partitions(PLAN) else []
        tables = [*self._tables, *planned]
        parts = {name: _as_structs(self._lake.read(name, [self._key], "scan_day"), name) for name in tables}
        parts |= {escalations.TABLE: self._escalations(), QUARANTINE: self._quarantine()}
        wanted = {
            name: part if customers is None else part.filter(part.customer_id.isin(customers))
            for name, part in parts.items()
            if part is not None
        }
        people = ibis.union(*(part.select("customer_id") for part in wanted.values()), distinct=True)
        for part in wanted.values():
            people = people.left_join(part, "customer_id").drop("customer_id_right")
        return people.order_by("customer_id")

    def _escalations(self) -> ir.Table | None:
        """Per customer, the escalations of the workflow that are about a source, or about a table on the day."""
        days = {f"{name}.{self._key}" for name in self._tables}
        keys = [key for key in self._lake.partitions(escalations.TABLE)
                if key in days or key.partition(".")[0] in PARTS]  # fmt: skip
        if not keys:
            return None
        items = self._lake.read(escalations.TABLE, keys, "about")
        cases = items.filter(items.workflow == self._workflow.workflow).unnest("customers")
        own = cases.mutate(customer_id=cases.customers.customer_id, attempts=cases.customers.attempts)
        return _as_lists(own.drop("customers", "workflow"), escalations.TABLE)

    def _quarantine(self) -> ir.Table | None:
        """Per customer, sources and reasons with the number of their rows, of months that the day may look back on."""
        if all(role.agent != "collector" for role in self._workflow.roles.values()):
            return None
        day = self._scan.day
        months = {month_key(month) for month in months_between(day - timedelta(RHYTHM_DAYS), day)}
        keys = [key for key in self._lake.partitions(QUARANTINE) if key.partition(".")[2] in {"", UNDATED, *months}]
        counts = self._lake.counts(QUARANTINE, keys, "source")
        parts = [self._quarantined(key) for key in keys if counts[key]]
        return _as_lists(ibis.union(*parts), QUARANTINE) if parts else None

    def _quarantined(self, source: str) -> ir.Table:
        rows = self._lake.read(QUARANTINE, [source], "source")
        # Months that were read by an earlier release do not name the customer.
        named = rows.customer_id if "customer_id" in rows.columns else ibis.null("string")
        rows = rows.mutate(customer_id=ibis.coalesce(named, NOBODY), source=ibis.literal(source))
        at = self._lake.written_at(QUARANTINE, source, "source").astimezone(UTC).replace(tzinfo=None)
        grouped = rows.group_by("customer_id", "source", "reason").agg(rows=rows.rows.sum())
        return grouped.mutate(written_at=ibis.timestamp(at.isoformat(sep=" ")))


def _outputs(workflow: Manifest) -> list[str]:
    """The tables that the steps write, that of the first step first."""
    others = (role.output for role in workflow.roles.values())
    outputs = list(dict.fromkeys([workflow.roles[workflow.first].output, *others]))
    unknown = [table for table in outputs if table not in RESULTS]
    if unknown:
        raise HandoffError(
            f"Workflow {workflow.workflow} writes {', '.join(unknown)}, which has no handoffs per scan day; name "
            "another workflow with --workflow."
        )
    return outputs


def _as_structs(rows: ir.Table, name: str) -> ir.Table:
    """Each row as one value called `name`."""
    return rows.select("customer_id", **{name: _struct(rows)})


def _as_lists(rows: ir.Table, name: str) -> ir.Table:
    """All rows of a customer as one list called `name`."""
    rows = rows.mutate(customer_id=rows.customer_id.fill_null(NOBODY))
    return rows.group_by("customer_id").agg(**{name: _struct(rows).collect()})


def _struct(rows: ir.Table) -> ir.StructValue:
    return ibis.struct({name: rows[name] for name in rows.columns if name not in ("customer_id", *UNTOLD)})
