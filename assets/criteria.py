"""Criteria: what a workflow's manifest asks of the assets that are its steps, as their owners and checks."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration_project.contracts.criteria import Criterion
from orchestration_project.contracts.manifest import Evaluation, Manifest, columns
from orchestration_project.domain.days import DayRange
from orchestration_project.partitions import day_keys

if TYPE_CHECKING:
    from orchestration_project.lake import Lake


TELLING = ("share complete", "least covered")
"""What an asset says of its newest day by which a person sees why a criterion failed."""


def owners(manifest: Manifest, table: str) -> list[str]:
    """Who answers for the step that writes a table."""
    return [manifest.governs(table).owner]


def described(manifest: Manifest, table: str, what: str) -> str:
    """What the step that writes a table is responsible for, and what the table is."""
    return f"{manifest.governs(table).responsibility} {what}"


def criterion_specs(manifest: Manifest, table: str) -> list[dg.AssetCheckSpec]:
    """A check per success criterion of a table; those that stop the workflow block what follows."""
    return [
        dg.AssetCheckSpec(
            name, asset=table, blocking=each.severity == "stop", description=f"{each.description} {each.expression}"
        )
        for name, each in _of(manifest, table).items()
    ]


def with_criteria(
    result: dg.MaterializeResult, manifest: Manifest, table: str, days: DayRange, lake: "Lake"
) -> dg.MaterializeResult:
    """The result, and what the criteria say of each scan day of it."""
    criteria = _of(manifest, table)
    if not criteria:
        return result
    rows = lake.read(table, day_keys(days), "scan_day")
    verdicts = {name: Criterion(each.expression, columns(table)).of(rows) for name, each in criteria.items()}
    told = {row["scan_day"]: row for row in lake.engine.rows(rows.group_by("scan_day").agg(**verdicts))}
    # A day without rows is in no group, and still has to meet what is asked of its rows.
    nobody = lake.engine.rows(rows.limit(0).agg(**verdicts))[0] if len(told) < len(days) else {}
    newest = {name: value for name, value in (result.metadata or {}).items() if name in TELLING}
    checks = [
        _judged(name, manifest, {day: told.get(day, nobody)[name] for day in days.dates}, newest) for name in criteria
    ]
    return result._replace(check_results=[*(result.check_results or ()), *checks])


def _judged(
    name: str, manifest: Manifest, verdicts: dict[date, bool | None], newest: Mapping[str, Any]
) -> dg.AssetCheckResult:
    """An error where the newest scan fails what is to stop it; older scans of a range only warn."""
    criterion = manifest.evaluation[name]
    failed = [day for day, verdict in verdicts.items() if not verdict]
    stops = criterion.severity == "stop" and bool(failed) and failed[-1] == max(verdicts)
    objectives = [goal for goal, each in manifest.objectives.items() if name in each.measured_by]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={
            "expression": criterion.expression,
            "objective": ", ".join(objectives) or "none",
            "days": len(verdicts),
            "days that fail": len(failed),
            "first of them": ", ".join(str(day) for day in failed[:5]) or "none",
            **(newest if failed and failed[-1] == max(verdicts) else {}),
        },
    )


def _of(manifest: Manifest, table: str) -> dict[str, Evaluation]:
    return {name: each for name, each in manifest.evaluation.items() if manifest.roles[each.step].output == table}
