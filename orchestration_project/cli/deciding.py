"""Deciding: the commands by which people decide review items; each claims the item first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestration_project.cli import editor
from orchestration_project.cli.console import emit_json, moment, say
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.reviews import SHORT
from orchestration_project.cli.store import opened_store, user
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

if TYPE_CHECKING:
    from orchestration_project.operations.models import ReviewItem
    from orchestration_project.operations.store import Transaction

GOES = "It goes out with the next delivery: within a minute while Dagster's daemon runs, or by `orchestrate deliver`."


class Unchanged(CommandError):
    """A text that was to be edited and is as it was."""


class Desk:
    """One person at the queue of a home."""

    def __init__(self, home: Home, as_user: str | None, as_json: bool) -> None:
        self._home, self._who, self._as_json = home, user(as_user), as_json
        self._now = Workspace(home).now

    def claim(self, start: str, minutes: float) -> None:
        """Takes an item, so that nobody else decides it meanwhile."""
        from orchestration_project.operations import reviews

        with self._item(start) as (tx, item):
            reviews.claim(tx, item.id, minutes)
        assert item.claimed_until is not None
        self._tell(item, f"{self._who} has {item.id[:SHORT]} until {moment(item.claimed_until, self._now())}.")

    def approve(self, start: str, reason: str | None) -> None:
        """Has the action done as it was drafted."""
        from orchestration_project.operations import reviews

        self._decide(start, lambda tx, name: reviews.approve(tx, name, reason), f"Approved. {GOES}")

    def reject(self, start: str, reason: str) -> None:
        """Has the action not done."""
        from orchestration_project.operations import reviews

        self._decide(start, lambda tx, name: reviews.reject(tx, name, reason), "Rejected. Nothing is sent.")

    def reassign(self, start: str, owner: str, queue: str | None, reason: str) -> None:
        """Gives the item to another owner."""
        from orchestration_project.operations import reviews

        told = f"It is {owner}'s now."
        self._decide(start, lambda tx, name: reviews.reassign(tx, name, owner, reason, queue), told)

    def resolve(self, start: str, answer: Literal["sent", "resend", "give_up"] | None, reason: str) -> None:
        """Closes an item about no action, or says what became of a message."""
        from orchestration_project.operations import reviews, uncertain

        if answer is None:
            self._decide(start, lambda tx, name: reviews.resolve(tx, name, reason), "Resolved.")
            return
        with self._item(start) as (tx, item):
            reviews.claim(tx, item.id)
            state = uncertain.resolve(tx, item.id, answer, reason)
        self._tell(item, f"Resolved. The message is {state}.")

    def edit(self, start: str, subject: str | None, body_file: Path | None, reason: str | None) -> None:
        """Has the action done with another text: from options, or written in an editor while the item is claimed."""
        if subject is not None or body_file is not None:
            body = None if body_file is None else editor.read(body_file).strip("\n")
            self._edit(start, lambda old: old.replaced(subject, body), reason)
            return
        from orchestration_project.operations import reviews

        chosen = editor.command()
        with self._item(start) as (tx, item):
            reviews.claim(tx, item.id)
            if item.body is None:
                raise reviews.Refused("this item has no text that could be edited; approve, reject or resolve it")
            file = editor.draft_file(_text(item))
        try:
            text = editor.edited(chosen, file)
            self._edit(item.id, lambda _: text, reason)
        except Unchanged:
            file.unlink()
            raise
        except Exception as error:
            raise CommandError(f"{_sentence(error)} What you wrote is in {file}.") from error
        file.unlink()

    def _edit(self, start: str, change: "Callable[[editor.Text], editor.Text]", reason: str | None) -> None:
        from orchestration_project.operations import reviews

        with self._item(start) as (tx, item):
            reviews.claim(tx, item.id)
            old = _text(item)
            new = change(old)
            if new == old:
                raise Unchanged("The text is as it was; approve the item, or change something.")
            reviews.edit(tx, item.id, new.subject or None, new.body, reason)
        self._tell(item, f"Approved with {item.edit_distance or 0:.0%} of the words changed. {GOES}")

    def _decide(self, start: str, decide: "Callable[[Transaction, str], ReviewItem]", told: str) -> None:
        from orchestration_project.operations import reviews

        with self._item(start) as (tx, item):
            reviews.claim(tx, item.id)
            decide(tx, item.id)
        self._tell(item, told)

    @contextmanager
    def _item(self, start: str) -> "Iterator[tuple[Transaction, ReviewItem]]":
        from orchestration_project.operations import reviews

        with opened_store(self._home) as store, store.transaction(self._who, self._now()) as tx:
            yield tx, reviews.find(tx.session, start)

    def _tell(self, item: "ReviewItem", told: str) -> None:
        if self._as_json:
            emit_json(item.values())
        else:
            say(told)


def _text(item: "ReviewItem") -> editor.Text:
    return editor.Text(item.subject or "", (item.body or "").strip("\n"))


def _sentence(error: Exception) -> str:
    from orchestration_project.cli.errors import known_error

    known = known_error(error)
    if known is None:
        raise error
    return known
