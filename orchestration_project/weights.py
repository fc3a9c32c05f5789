"""Weights: which are in force for each scan day of a home, by the decisions in its lake and what people did."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration_project.domain.champions import Decision, line_of_succession, runs
from orchestration_project.domain.days import DayRange
from orchestration_project.domain.scorecard import Scorecard
from orchestration_project.lake import Lake
from orchestration_project.resources import VersionError, Workspace


@dataclass(frozen=True)
class InForce:
    """The weights of some scan days: a scorecard, or None for the prior; `problem` says why not the intended ones."""

    days: DayRange
    scorecard: Scorecard | None
    problem: str | None


def decisions(lake: Lake) -> list[Decision]:
    """All monthly decisions, in order."""
    if not lake.has("weight_decisions"):
        return []
    rows = lake.engine.rows(lake.read("weight_decisions").select("decision", "month").order_by("month"))
    return [Decision.model_validate_json(row["decision"]) for row in rows]


def in_force(lake: Lake, workspace: Workspace, days: DayRange) -> list[InForce]:
    """The weights of a range of scan days, cut where they change.

    A version that can't be had is no reason not to score: the one before it is used, and the prior in the end.
    """
    prior = workspace.risk.scoring.weights.version
    try:
        acts, unread = workspace.acts(), None
    except VersionError as error:
        acts, unread = [], str(error)
    decided = decisions(lake)
    found = []
    for part in runs(prior, decided, acts, days.dates):
        scorecard, problem = usable(line_of_succession(prior, decided, acts, part[0]), workspace)
        found.append(InForce(DayRange(part[0], part[-1]), scorecard, problem or unread))
    return found


def usable(line: Sequence[str], workspace: Workspace) -> tuple[Scorecard | None, str | None]:
    """The last scorecard of a line that can be had, None for the prior weights; and why it is not the very last."""
    problem = None
    for version in reversed(line):
        try:
            return workspace.scorecard(version), problem
        except VersionError as error:
            problem = problem or str(error)
    return None, problem
