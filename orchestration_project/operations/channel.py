"""Channel: what takes a message out of the system, and the three ways in which that can go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Message:
    """One message of the outbox, as a channel gets it."""

    outbox_id: str
    idempotency_key: str
    """The same at every attempt; a channel hands it on where the other side can use it."""
    kind: str
    """`email`, `task`, `chat` or `note`."""
    recipient: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """What the other side said when it took a message."""

    external_id: str
    """Its name for the message, by which replies are found."""
    details: Mapping[str, Any] = field(default_factory=dict)


class TransientFailure(Exception):
    """The message was surely not taken, or can be handed over again without harm; a later attempt may succeed."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the other side asked to be left alone for."""


class PermanentFailure(Exception):
    """The message was surely not taken, and never will be as it is."""


class UncertainFailure(Exception):
    """Nobody knows whether the message was taken; a person decides, it is not sent again by itself."""


class Channel(Protocol):
    """A way out: a folder of files, a mail server, a chat, a tool."""

    def send(self, message: Message) -> Receipt:
        """Hands a message over once.

        Raises `TransientFailure`, `PermanentFailure` or `UncertainFailure`; any other error counts as uncertain.
        """
