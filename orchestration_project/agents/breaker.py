"""Circuit breaker: keeps calls away from a server that does not answer, and lets single ones try whether it does again.

Calls wait while a server is away for a moment, so a restart costs time and no customer; one that stays away for longer
than the patience is given up.
"""

import math
from collections.abc import Awaitable, Callable

import anyio

from orchestration_project.agents.errors import ServerGone

FAILURES = 5
"""Calls in a row that must fail before a server counts as away."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the first try whether it is back, and at most between two."""


LOOK_SECONDS = 1.0
"""Seconds after which a waiting call looks again at what the one that tries has found."""


class Breaker:
    """Whether one server may be called."""

    def __init__(
        self,
        server: str,
        patience_seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._server, self._patience, self._clock, self._sleep = server, patience_seconds, clock, sleep
        self._failures = 0
        self._away_since: float | None = None
        self._next_try = 0.0
        self._pause = FIRST_PAUSE

    @property
    def is_open(self) -> bool:
        """Whether the server counts as away."""
        return self._away_since is not None

    async def admitted(self) -> None:
        """Returns once a call may be made; raises `ServerGone` where the server has been away for too long."""
        while self._away_since is not None:
            now = self._clock()
            if now - self._away_since >= self._patience:
                raise ServerGone(
                    f"server {self._server} has not answered for {now - self._away_since:.0f} s; it is not asked any "
                    "more in this run. See that it is up, then run the step again."
                )
            if now >= self._next_try:
                self._next_try = math.inf
                return
            await self._sleep(min(self._next_try - now, self._patience - (now - self._away_since), LOOK_SECONDS))

    def answered(self) -> None:
        """The server answered a call, be it with an error of its own making about the data."""
        self._failures, self._away_since, self._pause = 0, None, FIRST_PAUSE

    def failed(self) -> None:
        """A call got no answer."""
        self._failures += 1
        if self._failures < FAILURES:
            return
        now = self._clock()
        if self._away_since is None:
            self._away_since, self._next_try = now, now + self._pause
        elif math.isinf(self._next_try):
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._next_try = now + self._pause

    def abandoned(self) -> None:
        """A call was cancelled before it could tell anything; the next one may try in its place."""
        if math.isinf(self._next_try):
            self._next_try = self._clock()
