"""Anthropic: the language model behind Anthropic's API, within a budget, asked nothing twice."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import anthropic
import anyio
from pydantic import ValidationError

from orchestration_project.agents.errors import AgentError, HumanNeeded, InvalidData, ToolFailure, UnexpectedOutput
from orchestration_project.agents.model import OUTPUTS, Answer, Output, Request, Spent, prompt
from orchestration_project.agents.replies import Replies, asked
from orchestration_project.agents.runtime import CallFailed, Limits, Runtime
from orchestration_project.settings import LanguageModelSettings

SERVER = "language model"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
CHARACTERS_PER_TOKEN = 3
"""Cautious: text has more characters per token than that, so a budget is never overrun by an estimate."""
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 2.0, 60.0
MOST_IN_BATCH = 10_000


class BudgetSpent(HumanNeeded):
    """The run may not spend more on the model."""


class Truncated(UnexpectedOutput):
    """An answer that ended at the limit of tokens."""


class Anthropic:
    """Asks a model over the Messages API; many requests go as a batch."""

    def __init__(
        self,
        settings: LanguageModelSettings,
        replies: Replies,
        api_key: str,
        log: Callable[[str], None] = lambda _: None,
        limits: Limits | None = None,
    ) -> None:
        assert settings.name is not None
        self.spent = Spent()
        self._settings, self._replies, self._key, self._log = settings, replies, api_key, log
        self._name = settings.name
        self._limits = limits or Limits(
            settings.timeout_seconds, settings.deadline_seconds, settings.attempts, concurrency=settings.concurrency
        )
        self._room: dict[str, int] = {}
        self._reserved = 0

    def write(self, requests: Sequence[Request]) -> dict[str, Answer | CallFailed]:
        """An answer for each request by its key, or why there is none."""
        return anyio.run(self._write, requests)

    async def _write(self, requests: Sequence[Request]) -> dict[str, Answer | CallFailed]:
        by_key = {request.key: request for request in requests}
        unanswered = [each for each in requests if self._replies.get(self._question(each)) is None]
        self.spent.kept += len(requests) - len(unanswered)
        async with self._connected() as self._client:
            late = await self._in_batches(unanswered)
            # Its deadline is for single requests: waiting for batches has a limit of its own.
            runtime = Runtime(self._limits, self._replies)
            told = await runtime.each(
                list(by_key), lambda key: self._one(runtime, by_key[key], key in late), self._tell
            )
        self.spent.seconds += runtime.counts.seconds
        return told

    async def _one(self, runtime: Runtime, request: Request, late: bool) -> Answer:
        if late:
            raise CallFailed(ToolFailure("its batch has not ended yet; a later run picks up what it answers"), ())
        question = self._question(request)
        reply = await runtime.call(question, SERVER, partial(self._ask, request), request.customer_id)
        return Answer(_output(request, reply.value["output"]), self._version(request))

    async def _ask(self, request: Request) -> dict[str, Any]:
        need = self._need(request)
        self._reserve(need)
        try:
            with _told_apart():
                message = await self._client.messages.create(**self._parameters(request))
        finally:
            self._reserved -= need
        return self._read(request, message)

    def _read(self, request: Request, message: Any) -> dict[str, Any]:
        """What a message holds, to be kept; raises where it is no answer."""
        usage = message.usage
        self.spent.requests += 1
        cached = usage.cache_read_input_tokens or 0
        self.spent.input_tokens += usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
        self.spent.cached_tokens += cached
        self.spent.output_tokens += usage.output_tokens
        if message.stop_reason == "refusal":
            raise HumanNeeded("the model refused to write this text")
        if message.stop_reason == "max_tokens":
            self._room[request.key] = 2 * self._room.get(request.key, self._settings.max_tokens)
            raise Truncated("the answer was cut off at the limit of tokens")
        if message.stop_reason == "model_context_window_exceeded":
            raise InvalidData("the facts are more than the model can read")
        text = "".join(block.text for block in message.content if block.type == "text")
        try:
            return {"output": _output(request, json.loads(text)).model_dump(mode="json")}
        except (ValueError, ValidationError) as error:
            raise UnexpectedOutput("the answer does not have the shape that was asked for") from error

    async def _in_batches(self, requests: Sequence[Request]) -> set[str]:
        """Has many requests answered in batches, and keeps the answers; the keys of those whose batch is not over.

        A batch that an earlier run made is waited for again, and none of its requests is made anew.
        """
        under_way: dict[str, list[Request]] = {}
        new = []
        for request in requests:
            if batch := self._replies.get(self._place(request)):
                under_way.setdefault(batch, []).append(request)
            else:
                new.append(request)
        late: set[str] = set()
        try:
            for start in range(0, len(new) if len(new) >= self._settings.batch_from else 0, MOST_IN_BATCH):
                if some := self._affordable(new[start : start + MOST_IN_BATCH]):
                    with _told_apart():
                        under_way[await self._sent(some)] = some
        except AgentError as error:
            self._log(f"a batch can't be made ({error}); its requests are made one by one")
        for batch, some in under_way.items():
            try:
                with _told_apart():
                    late |= await self._answered(batch, some)
            except AgentError as error:
                self._log(f"the batch failed ({error}); its requests are made one by one")
        return late

    async def _sent(self, requests: Sequence[Request]) -> str:
        """Makes a batch, and notes of each of its requests which one it is in."""
        entries: Any = [{"custom_id": self._name_of(each), "params": self._parameters(each)} for each in requests]
        batch = (await self._client.messages.batches.create(requests=entries)).id
        self._replies.keep_all([(self._place(each), batch, each.customer_id) for each in requests])
        return batch

    async def _answered(self, batch: str, requests: Sequence[Request]) -> set[str]:
        """Keeps what a batch answered; the keys of its requests where it is not over."""
        wanted = {self._name_of(request): request for request in requests}
        self._log(f"batch {batch}: {len(requests):,} requests")
        if not await self._ended(batch):
            return {request.key for request in requests}
        async for entry in await self._client.messages.batches.results(batch):
            request = wanted.get(entry.custom_id)
            if request is not None and entry.result.type == "succeeded":
                try:
                    reply = self._read(request, entry.result.message)
                except AgentError as error:
                    self._log(f"{request.key}: {error}")
                    continue
                self._replies.keep(self._question(request), reply, request.customer_id)
        return set()

    async def _ended(self, batch: str) -> bool:
        """Whether a batch is over, within the time that may be waited for it."""
        until, pause = time.monotonic() + 60 * self._settings.batch_wait_minutes, FIRST_LOOK_SECONDS
        while (await self._client.messages.batches.retrieve(batch)).processing_status != "ended":
            if time.monotonic() + pause > until:
                return False
            await anyio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)
        return True

    def _parameters(self, request: Request) -> dict[str, Any]:
        facts = json.dumps(dict(request.facts), ensure_ascii=False, default=str).replace("<", "\\u003c")
        schema = anthropic.transform_schema(OUTPUTS[request.kind])
        return {
            "model": self._name,
            "max_tokens": self._room.get(request.key, self._settings.max_tokens),
            "system": [{"type": "text", "text": prompt(request).text, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": f"<facts>\n{facts}\n</facts>"}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        }

    def _question(self, request: Request) -> str:
        """Everything that decides the answer, but for the room that it gets."""
        return asked(model=self._name, prompt=prompt(request).version, facts=dict(request.facts))

    def _name_of(self, request: Request) -> str:
        """The name of a request in its batch: 64 characters at most."""
        return self._question(request)[:60]

    def _place(self, request: Request) -> str:
        """Where it is kept which batch a request is in."""
        return asked(batch_of=self._question(request))

    def _version(self, request: Request) -> str:
        return f"{self._name} {prompt(request).version}"

    def _need(self, request: Request) -> int:
        """Tokens that a request may take at most."""
        parameters = self._parameters(request)
        characters = len(parameters["system"][0]["text"]) + len(parameters["messages"][0]["content"])
        return math.ceil(characters / CHARACTERS_PER_TOKEN) + parameters["max_tokens"]

    def _left(self) -> float:
        limits = self._settings
        used = self.spent.input_tokens + self.spent.output_tokens + self._reserved
        left: float = limits.tokens_per_run - used
        cost = limits.cost_usd(self.spent.input_tokens, self.spent.output_tokens)
        if limits.usd_per_run is not None and cost is not None:
            dearest = max(limits.usd_per_million_input or 0, limits.usd_per_million_output or 0)
            left = min(left, (limits.usd_per_run - cost) * 1_000_000 / dearest - self._reserved if dearest else left)
        return left

    def _reserve(self, need: int) -> None:
        if need > self._left():
            raise BudgetSpent(
                "the run's budget for the language model is spent; raise `language_model.tokens_per_run` or "
                "`usd_per_run` in settings.yaml"
            )
        self._reserved += need

    def _affordable(self, requests: Sequence[Request]) -> list[Request]:
        left, some = self._left(), []
        for request in requests:
            left -= self._need(request)
            if left < 0:
                break
            some.append(request)
        return some

    def _tell(self, done: int, of: int, failed: int) -> None:
        if done == of or done % max(1, of // 10) == 0:
            self._log(f"{done:,} of {of:,} texts, {failed:,} not written by the model")

    def _connected(self) -> anthropic.AsyncAnthropic:
        # Attempts are the runtime's, which records each of them.
        return anthropic.AsyncAnthropic(
            api_key=self._key, base_url=self._settings.base_url, max_retries=0, timeout=self._limits.timeout_seconds
        )


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turns errors of the SDK into the class of error that fits."""
    try:
        yield
    except anthropic.AnthropicError as error:
        raise _class_of(error) from error


def _class_of(error: anthropic.AnthropicError) -> AgentError:
    if isinstance(error, anthropic.APITimeoutError):
        return ToolFailure("the language model did not answer in time")
    if isinstance(error, anthropic.APIConnectionError):
        return ToolFailure(f"the language model can't be reached ({type(error.__cause__ or error).__name__})")
    if isinstance(error, anthropic.APIStatusError):
        status = error.status_code
        if status in (401, 402, 403, 404):
            return HumanNeeded(
                f"the language model refused the call with status {status}; check {KEY_VARIABLE}, the account, and "
                "`language_model.name` in settings.yaml"
            )
        if status in (408, 409, 429) or status >= 500:
            return ToolFailure(
                f"the language model answered with status {status}", _retry_after(error.response.headers)
            )
        return InvalidData(f"the language model refused the request with status {status}")
    return UnexpectedOutput(f"the language model answered with what its SDK can't read ({type(error).__name__})")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _output(request: Request, told: Any) -> Output:
    return OUTPUTS[request.kind].model_validate(told)
