"""Runtime: makes calls for many customers at once, within time-outs, attempts and a deadline, and records each attempt.

What is called, and what is made of the answer, does not belong here.
"""

import random
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from orchestration_project.agents.breaker import Breaker
from orchestration_project.agents.errors import AgentError, DeadlinePassed, ToolFailure
from orchestration_project.agents.replies import Replies
from orchestration_project.contracts.manifest import Backoff, Role

Item = TypeVar("Item", bound=Hashable)
Value = TypeVar("Value")
_MADE: ContextVar[list["Attempt"]] = ContextVar("attempts for the item that a worker is at")
Progress = Callable[[int, int, int], None]
"""Told how many items are done, of how many, and how many of these failed."""


@dataclass(frozen=True)
class Limits:
    """What a step may take; see the fields of a manifest's role."""

    timeout_seconds: float = 30
    deadline_seconds: float = 3600
    attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    concurrency: int = 8
    patience_seconds: float = 60

    @classmethod
    def of(cls, role: Role, retry: bool = True) -> "Limits":
        """The limits of a role; without `retry` a call is made once."""
        return cls(
            role.timeout_seconds, role.deadline_seconds, role.attempts if retry else 1, role.backoff, role.concurrency,
            role.patience_seconds,
        )  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """One call: when it began, in seconds since the step did, how long it took, and what went wrong, if anything."""

    number: int
    at_seconds: float
    seconds: float
    error: str | None = None


class CallFailed(Exception):
    """A call that failed for good, with all its attempts."""

    def __init__(self, error: AgentError, attempts: tuple[Attempt, ...]) -> None:
        super().__init__(str(error))
        self.error, self.attempts = error, attempts


@dataclass(frozen=True)
class Reply(Generic[Value]):
    """What a call answered, and the attempts it took; none where the reply was there from an earlier run."""

    value: Value
    attempts: tuple[Attempt, ...]


@dataclass
class Counts:
    """What a runtime did so far."""

    calls: int = 0
    remembered: int = 0
    again: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)


class Runtime:
    """Makes calls within limits. One for each step and run; not for several threads."""

    def __init__(
        self,
        limits: Limits,
        replies: Replies | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._limits, self._replies, self._clock, self._sleep, self._draw = limits, replies, clock, sleep, draw
        self._started = clock()
        self._breakers: dict[str, Breaker] = {}
        self.counts = Counts()

    async def call(
        self, key: str, server: str, ask: Callable[[], Awaitable[Value]], customer_id: str | None = None
    ) -> Reply[Value]:
        """The reply to `key`: as kept, or asked for; `CallFailed` where it can't be had.

        `ask` raises an `AgentError` where it fails. What it returns must be JSON, and is kept before it is returned.
        """
        kept = self._replies.get(key) if self._replies is not None else None
        if kept is not None:
            self.counts.remembered += 1
            return Reply(kept, ())
        attempts: list[Attempt] = []
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._limits.attempts),
            retry=retry_if_exception(lambda error: isinstance(error, AgentError) and error.transient),
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            value: Value = await retrying(self._attempt, server, ask, attempts)
        except AgentError as error:
            self.counts.failed += 1
            raise CallFailed(error, tuple(attempts)) from error
        if self._replies is not None:
            self._replies.keep(key, value, customer_id)
        return Reply(value, tuple(attempts))

    async def each(
        self, items: Iterable[Item], work: Callable[[Item], Awaitable[Value]], progress: Progress | None = None
    ) -> dict[Item, Value | CallFailed]:
        """`work` of every item, so many at once; what could not be done by the deadline is a `CallFailed` too."""
        wanted = list(items)
        done: dict[Item, Value | CallFailed] = {}
        made: dict[Item, list[Attempt]] = {}
        left = iter(wanted)
        failed = 0

        async def worker() -> None:
            nonlocal failed
            for item in left:
                _MADE.set(made.setdefault(item, []))
                try:
                    done[item] = await work(item)
                except CallFailed as error:
                    done[item] = error
                    failed += 1
                if progress:
                    progress(len(done), len(wanted), failed)

        with anyio.move_on_after(self._limits.deadline_seconds - (self._clock() - self._started)):
            async with anyio.create_task_group() as workers:
                for _ in range(min(self._limits.concurrency, len(wanted))):
                    workers.start_soon(worker)
        late = DeadlinePassed(f"the step's deadline of {self._limits.deadline_seconds:g} s passed before it was done")
        return {item: done[item] if item in done else CallFailed(late, tuple(made.get(item, ()))) for item in wanted}

    async def _attempt(self, server: str, ask: Callable[[], Awaitable[Value]], attempts: list[Attempt]) -> Value:
        breaker = self._breaker(server)
        await breaker.admitted()
        began = self._clock()
        self.counts.calls += 1
        self.counts.again += bool(attempts)
        try:
            value = await self._in_time(ask)
        except AgentError as error:
            attempts.append(self._ended(len(attempts) + 1, began, str(error)))
            # Who asks to be left alone for a while is there.
            if isinstance(error, ToolFailure) and error.retry_after is None:
                breaker.failed()
            else:
                breaker.answered()
            raise
        except anyio.get_cancelled_exc_class():
            breaker.abandoned()
            self._ended(len(attempts) + 1, began, "given up: the step's deadline passed, or the run was stopped")
            raise
        breaker.answered()
        attempts.append(self._ended(len(attempts) + 1, began))
        return value

    async def _in_time(self, ask: Callable[[], Awaitable[Value]]) -> Value:
        with anyio.move_on_after(self._limits.timeout_seconds):
            return await ask()
        raise ToolFailure(f"no answer within {self._limits.timeout_seconds:g} s")

    def _ended(self, number: int, began: float, error: str | None = None) -> Attempt:
        seconds = self._clock() - began
        self.counts.seconds.append(seconds)
        attempt = Attempt(number, round(began - self._started, 3), round(seconds, 3), error)
        _MADE.get([]).append(attempt)
        return attempt

    def _breaker(self, server: str) -> Breaker:
        if server not in self._breakers:
            self._breakers[server] = Breaker(server, self._limits.patience_seconds, self._clock, self._sleep)
        return self._breakers[server]

    def _pause(self, state: RetryCallState) -> float:
        """Seconds before the next attempt: half to the whole of a wait that grows, and no less than was asked for."""
        backoff = self._limits.backoff
        whole = min(backoff.first_seconds * backoff.factor ** (state.attempt_number - 1), backoff.most_seconds)
        error = state.outcome.exception() if state.outcome else None
        asked_for = getattr(error, "retry_after", None) or 0.0
        return max(whole * (1 + self._draw()) / 2, asked_for)
