"""Impact report: whether acting helped, as one HTML page that needs nothing else."""

from collections.abc import Iterator
from datetime import date

from orchestration_project import charts
from orchestration_project.domain.plan import STAGES, funnel
from orchestration_project.impact import Finding, Measuring, arms, sentence
from orchestration_project.lake import Lake
from orchestration_project.pages import page
from orchestration_project.resources import Workspace

TEMPLATE = "impact_report.html"
ALL = "all plays"
SIZE = (620, 44)
"""Of the picture: its width, and the height per play."""
SEVERAL = 3
"""Plays from which on it is said that several are looked at."""

STOPS = {
    "low_risk": "at low risk: nothing to be done",
    "no_score": "no score: to be looked at by a person",
    "low_confidence": "score too uncertain: to be looked at by a person",
    "no_play": "no play for what raised the risk",
    "switched_off": "the play is switched off",
    "control_group": "held back by chance, for comparison",
    "leaving_announced": "has announced to leave",
    "no_address": "no address",
    "opted_out": "wants no messages",
    "suppressed": "not to be written to",
    "over_cap": "was written to lately",
    "already_acted": "was acted on in this episode",
    "over_capacity": "more than the owner can take",
}
"""Why nothing is done for a customer, in words."""


def impact_report(workspace: Workspace, lake: Lake, measuring: Measuring, finding: Finding) -> str:
    """The page about what could be told after the scan of a day."""
    rows = arms(finding)
    height = SIZE[1] * max(2, len(set(rows["play"]))) if len(rows) else 0
    effects = {ALL: finding.overall} | {play.replace("_", " "): each for play, each in finding.plays.items()}
    return page(
        TEMPLATE, finding=finding, written=workspace.now(), horizon=measuring.horizon, effects=effects,
        sentence=sentence(finding.overall, measuring.horizon), rules=workspace.settings.impact,
        picture=charts.drawing(charts.retention(rows), SIZE[0], height) if len(rows) else None,
        funnel=plan_funnel(lake, finding.day), limits=list(limits(finding)),
    )  # fmt: skip


def plan_funnel(lake: Lake, day: date) -> list[tuple[str, int]]:
    """How many customers of the plan of a day ended where, in words; nothing where there is no plan of it."""
    if day.isoformat() not in lake.partitions("action_plan"):
        return []
    counts: dict[str | None, int] = {}
    for row in lake.engine.rows(funnel(lake.read("action_plan", [day.isoformat()], "scan_day"))):
        counts[row["stopped_at"]] = counts.get(row["stopped_at"], 0) + row["customers"]
    found = [(STOPS[stage], counts[stage]) for stage in STAGES if stage in counts]
    return [*found, ("planned: a message or a task", counts.get(None, 0))]


def limits(finding: Finding) -> Iterator[str]:
    """What limits a finding, each in a sentence or two."""
    found = finding.overall
    yield (
        "The groups are compared as they were assigned, whether or not a message went out. So the effect is that of "
        "deciding to act, and smaller than that of a message that is read."
    )
    if finding.plays:
        yield (
            "A customer counts once, with the first play ever assigned. So a play is judged by customers whom no other "
            "play had reached before, which are fewer than those that it is used for."
        )
    yield (
        "The intervals are for one look; whoever looks every day sees one leave out zero by chance sooner or later. "
        "So a verdict asks for much more certainty until there are enough customers, and later looks still find an "
        "effect where there is none more often than once in 20 times: name the day of decision beforehand."
    )
    if len(finding.plays) >= SEVERAL:
        yield f"Of {len(finding.plays)} plays that change nothing, one or another may show an effect by chance."
    if found.waiting:
        yield f"The horizon of {found.waiting:,} assigned customers is not over; how they decide is not in here."
    if found.uncounted:
        yield (
            f"The outcome of {found.uncounted:,} assigned customers does not count: their leaving was announced, they "
            "were too new, or the source did not reach far enough."
        )
    if finding.changed_share:
        yield "The share that is held back was changed meanwhile, so the groups are not from quite the same time."
    unknown = f", and leaves out {found.revenue.unknown:,} whose revenue is not known" if found.revenue.unknown else ""
    yield (
        "Revenue is the effect on customers times what those acted on paid. It takes customers of all sizes to respond "
        f"alike{unknown}."
    )
    yield "Somebody may have helped a customer who was held back without this system knowing; that hides an effect."
