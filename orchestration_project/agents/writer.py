"""Writer: has texts written, verifies every one of them against its facts, and falls back on templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration_project.agents.model import Actions, Answer, LanguageModel, Narrative, Output, Request, Wording
from orchestration_project.agents.runtime import CallFailed
from orchestration_project.agents.templates_model import Templates
from orchestration_project.domain.claims import Facts, Strangers, wrong_claims
from orchestration_project.domain.wording import wrong_wording

State = Literal["verified", "review"]


@dataclass(frozen=True)
class Written:
    """A text about a customer, and whether it may go on without anybody looking at it."""

    request: Request
    output: Output
    written_by: str
    state: State
    problems: tuple[str, ...] = ()
    """What the text says that its facts don't."""
    failure: str | None = None
    """Why the model did not write it, where a template did in its place."""


@dataclass(frozen=True)
class Result:
    """All texts that were asked for, and the calls that failed."""

    written: tuple[Written, ...]
    failed: Mapping[str, CallFailed]
    """By the key of the request: two texts about one customer can fail for two reasons."""


def write(requests: Sequence[Request], model: LanguageModel, templates: Templates, strangers: Strangers) -> Result:
    """A text for each request, in the order of the requests.

    A message that says what it must not is kept for a person to decide on. Texts for our own people that do so are
    replaced by the template's: they are read as facts.
    """
    answers = model.write(requests)
    failed = {request.key: answer for request in requests if isinstance(answer := answers[request.key], CallFailed)}
    return Result(tuple(_one(request, answers[request.key], templates, strangers) for request in requests), failed)


def _one(request: Request, answer: Answer | CallFailed, templates: Templates, strangers: Strangers) -> Written:
    failure = str(answer.error) if isinstance(answer, CallFailed) else None
    if isinstance(answer, CallFailed):
        answer = templates.one(request)
    problems = problems_of(request, answer.output, strangers)
    if problems and request.kind != "outreach":
        safe = templates.one(request)
        return Written(request, safe.output, safe.written_by, "review", problems, failure)
    output, written_by = templates.framed(request, answer)
    return Written(request, output, written_by, "review" if problems else "verified", problems, failure)


def problems_of(request: Request, output: Output, strangers: Strangers) -> tuple[str, ...]:
    """What a text says that the facts of its request do not."""
    facts = Facts(request.truth, request.promises)
    match output:
        case Wording(subject=subject, noticed=noticed, question=question):
            factor = request.facts["factor"]
            return wrong_wording(subject, noticed, question, facts, request.language, factor, strangers)
        case Narrative(text=text):
            return wrong_claims(text, facts, strangers)
        case Actions(actions=actions):
            return wrong_claims("\n".join(actions), facts, strangers)
        case _:
            return ("a text of unknown kind",)
