"""The circuit breaker: when a server counts as away, who tries whether it is back, and when it is given up."""

import anyio
import pytest

from orchestration_project.agents.breaker import FAILURES, FIRST_PAUSE, Breaker
from orchestration_project.agents.errors import ServerGone


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker("crm", 60, time, time.sleep)


def broken(breaker: Breaker, times: int = FAILURES) -> Breaker:
    for _ in range(times):
        breaker.failed()
    return breaker


def test_calls_pass_until_several_in_a_row_fail(breaker: Breaker, time: Time) -> None:
    broken(breaker, FAILURES - 1)
    breaker.answered()
    broken(breaker, FAILURES - 1)
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open


def test_a_call_waits_while_the_server_is_away_and_then_tries_whether_it_is_back(breaker: Breaker, time: Time) -> None:
    broken(breaker)
    anyio.run(breaker.admitted)
    assert time.now == pytest.approx(100 + FIRST_PAUSE)
    breaker.answered()
    assert not breaker.is_open


def test_one_call_alone_tries_and_the_others_wait_for_what_it_finds(time: Time) -> None:
    breaker = broken(Breaker("crm", 60, time, lambda _: anyio.lowlevel.checkpoint()))
    time.now += FIRST_PAUSE
    admitted: list[int] = []

    async def call(n: int) -> None:
        await breaker.admitted()
        admitted.append(n)

    async def calls() -> None:
        async with anyio.create_task_group() as group:
            for n in range(5):
                group.start_soon(call, n)
            while not admitted:
                await anyio.lowlevel.checkpoint()
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert len(admitted) == 1
            breaker.answered()

    anyio.run(calls)
    assert sorted(admitted) == [0, 1, 2, 3, 4]


def test_pauses_between_tries_double(breaker: Breaker, time: Time) -> None:
    broken(breaker)
    tried = []
    for _ in range(4):
        anyio.run(breaker.admitted)
        tried.append(time.now - 100)
        breaker.failed()
    assert tried == pytest.approx([1, 3, 7, 15])


def test_a_server_that_stays_away_is_given_up_after_the_patience(breaker: Breaker, time: Time) -> None:
    broken(breaker)

    async def until_given_up() -> None:
        while True:
            await breaker.admitted()
            breaker.failed()

    with pytest.raises(ServerGone, match="server crm has not answered for 60 s"):
        anyio.run(until_given_up)
    assert time.now == pytest.approx(160)


def test_a_try_that_was_cancelled_leaves_the_way_to_the_next(breaker: Breaker, time: Time) -> None:
    broken(breaker)
    anyio.run(breaker.admitted)
    breaker.abandoned()
    at = time.now
    anyio.run(breaker.admitted)
    assert time.now == at
