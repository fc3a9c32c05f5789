"""Locks: any number of processes may be at work in a home, or one that needs it to itself."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1


class HomeBusy(Exception):
    """A home in which others are at work; names it and the fix."""


@contextmanager
def shared(home: Path) -> Iterator[None]:
    """At work together with others; waits while somebody needs the home to itself. A home that is not there is free."""
    if not home.is_dir():
        yield
        return
    with _opened(home) as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(
    home: Path,
    patience: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """With the home to itself; `HomeBusy` where others are still at work after `patience` seconds."""
    with _opened(home) as handle:
        until = clock() + patience
        while not _taken(handle):
            if clock() >= until:
                raise HomeBusy(
                    f"{home} is in use, by a scan or another command that reads or writes its tables; wait until that "
                    "has ended and run the same command again."
                )
            sleep(LOOK_SECONDS)
        yield


@contextmanager
def _opened(home: Path) -> Iterator[int]:
    # The folder itself is locked: nothing has to be written for it, and a kill leaves nothing behind.
    handle = os.open(home, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
