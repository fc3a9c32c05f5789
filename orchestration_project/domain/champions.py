"""Champions: which weights are in force on a scan day, by monthly decisions and what people did about them."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["champion", "waiting", "shadow", "none"]


class Check(BaseModel):
    """One condition of the gate, with what was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    told: str


class Decision(BaseModel):
    """What a month's refit came to. A new champion is in force from the first scan day of the following month."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: date = Field(description="First day of the month")
    candidate: str | None = Field(None, description="Version that was fitted; none where too little was known")
    status: Status = Field(description="champion: promoted; waiting: for a person; shadow: did not pass; none")
    incumbent: str = Field(description="Version that was in force, which the candidate was measured against")
    checks: tuple[Check, ...] = ()

    @property
    def champion(self) -> str:
        """The version in force after this decision."""
        return self.candidate if self.status == "champion" and self.candidate else self.incumbent


class Act(BaseModel):
    """What a person decided about weights; in force for the scan days from `on`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: date
    by: str
    action: Literal["approve", "rollback"]
    version: str | None = Field(None, description="Version approved; none for a rollback")
    reason: str


class Term(BaseModel):
    """A time in which one version was in force, until the next term begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    since: date | None = Field(None, description="First scan day; none for the prior at the beginning")


def line_of_succession(prior: str, decisions: Iterable[Decision], acts: Iterable[Act], day: date) -> list[str]:
    """The versions in force up to a scan day: the last is in force, the one before it what a rollback returns to."""
    events: list[tuple[date, int, Decision | Act]] = [
        *((_month_after(each.month), 0, each) for each in decisions),
        *((each.on, 1, each) for each in acts),
    ]
    line = [prior]
    for start, _, event in sorted(events, key=lambda each: each[:2]):
        if start > day:
            break
        _follow(line, event)
    return line


def terms(prior: str, decisions: Sequence[Decision], acts: Sequence[Act], day: date) -> list[Term]:
    """Which version was in force from which scan day on, until a scan day; the prior comes first."""
    found = [Term(version=prior)]
    for start in sorted({*(_month_after(each.month) for each in decisions), *(each.on for each in acts)}):
        if start > day:
            break
        version = line_of_succession(prior, decisions, acts, start)[-1]
        if version != found[-1].version:
            found.append(Term(version=version, since=start))
    return found


def runs(prior: str, decisions: Sequence[Decision], acts: Sequence[Act], days: Sequence[date]) -> list[list[date]]:
    """Consecutive scan days under the same succession."""
    found: list[list[date]] = []
    before = None
    for day in days:
        line = line_of_succession(prior, decisions, acts, day)
        if line != before:
            found.append([])
        found[-1].append(day)
        before = line
    return found


def _follow(line: list[str], event: Decision | Act) -> None:
    if isinstance(event, Decision):
        if event.status == "champion" and event.candidate and event.candidate != line[-1]:
            line.append(event.candidate)
    elif event.action == "rollback":
        if len(line) > 1:
            line.pop()
    elif event.version and event.version != line[-1]:
        line.append(event.version)


def _month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
