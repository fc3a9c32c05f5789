"""Manifests: a workflow in eight sections, as validated values. What is true of one file alone is decided here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration_project.contracts.criteria import Criterion, CriterionError
from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.domain.rules import Autonomy, Family

AGENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "collector": (
        "customer_profiles",
        (
            "crm.list_customers",
            "crm.list_invoices",
            "crm.list_engagements",
            "analytics.daily_usage",
            "tickets.list_tickets",
        ),
    ),
    "usage_analyser": ("usage_trends", ()),
    "risk_assessor": ("risk_scores", ()),
    "outreach": ("outreach_drafts", ("email.send", "crm.add_note")),
    "account_alert": ("account_alerts", ("tasks.create", "chat.post")),
}
"""The agents that a role can be given to, each with the table that it writes or acts on, and the tools it knows.

The collector knows those of `sources.yaml` too, whatever their names.
"""

LIMITS = frozenset({"timeout_seconds", "deadline_seconds", "attempts", "backoff", "concurrency", "patience_seconds"})
"""What the collector's role says about calls of tools."""

WAYS_OUT: Mapping[str, tuple[str, ...]] = {
    "outreach": ("file", "smtp", "mcp"),
    "account_alert": ("file", "slack", "mcp"),
}
"""Channels that take what an agent sends: mails to customers, tasks for colleagues."""
ACTING = ("outreach", "account_alert")
"""Agents that do something to customers or people."""

ENDS = ("monitor", "review")
"""Where a customer's way through a workflow can end without another step: nothing to do, or a person looks."""

PLAY_TEMPLATES = ("check_in", "support_follow_up", "billing_help", "re_engage", "renewal_review")
"""Templates of messages to customers."""
TRIGGERS = ("daily_scan", "new_data", "scan_automation", "monthly_refit", "messages_due", "retention")
SCORES = (1.0, 10.0)
"""Ends of the scale that conditions on a score must cover."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Path = tuple[str | int, ...]


class Section(BaseModel):
    """A part of a manifest; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Objective(Section):
    """What the workflow is for, and by which criteria it is seen to be reached."""

    description: Text
    measured_by: tuple[Name, ...] = Field(min_length=1, description="Criteria of the section `evaluation`.")


class Backoff(Section):
    """Waits between attempts; each is drawn between half and the whole of it."""

    first_seconds: Seconds = Field(1, description="Wait before the second attempt.")
    factor: float = Field(2, ge=1, le=10, description="By what each further wait is longer.")
    most_seconds: Seconds = Field(30, description="Longest wait.")


class Play(Section):
    """What is written to customers for whom one factor weighs most."""

    factor: Family = Field(description="The factor that it is about.")
    segments: tuple[str, ...] = Field((), description="Segments that it is for; all where there is none.")
    templates: tuple[Name, ...] = Field(
        min_length=1,
        description="Templates that it is written by, or that take over where a model fails. Of several variants "
        "those that more customers answer are chosen more often.",
    )
    promises: frozenset[Literal["discount", "refund", "date", "guarantee"]] = Field(
        frozenset(), description="Kinds of promise that the text may make."
    )


class Cap(Section):
    """How much one customer gets."""

    actions: int = Field(1, ge=1, le=100, description="Actions of this step at most,")
    days: int = Field(14, ge=1, le=365, description="within so many days.")


class QuietHours(Section):
    """When nothing is sent to a customer, by the clock where the customer is."""

    start: int = Field(18, ge=0, le=23, description="Full hour from which nothing is sent.")
    end: int = Field(8, ge=0, le=23, description="Full hour from which it is sent again.")
    weekends: bool = Field(True, description="Whether nothing is sent on Saturdays and Sundays either.")


class Acts(Section):
    """How far a step may act on customers or people by itself."""

    autonomy: Autonomy = Field(
        "approve",
        description="`shadow`: it is only said what would be done. `draft`: texts are written, nothing is queued. "
        "`approve`: a person decides on each. `auto`: it is sent.",
    )
    channel: Literal["file", "smtp", "slack", "mcp"] = Field("file", description="What it is sent by.")
    recorded_by: Literal["file", "slack", "mcp"] | None = Field(
        None,
        description="What tells of it once it is sent: a note in the CRM of a message to a customer, a post in the "
        "chat of a task for a colleague; an alert by slack is a post already. Nothing does where it is absent.",
    )
    cap: Cap | None = Field(None, description="How much one customer gets; no limit where it is absent.")
    quiet_hours: QuietHours | None = Field(None, description="When nothing is sent; any time where it is absent.")
    capacity_per_owner: int | None = Field(
        None, ge=0, description="Actions that an account manager gets at most per scan, the most valuable first."
    )


class Role(Section):
    """A step: one agent with one responsibility."""

    agent: Literal["collector", "usage_analyser", "risk_assessor", "outreach", "account_alert"]
    responsibility: Text
    output: str = Field(description="Table of the lake that its output is a contract of.")
    owner: Annotated[str, Field(pattern=r"^(team:[a-z0-9_-]+|[^@\s]+@[^@\s]+)$")] = Field(
        description="Who answers for it: `team:name` or an address."
    )
    tools: tuple[str, ...] = Field((), description="Tools that it may call, and no other.")
    timeout_seconds: Seconds = Field(30, description="For one call of a tool.")
    deadline_seconds: Seconds = Field(3600, description="For the step as a whole.")
    attempts: int = Field(3, ge=1, le=10, description="Calls of a tool in total, where errors are transient.")
    backoff: Backoff = Backoff()
    concurrency: int = Field(8, ge=1, le=256, description="Calls under way at once.")
    patience_seconds: Seconds = Field(60, description="How long a server may be away before the step gives it up.")
    acts: Acts | None = Field(None, description="How far it may act; for agents that act.")
    plays: dict[Name, Play] = Field(
        default_factory=dict,
        description="What the outreach agent writes about: the play of the factor that weighs most; of several the "
        "first one for the segment.",
    )


class Between(Section):
    """Scores from one on, and below another; half-open, so that none is meant twice."""

    at_least: float | None = Field(None, ge=SCORES[0], le=SCORES[1])
    below: float | None = Field(None, ge=SCORES[0], le=SCORES[1])

    @property
    def ends(self) -> tuple[float, float]:
        """Where it begins and ends, on the scale."""
        first = SCORES[0] if self.at_least is None else self.at_least
        return first, float("inf") if self.below is None else self.below


class When(Section):
    """Which customers take a connection: those with a score in a range, or those without one."""

    score: Between | Literal["missing"]


class Connection(Section):
    """A handoff from one step to the next, or to an end."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: Name = Field(alias="from")
    to: Name
    when: When | None = Field(None, description="Which customers; all where it is absent.")


class Handling(Section):
    """What becomes of the four classes of error."""

    missing_or_invalid_data: Literal["quarantine", "review"]
    tool_failure: Literal["retry", "review"]
    unexpected_output: Literal["quarantine", "review"]
    human_needed: Literal["review"]


class Evaluation(Section):
    """A success criterion of one step's output."""

    step: Name
    expression: Annotated[str, Field(min_length=1, max_length=500)]
    description: Text
    severity: Literal["stop", "warn"] = Field("warn", description="`stop`: no later step runs on what fails it.")


class State(Section):
    """What the workflow remembers."""

    tables: tuple[str, ...] = Field(min_length=1, description="Tables of the lake that it reads and writes.")
    hysteresis: float = Field(
        0.5, ge=0, le=3, description="By how much a score must fall below a band's edge before a customer leaves it."
    )


class Escalation(Section):
    """Where a person's decision is asked for, and until when."""

    queue: Name
    owner: Annotated[str, Field(pattern=r"^(team:[a-z0-9_-]+|[^@\s]+@[^@\s]+)$")]
    deadline_hours: float = Field(gt=0, le=24 * 90)
    expires_after_days: float = Field(gt=0, le=365)


class Manifest(Section):
    """A workflow: what it is for, who does what, what follows what, and what happens when something goes wrong."""

    workflow: Name
    version: int = Field(ge=1)
    description: Text
    objectives: dict[Name, Objective] = Field(min_length=1)
    roles: dict[Name, Role] = Field(min_length=1)
    connections: tuple[Connection, ...] = Field(min_length=1)
    handling: Handling
    evaluation: dict[Name, Evaluation] = Field(min_length=1)
    state: State
    triggers: tuple[str, ...] = Field(min_length=1)
    escalation: Escalation

    def following(self, step: str) -> tuple[Connection, ...]:
        """The connections that lead on from a step."""
        return tuple(each for each in self.connections if each.source == step)

    def step(self, agent: str) -> str:
        """The step that an agent has."""
        return next(name for name, role in self.roles.items() if role.agent == agent)

    @property
    def bands(self) -> tuple[float, float]:
        """The scores from which customers are written to, and from which account managers are alerted."""
        outreach, alert = self.step("outreach"), self.step("account_alert")
        starts = {each.to: each.when.score.ends[0] for each in self.following(self.step("risk_assessor"))
                  if each.when and each.when.score != "missing"}  # fmt: skip
        return starts[outreach], starts[alert]

    @property
    def tools_to_act(self) -> frozenset[str]:
        """The tools that messages and tasks may be given to."""
        return frozenset(tool for role in self.roles.values() if role.agent in ACTING for tool in role.tools)

    def governs(self, table: str) -> Role:
        """The step that a table of the lake is the output of."""
        return next(role for role in self.roles.values() if role.output == table)

    @property
    def first(self) -> str:
        """The step that nothing leads to."""
        led_to = {each.to for each in self.connections}
        return next(name for name in self.roles if name not in led_to)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a manifest: where, what, and how to mend it."""

    place: Path
    cause: str
    fix: str


def problems(manifest: Manifest, tools: frozenset[str] = frozenset()) -> list[Problem]:
    """Everything in a manifest that names what is not there, leads nowhere, or contradicts itself.

    `tools` are those that the sources are read with: the collector knows them, and must be allowed to call them.
    """
    return [
        *_objectives(manifest), *_roles(manifest, tools), *_connections(manifest), *_ways(manifest),
        *_bands(manifest), *_criteria(manifest), *_outputs(manifest),
        *_names("state", "tables", manifest.state.tables, LAKE_TABLES, "table"),
        *_names("triggers", None, manifest.triggers, TRIGGERS, "trigger"),
    ]  # fmt: skip


def columns(table: str) -> dict[str, str]:
    """Names and types of a lake table's columns."""
    return {column.name: column.type for column in LAKE_TABLES[table]}


def _objectives(manifest: Manifest) -> Iterator[Problem]:
    for name, objective in manifest.objectives.items():
        yield from _names(
            "objectives", None, objective.measured_by, manifest.evaluation, "criterion", (name, "measured_by")
        )


def _roles(manifest: Manifest, tools: frozenset[str]) -> Iterator[Problem]:
    for name, role in manifest.roles.items():
        place = ("roles", name)
        output, known = AGENTS[role.agent]
        if role.agent == "collector":
            known = (*known, *sorted(tools - set(known)))
            for tool in sorted(tools - set(role.tools)):
                yield Problem((*place, "tools"), f"sources.yaml reads a table with {tool}, which the role may not call",
                              "add it to its tools, or read the table another way")  # fmt: skip
        if name in ENDS:
            yield Problem(place, f"a step can't be called {name}, which is an end", "give it another name")
        if role.output != output:
            yield Problem((*place, "output"), f"agent {role.agent} has output {output}, not {role.output}",
                          f"write {output}")  # fmt: skip
        for n, tool in enumerate(role.tools):
            if tool not in known:
                told = f"it knows {', '.join(known)}" if known else "it uses none"
                yield Problem((*place, "tools", n), f"agent {role.agent} has no tool {tool}; {told}", "remove the tool")
        yield from _plays(place, role)
        for name in sorted(LIMITS & role.model_fields_set) if role.agent != "collector" else ():
            where = "in settings.yaml, under `channels` and `language_model`" if role.agent in ACTING else "nowhere"
            yield Problem((*place, name), f"agent {role.agent} has its limits {where}", f"remove {name}")
        if role.deadline_seconds < role.timeout_seconds:
            yield Problem((*place, "deadline_seconds"), "the step's deadline is before the time-out of one call",
                          "raise it")  # fmt: skip
        if role.backoff.most_seconds < role.backoff.first_seconds:
            yield Problem((*place, "backoff", "most_seconds"), "the longest wait is shorter than the first", "raise it")


def _plays(place: Path, role: Role) -> Iterator[Problem]:
    if role.agent != "outreach" and role.plays:
        yield Problem((*place, "plays"), f"agent {role.agent} writes to nobody", "remove `plays`")
    if role.agent == "outreach" and not role.plays:
        yield Problem(place, "it has no `plays`, so there is nothing to write about", "add one per factor family")
    for name, play in role.plays.items():
        yield from _names("roles", None, play.templates, PLAY_TEMPLATES, "template", (*place[1:], "plays", name,
                                                                                      "templates"))  # fmt: skip
    if role.agent in ACTING and role.acts is None:
        yield Problem(place, f"it does not say how far agent {role.agent} may act", "add `acts`")
    if role.agent not in ACTING and role.acts is not None:
        yield Problem((*place, "acts"), f"agent {role.agent} acts on nobody", "remove `acts`")
    if role.agent in ACTING and role.acts is not None:
        yield from _ways_out((*place, "acts"), role, role.acts)


def _ways_out(place: Path, role: Role, acts: Acts) -> Iterator[Problem]:
    """Whether the channel takes what the agent sends, and may use the tool that it needs."""
    fitting = WAYS_OUT[role.agent]
    if acts.channel not in fitting:
        yield Problem((*place, "channel"), f"agent {role.agent} can't send by {acts.channel}", _one_of(fitting))
    tool = AGENTS[role.agent][1][0]
    if acts.channel == "mcp" and tool not in role.tools:
        yield Problem((*place, "channel"), f"it sends by {tool}, which the role may not call", "add it to `tools`")
    yield from _records(place, role, acts)
    if role.agent == "account_alert" and acts.quiet_hours is not None:
        yield Problem(
            (*place, "quiet_hours"), "they are the customer's, and alerts go to our own people", "remove them"
        )


def _records(place: Path, role: Role, acts: Acts) -> Iterator[Problem]:
    """Whether what is sent can be told of in the way that is named."""
    tool, by = AGENTS[role.agent][1][1], acts.recorded_by
    if by == "slack" and role.agent == "outreach":
        yield Problem((*place, "recorded_by"), "slack takes no notes", "name file or mcp")
    if by == "mcp" and tool not in role.tools:
        yield Problem(
            (*place, "recorded_by"), f"it tells of it by {tool}, which the role may not call", "add it to `tools`"
        )


def _connections(manifest: Manifest) -> Iterator[Problem]:
    for n, each in enumerate(manifest.connections):
        if each.source not in manifest.roles:
            yield Problem(("connections", n, "from"), f"there is no step {each.source}", _one_of(manifest.roles))
        if each.to not in (*manifest.roles, *ENDS):
            yield Problem(("connections", n, "to"), f"there is no step {each.to}", _one_of((*manifest.roles, *ENDS)))
        if each.when and each.source in manifest.roles and manifest.roles[each.source].output != "risk_scores":
            yield Problem(("connections", n, "when"), f"step {each.source} has no score to tell customers apart by",
                          "remove the condition")  # fmt: skip
    for step in manifest.roles:
        yield from _routes(manifest, step)


def _routes(manifest: Manifest, step: str) -> Iterator[Problem]:
    """Whether each customer takes exactly one connection from a step, or there is none at all."""
    routes = [(n, each) for n, each in enumerate(manifest.connections) if each.source == step]
    always = [n for n, each in routes if each.when is None]
    if always:
        if len(routes) > 1:
            yield Problem(("connections", always[0]), f"it takes all customers of step {step}, whom others take too",
                          "give it a condition, or remove the others")  # fmt: skip
        return
    missing = [n for n, each in routes if each.when and each.when.score == "missing"]
    ranges = sorted((each.when.score.ends, n) for n, each in routes if each.when and each.when.score != "missing")
    for n in missing[1:]:
        yield Problem(("connections", n, "when"), f"customers without score leave step {step} already", "remove it")
    if ranges and not missing:
        yield Problem(("connections", ranges[-1][1], "when"), f"customers without score have no way from {step}",
                      "add a connection with `when: {score: missing}`")  # fmt: skip
    yield from _gaps(step, ranges)


def _gaps(step: str, ranges: list[tuple[tuple[float, float], int]]) -> Iterator[Problem]:
    for (first, last), n in ranges:
        if first >= last:
            yield Problem(("connections", n, "when"), f"no score is at least {first:g} and below {last:g}", "swap them")
    for ((_, end), _n), ((start, _), n) in pairwise(ranges):
        if start != end:
            kind = "take two ways" if start < end else "have no way"
            low, high = sorted((start, end))
            yield Problem(("connections", n, "when"), f"scores from {low:g} to {high:g} {kind} from step {step}",
                          f"let this range begin at {end:g}")  # fmt: skip
    if ranges:
        (first, _), n = ranges[0]
        if first > SCORES[0]:
            yield Problem(("connections", n, "when"), f"scores below {first:g} have no way from step {step}",
                          "leave out `at_least` of the lowest range")  # fmt: skip
        last, n = max((end, n) for (_, end), n in ranges)
        if last <= SCORES[1]:
            yield Problem(("connections", n, "when"), f"scores from {last:g} on have no way from step {step}",
                          "leave out `below` of the highest range")  # fmt: skip


def _ways(manifest: Manifest) -> Iterator[Problem]:
    """Whether every step is reached from the one first step, and none leads back to itself."""
    led_to = {each.to for each in manifest.connections}
    firsts = [name for name in manifest.roles if name not in led_to]
    if not firsts:
        yield Problem(("connections",), "every step follows another, so none is first", "remove what leads back")
    for name in firsts[1:]:
        yield Problem(
            ("roles", name), f"nothing leads to step {name}", f"connect it, or remove it; {firsts[0]} is first"
        )
    for n, each in enumerate(manifest.connections):
        if each.source in _after(manifest, each.to):
            yield Problem(("connections", n), f"step {each.source} leads back to itself", "remove what leads back")
            return
    reached = {firsts[0], *_after(manifest, firsts[0])} if firsts else set()
    for name in manifest.roles:
        if firsts and name not in reached and name not in firsts:
            yield Problem(("roles", name), f"step {name} can't be reached from {firsts[0]}", "connect it, or remove it")


def _bands(manifest: Manifest) -> Iterator[Problem]:
    """Whether the three bands lead where their names say: low to monitor, medium to outreach, high to the alert."""
    agents = {role.agent: name for name, role in manifest.roles.items()}
    if "risk_assessor" not in agents:
        return
    for agent in sorted(AGENTS.keys() - agents.keys()):
        yield Problem(("roles",), f"no step has the agent {agent}, without which there is no {AGENTS[agent][0]}",
                      "add a step for it")  # fmt: skip
    wanted = ["monitor", agents.get("outreach"), agents.get("account_alert")]
    ranges = sorted(
        (each.when.score.ends, n, each.to)
        for n, each in enumerate(manifest.connections)
        if each.source == agents["risk_assessor"] and each.when and each.when.score != "missing"
    )
    found = [to for _, _, to in ranges]
    if len(ranges) == 3 and manifest.state.hysteresis >= ranges[2][0][0] - ranges[1][0][0]:
        yield Problem(("state", "hysteresis"), "it is as wide as the medium band", "lower it, or widen the band")
    if None not in wanted and found != wanted:
        place: Path = ("connections", ranges[0][1]) if ranges else ("connections",)
        yield Problem(place, f"scores lead, from the lowest on, to {', '.join(found) or 'nothing'}",
                      f"let three ranges lead to {', '.join(map(str, wanted))}")  # fmt: skip


def _outputs(manifest: Manifest) -> Iterator[Problem]:
    for name, role in manifest.roles.items():
        if role.output in LAKE_TABLES and role.output not in manifest.state.tables:
            yield Problem(("state", "tables"), f"step {name} writes {role.output}, which is not among the tables",
                          f"add {role.output}")  # fmt: skip


def _after(manifest: Manifest, step: str) -> set[str]:
    """A step and all that can follow it."""
    found, left = {step}, [step]
    while left:
        for each in manifest.following(left.pop()):
            if each.to not in found:
                found.add(each.to)
                left.append(each.to)
    return found


def _criteria(manifest: Manifest) -> Iterator[Problem]:
    for name, each in manifest.evaluation.items():
        role = manifest.roles.get(each.step)
        if role is None:
            yield Problem(("evaluation", name, "step"), f"there is no step {each.step}", _one_of(manifest.roles))
        elif role.output in LAKE_TABLES:
            try:
                Criterion(each.expression, columns(role.output))
            except CriterionError as error:
                yield Problem(("evaluation", name, "expression"), error.cause, error.fix)


def _names(
    section: str, key: str | None, wanted: tuple[str, ...], known: Any, kind: str, below: Path = ()
) -> Iterator[Problem]:
    place: Path = (section, *((key,) if key else ()), *below)
    for n, name in enumerate(wanted):
        if name not in known:
            yield Problem((*place, n), f"there is no {kind} {name}", _one_of(known))
        elif name in wanted[:n]:
            yield Problem((*place, n), f"{kind} {name} is there twice", "remove one")


def _one_of(known: Any) -> str:
    return f"use one of {', '.join(known)}"
