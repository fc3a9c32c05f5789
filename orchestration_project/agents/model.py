"""Language model: what every way of having texts written has in common, whoever writes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from orchestration_project.agents.runtime import CallFailed
from orchestration_project.domain.wording import plain_words


class Output(BaseModel):
    """What a writer answers with; anything else is an unexpected output."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Wording(Output):
    """What is said to a customer; a frame of greeting and signature makes it a message."""

    subject: str = Field(description="Subject line, at most ten words.")
    noticed: str = Field(description="One to three sentences about what was noticed, without a question.")
    question: str = Field(description="One sentence that asks about it.")


class Draft(Output):
    """A message to a customer."""

    subject: str
    body: str


class Narrative(Output):
    """Why a customer has its score."""

    text: str = Field(description="Two to four sentences.")


class Actions(Output):
    """What to do about a customer at high risk."""

    actions: tuple[str, ...] = Field(description="Sentences, the most urgent first.")


OUTPUTS: Mapping[str, type[Output]] = {"outreach": Wording, "narrative": Narrative, "actions": Actions}
"""The kinds of text, and what each is answered with."""


@dataclass(frozen=True)
class Request:
    """A text to be written about one customer."""

    customer_id: str
    kind: str
    facts: Mapping[str, Any]
    """What the writer is given: texts, and numbers and dates as the reader's language writes them."""
    truth: Mapping[str, Any]
    """The same as values, which the text is verified against."""
    template: str
    """Name of the template for it, without language."""
    language: str = "en"
    promises: frozenset[str] = frozenset()
    """Kinds of promise that the play allows."""

    @property
    def key(self) -> str:
        """Customer and kind; one text each."""
        return f"{self.kind}/{self.customer_id}"


@dataclass(frozen=True)
class Answer:
    """A text, and who wrote it: a template or a model with the version of what it was told."""

    output: Output
    written_by: str


@dataclass
class Spent:
    """What a model took so far."""

    requests: int = 0
    kept: int = 0
    """Answers that were there from before."""
    input_tokens: int = 0
    cached_tokens: int = 0
    """Of the input, read from the model's cache."""
    output_tokens: int = 0
    seconds: list[float] = field(default_factory=list)


class LanguageModel(Protocol):
    """Writes texts of declared shapes from given facts."""

    spent: Spent

    def write(self, requests: Sequence[Request]) -> dict[str, Answer | CallFailed]:
        """An answer for each request by its key, or why there is none."""


@dataclass(frozen=True)
class Prompt:
    """What a model is told for a kind of text; its version changes with every word of it."""

    kind: str
    text: str

    @property
    def version(self) -> str:
        """Name and content hash."""
        return f"{self.kind}-{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"


def prompt(request: Request) -> Prompt:
    """What a model is told for a request: the prompt of its kind, and for a message the words that it may use."""
    if request.kind != "outreach":
        return _prompt(request.kind)
    return _prompt_with_words(request.kind, request.language, request.facts["factor"], request.promises)


@cache
def _prompt(kind: str) -> Prompt:
    file = resources.files(__package__).joinpath("prompts", f"{kind}.md")
    return Prompt(kind, file.read_text(encoding="utf-8"))


@cache
def _prompt_with_words(kind: str, language: str, factor: str, promises: frozenset[str]) -> Prompt:
    stated = plain_words(language, factor, promises, asked=False)
    asked = plain_words(language, factor, promises, asked=True).beside(stated)
    lists = f"Words for all parts\n{stated}\n\nMore words for a question\n{asked}\n"
    return Prompt(kind, f"{_prompt(kind).text}\n{lists}")
