"""Store: how commands open the operations store of a home, and in whose name they write."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration_project.cli.errors import CommandError
from orchestration_project.domain.texts import unseen
from orchestration_project.settings import Home

if TYPE_CHECKING:
    from orchestration_project.operations.store import Store

USER_VARIABLE = "ORCHESTRATE_USER"
LONGEST_NAME = 120


@contextmanager
def opened_store(home: Home) -> "Iterator[Store]":
    """The store of a home, which is made where there is none yet."""
    from orchestration_project.operations.store import Store

    home.require()
    with Store.open(home) as store:
        yield store


@contextmanager
def existing_store(home: Home) -> "Iterator[Store | None]":
    """The store of a home; None where nothing was ever kept in it."""
    from orchestration_project.operations.store import Store

    home.require()
    store = Store.existing(home)
    if store is None:
        yield None
        return
    with store:
        yield store


def user(named: str | None) -> str:
    """Who acts: whom the command names, else `ORCHESTRATE_USER`, else the login name."""
    try:
        found = named or os.environ.get(USER_VARIABLE) or getpass.getuser()
    except (KeyError, OSError) as error:
        raise CommandError(f"This login has no name; pass --as-user, or export {USER_VARIABLE}.") from error
    if not found.strip() or len(found) > LONGEST_NAME or unseen(found):
        raise CommandError(f"{found!r} is no name of a person; pass --as-user with a short line of visible text.")
    return found.strip()


def end_of(text: str, now: datetime, option: str) -> datetime:
    """The end, in UTC, of the day that an option names; it must be to come."""
    try:
        end = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option} {text!r} is no date; write it as 2026-11-22.") from error
    if end <= now:
        raise CommandError(f"{option} {text} is over (UTC); name a later day.")
    return end
