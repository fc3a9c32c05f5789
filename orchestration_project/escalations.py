"""Escalations: what a person is asked to look into; one item per step, reason and scan, however many cases it has."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.lake import Lake

TABLE = "escalations"
MOST_REASONS = 20
"""Reasons of one class that get an item each; a server that words every failure differently gets one for the rest."""
OTHER = "various other reasons"


@dataclass(frozen=True)
class Case:
    """One customer for whom a step failed."""

    customer_id: str | None
    error_class: str
    reason: str
    attempts: str | None = None
    """The attempts as JSON, where there were any."""


def escalate(
    about: str, step: str, cases: Sequence[Case], lake: Lake, manifest: Manifest, now: datetime
) -> list[dict[str, Any]]:
    """Replaces the items about a source or a scan (`risk_scores.2026-11-22`) by those of `cases`, and returns them.

    An item that is still about the same keeps its time and deadline. `now` is an aware time.
    """
    known = about in lake.partitions(TABLE)
    if not cases and not known:
        return []
    earlier = {row["key"]: row for row in lake.engine.rows(lake.read(TABLE, [about], "about"))} if known else {}
    items = [
        _item(about, step, error_class, reason, group, manifest, now, earlier)
        for (error_class, reason), group in _grouped(cases).items()
    ]
    types = {column.name: column.type for column in LAKE_TABLES[TABLE] if column.name != "about"}
    rows = lake.engine.keep(ibis.memtable([{name: item[name] for name in types} for item in items], schema=types))
    lake.replace(TABLE, rows.mutate(about=ibis.literal(about)), [about], "about")
    return items


def open_items(lake: Lake) -> list[dict[str, Any]]:
    """All items, the most urgent first."""
    if not lake.partitions(TABLE):
        return []
    table = lake.read(TABLE)
    return lake.engine.rows(table.order_by("deadline", "about", "reason"))


def _grouped(cases: Iterable[Case]) -> Mapping[tuple[str, str], list[Case]]:
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    kinds: dict[str, int] = defaultdict(int)
    for case in cases:
        key = (case.error_class, case.reason)
        if key not in groups:
            kinds[case.error_class] += 1
        if key not in groups and kinds[case.error_class] > MOST_REASONS:
            key = (case.error_class, OTHER)
        groups[key].append(case)
    return groups


def _item(
    about: str,
    step: str,
    error_class: str,
    reason: str,
    cases: Sequence[Case],
    manifest: Manifest,
    now: datetime,
    earlier: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    key = hashlib.sha256("\n".join((manifest.workflow, about, step, error_class, reason)).encode()).hexdigest()[:24]
    raised = earlier[key]["raised_at"] if key in earlier else now.astimezone(UTC).replace(tzinfo=None)
    to = manifest.escalation
    return {
        "key": key, "workflow": manifest.workflow, "step": step, "error_class": error_class, "reason": reason,
        "pathway": getattr(manifest.handling, error_class), "cases": len(cases),
        "customers": [{"customer_id": case.customer_id, "attempts": case.attempts} for case in cases],
        "queue": to.queue, "owner": to.owner, "raised_at": raised,
        "deadline": raised + timedelta(hours=to.deadline_hours),
        "expires_at": raised + timedelta(days=to.expires_after_days), "about": about,
    }  # fmt: skip
