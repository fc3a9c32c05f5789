"""Templates: the language model that needs no key, no network and no money, and says the same each time."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import Any

from orchestration_project.agents.model import Actions, Answer, Draft, Narrative, Output, Request, Spent, Wording
from orchestration_project.agents.runtime import CallFailed

FALLBACK = "en"
FRAME = "frame"
"""Name of the template around what is said."""
TEMPLATE = "template"
"""How `written_by` begins for texts of a template."""


class Templates:
    """Writes texts by the Jinja2 templates that ship with the project, in English where there is no other."""

    def __init__(self) -> None:
        self.spent = Spent()
        self._compiled: dict[str, tuple[Any, str]] = {}

    def write(self, requests: Sequence[Request]) -> dict[str, Answer | CallFailed]:
        """An answer for each request by its key."""
        return {request.key: self.one(request) for request in requests}

    def one(self, request: Request) -> Answer:
        """The answer to a request."""
        template, version = self._template(request.template, request.language)
        self.spent.requests += 1
        return Answer(_shaped(request.kind, template.render(request.facts)), version)

    def framed(self, request: Request, answer: Answer) -> tuple[Output, str]:
        """A message with greeting, invitation to reply and signature, and who wrote it; other texts as they are."""
        if not isinstance(answer.output, Wording):
            return answer.output, answer.written_by
        frame, version = self._template(FRAME, request.language)
        said = answer.output.model_dump()
        body = frame.render(request.facts, noticed=said["noticed"].strip(), question=said["question"].strip())
        return Draft(subject=said["subject"].strip(), body=body.strip()), f"{answer.written_by} in {version}"

    def _template(self, name: str, language: str) -> tuple[Any, str]:
        key = f"{name}.{language}"
        if key not in self._compiled:
            file = resources.files(__package__).joinpath("templates", f"{key}.txt")
            if not file.is_file():
                return self._template(name, FALLBACK)
            text = file.read_text(encoding="utf-8")
            version = f"{TEMPLATE} {key}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
            self._compiled[key] = self._environment.from_string(text), version
        return self._compiled[key]

    @cached_property
    def _environment(self) -> Any:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        # Plain text, not HTML: names are cleaned before they become facts.
        return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _shaped(kind: str, text: str) -> Output:
    if kind == "outreach":
        subject, noticed, question = text.strip().split("\n\n")
        return Wording(subject=subject, noticed=noticed, question=question)
    if kind == "actions":
        return Actions(actions=tuple(line.strip() for line in text.splitlines() if line.strip()))
    return Narrative(text=" ".join(text.split()))
