"""The runtime: attempts, time-outs, deadline and concurrency, and that nothing is asked twice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestration_project.agents.errors import HumanNeeded, InvalidData, ToolFailure, UnexpectedOutput
from orchestration_project.agents.replies import Replies
from orchestration_project.agents.runtime import CallFailed, Limits, Runtime
from orchestration_project.contracts.manifest import Backoff
from orchestration_project.manifests import HEALTH, manifest
from orchestration_project.settings import Home

QUICK = Limits(timeout_seconds=0.05, deadline_seconds=5, backoff=Backoff(first_seconds=1, factor=2, most_seconds=30))

NO_PAUSE = Backoff(first_seconds=0.01, factor=1, most_seconds=0.01)


class Waits:
    """Notes how long was to be slept, and does not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await anyio.lowlevel.checkpoint()


def runtime(limits: Limits = QUICK, waits: Waits | None = None, **more: Any) -> Runtime:
    return Runtime(limits, sleep=waits or Waits(), draw=lambda: 1.0, **more)


def answers(*turns: Any) -> Callable[[], Awaitable[Any]]:
    """A call that raises or returns each of these in turn."""
    left = list(turns)

    async def ask() -> Any:
        turn = left.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn

    return ask


def call(made: Runtime, ask: Callable[[], Awaitable[Any]], key: str = "k") -> Any:
    return anyio.run(made.call, key, "crm", ask)


def test_a_transient_error_is_tried_again_with_growing_waits() -> None:
    waits = Waits()
    reply = call(runtime(waits=waits), answers(ToolFailure("away"), UnexpectedOutput("odd"), {"rows": 1}))
    assert reply.value == {"rows": 1}
    assert [attempt.error for attempt in reply.attempts] == ["away", "odd", None]
    assert waits.seconds == [1, 2]


def test_waits_are_drawn_between_half_and_the_whole() -> None:
    waits = Waits()
    made = Runtime(QUICK, sleep=waits, draw=lambda: 0.0)
    call(made, answers(ToolFailure("away"), ToolFailure("away"), 1))
    assert waits.seconds == [0.5, 1]


def test_who_asks_for_a_pause_gets_it() -> None:
    waits = Waits()
    call(runtime(waits=waits), answers(ToolFailure("slow down", retry_after=17), 1))
    assert waits.seconds == [17]


@pytest.mark.parametrize("error", [InvalidData("unknown customer"), HumanNeeded("not allowed")])
def test_what_another_try_would_not_mend_is_tried_once(error: Exception) -> None:
    with pytest.raises(CallFailed) as failed:
        call(runtime(), answers(error, 1))
    assert failed.value.error is error
    assert len(failed.value.attempts) == 1


def test_after_all_attempts_the_failure_carries_each_of_them() -> None:
    with pytest.raises(CallFailed, match="three") as failed:
        call(runtime(), answers(ToolFailure("one"), ToolFailure("two"), ToolFailure("three"), 1))
    assert [attempt.number for attempt in failed.value.attempts] == [1, 2, 3]


def test_a_call_that_takes_too_long_is_given_up_and_made_again() -> None:
    turns = iter([anyio.sleep_forever, None])

    async def ask() -> str:
        hang = next(turns)
        if hang:
            await hang()
        return "there"

    reply = call(runtime(), ask)
    assert reply.value == "there"
    assert reply.attempts[0].error == "no answer within 0.05 s"


def test_a_mistake_in_the_code_is_no_failure_of_a_tool() -> None:
    with pytest.raises(ZeroDivisionError):
        call(runtime(), answers(ZeroDivisionError()))


def test_what_was_answered_once_is_not_asked_again(tmp_path: Path) -> None:
    with Replies(tmp_path / "replies.db") as replies:
        call(runtime(replies=replies), answers(0))
        again = runtime(replies=replies)
        reply = call(again, answers())
    assert (reply.value, reply.attempts) == (0, ())
    assert (again.counts.calls, again.counts.remembered) == (0, 1)


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    with Replies(tmp_path / "replies.db") as replies:
        with pytest.raises(CallFailed):
            call(runtime(replies=replies), answers(InvalidData("no")))
        assert call(runtime(replies=replies), answers("yes")).value == "yes"


def test_no_more_calls_than_allowed_are_under_way() -> None:
    under_way, most = 0, 0

    async def work(_: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.001)
        under_way -= 1

    made = Runtime(Limits(concurrency=4))
    done = anyio.run(made.each, range(40), work)
    assert (len(done), most) == (40, 4)


def test_items_fail_one_by_one_and_falsy_values_are_values() -> None:
    async def work(item: int) -> int:
        if item == 2:
            raise CallFailed(InvalidData("unknown"), ())
        return 0

    told: list[tuple[int, int, int]] = []
    done = anyio.run(runtime().each, [1, 2, 3], work, lambda *counts: told.append(counts))
    assert (done[1], done[3]) == (0, 0)
    assert isinstance(done[2], CallFailed)
    assert told[-1] == (3, 3, 1)


def test_the_deadline_ends_the_step_and_what_was_done_stays_done() -> None:
    async def work(item: int) -> int:
        if item > 1:
            await anyio.sleep_forever()
        return item

    made = Runtime(Limits(deadline_seconds=0.2, timeout_seconds=60, concurrency=2))
    done = anyio.run(made.each, range(5), work)
    assert (done[0], done[1]) == (0, 1)
    assert all("deadline of 0.2 s passed" in str(done[item]) for item in (2, 3, 4))


def test_what_the_deadline_cuts_off_keeps_the_attempts_it_had() -> None:
    made = Runtime(Limits(deadline_seconds=0.3, timeout_seconds=0.1, concurrency=1, backoff=NO_PAUSE, attempts=9))

    async def work(item: str) -> Any:
        return await made.call(item, "crm", anyio.sleep_forever)

    done = anyio.run(made.each, ["under way", "never begun"], work)
    cut, never = done["under way"], done["never begun"]
    assert isinstance(cut, CallFailed) and isinstance(never, CallFailed)
    assert [attempt.number for attempt in cut.attempts] == list(range(1, len(cut.attempts) + 1))
    assert {attempt.error for attempt in cut.attempts[:-1]} == {"no answer within 0.1 s"}
    assert "given up" in str(cut.attempts[-1].error)
    assert never.attempts == ()


def test_a_run_that_is_stopped_stops_its_calls_and_keeps_what_was_answered(tmp_path: Path) -> None:
    stopped: list[str] = []

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append("hang")

    async def stop_soon(made: Runtime) -> None:
        async def work(item: str) -> Any:
            return await made.call(item, "crm", answers(1) if item == "quick" else hang)

        with anyio.move_on_after(0.1):
            await made.each(["quick", "slow", "slow too"], work)

    with Replies(tmp_path / "replies.db") as replies:
        made = Runtime(Limits(timeout_seconds=60, deadline_seconds=60, concurrency=2), replies)
        anyio.run(stop_soon, made)
        assert stopped == ["hang", "hang"]
        assert len(replies) == 1
        assert call(runtime(replies=replies), answers(), "quick").value == 1


def test_progress_is_told_after_every_item() -> None:
    told: list[tuple[int, int, int]] = []

    async def work(item: int) -> int:
        if item % 2:
            raise CallFailed(ToolFailure("away"), ())
        return item

    anyio.run(Runtime(Limits(concurrency=1)).each, range(4), work, lambda *counts: told.append(counts))
    assert told == [(1, 4, 0), (2, 4, 1), (3, 4, 1), (4, 4, 2)]


def test_there_are_four_classes_of_error_and_each_has_a_pathway_in_the_manifest() -> None:
    classes = {
        error.error_class: error.transient for error in (InvalidData, ToolFailure, UnexpectedOutput, HumanNeeded)
    }
    assert classes == {
        "missing_or_invalid_data": False, "tool_failure": True, "unexpected_output": True, "human_needed": False,
    }  # fmt: skip
    handling = manifest(Home(Path("/nowhere")), HEALTH).handling.model_dump()
    assert handling.keys() == classes.keys()
