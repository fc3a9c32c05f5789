"""Outgoing: what follows from what people decided, and what came back; each part happens once, whoever runs it."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration_project.operations import inbound, outbox, responses, reviews, uncertain
from orchestration_project.operations.channels import open as opening
from orchestration_project.operations.delivery import DESK, Pace, deliver
from orchestration_project.operations.models import OutboxMessage
from orchestration_project.operations.response import Response
from orchestration_project.operations.store import Store
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import load_sources

LOOKED_AT = 200
"""Rows of each kind that a look at what waits goes through."""
UNPACED = Pace(per_minute=1e9)
"""Each channel keeps the pace that settings name for it; the worker adds none."""


@dataclass(frozen=True)
class Waiting:
    """What is to be done now, by the identifiers of its rows, up to `LOOKED_AT` of each kind."""

    overdue: tuple[str, ...] = ()
    """Review items that nobody decided in time."""
    decided: tuple[str, ...] = ()
    """Review items whose approval is to be carried out."""
    due: tuple[str, ...] = ()
    """Messages to send, each with the number of attempts there were."""
    left: tuple[str, ...] = ()
    """Messages whose worker has not come back, likewise."""

    def __bool__(self) -> bool:
        return any((self.overdue, self.decided, self.due, self.left))

    @property
    def key(self) -> str:
        """The same for the same work, and another once any of it was done or tried."""
        parts = (self.overdue, self.decided, self.due, self.left)
        return hashlib.sha256("\n".join(" ".join(part) for part in parts).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Rehearsal:
    """What a round would do."""

    overdue: int
    queued: int
    left: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Those that would leave, or would be cancelled and why."""


def waiting(workspace: Workspace) -> Waiting:
    """What is to be done now; nothing where there is no store."""
    store = Store.existing(workspace.home)
    if store is None:
        return Waiting()
    now, names = workspace.now(), _names(workspace)
    with store, store.reading() as session:
        return Waiting(
            tuple(item.id for item in reviews.late(session, now, LOOKED_AT)),
            tuple(item.id for item in reviews.to_carry_on(session, LOOKED_AT)),
            tuple(_tried(row) for row in outbox.due(session, now, names, LOOKED_AT)),
            tuple(_tried(row) for row in uncertain.left(session, now, LOOKED_AT)),
        )


def _tried(message: OutboxMessage) -> str:
    return f"{message.id}/{message.attempts}"


def _names(workspace: Workspace) -> frozenset[str]:
    return opening.names(workspace.settings.channels, load_sources(workspace.home).servers)


class Outgoing:
    """One worker's round: reviews expire, approvals go into the outbox, answers are read, messages leave."""

    def __init__(self, workspace: Workspace, store: Store, worker: str) -> None:
        self._workspace, self._store, self._worker = workspace, store, worker

    def expire(self) -> int:
        """Closes review items that nobody decided in time; how many."""
        count, closed = 0, reviews.AT_ONCE
        while closed == reviews.AT_ONCE:
            with self._store.transaction(self._worker, self._workspace.now()) as tx:
                closed = reviews.expire(tx)
            count += closed
        return count

    def carry_on(self) -> Counter[str]:
        """Carries out what was approved; how many messages were queued, and how many approvals led to none."""
        done: Counter[str] = Counter()
        while True:
            with self._store.reading() as session:
                items = reviews.to_carry_on(session)
            if not items:
                return done
            for item in items:
                with self._store.transaction(self._worker, self._workspace.now()) as tx:
                    done["queued" if reviews.carry_on(tx, item.id) else "without message"] += 1

    def read(self, folder: Path | None = None) -> Counter[str]:
        """Records what came back, from a folder of mails or else the mailbox; how many mails of which kind."""
        settings, done = self._workspace.settings.channels.inbox, Counter[str]()
        if folder is None and settings.host is None:
            return done

        def keep(response: Response) -> None:
            with self._store.transaction(self._worker, self._workspace.now()) as tx:
                done[responses.receive(tx, response)] += 1

        if folder is not None:
            mails = inbound.folder(folder)
        else:
            username = opening.secret(settings.username_variable or "", "channels.inbox.username_variable")
            password = opening.secret(settings.password_variable or "", "channels.inbox.password_variable")
            mails = inbound.mailbox(settings, username, password)
        inbound.take_in(mails, keep, self._workspace.now())
        return done

    def deliver(self, limit: int) -> Counter[str]:
        """Hands up to `limit` due messages to their channels; how many ended in which state."""
        home, settings = self._workspace.home, self._workspace.settings.channels
        servers, tools = load_sources(home).servers, self._workspace.workflow.tools_to_act
        with opening.channels(settings, home, servers, tools, self._workspace.now) as channels:
            return deliver(self._store, channels, self._worker, self._workspace.now, limit, pace=UNPACED)

    def rehearse(self, limit: int) -> Rehearsal:
        """What a round would do with up to `limit` messages; nothing is changed or sent."""
        names = _names(self._workspace)
        with self._store.rehearsal(self._worker, self._workspace.now()) as tx:
            overdue = reviews.expire(tx)
            queued = [reviews.carry_on(tx, item.id) for item in reviews.to_carry_on(tx.session)]
            left = len(uncertain.left(tx.session, tx.now))
            uncertain.sweep(tx, DESK)
            due = outbox.due(tx.session, tx.now, names, limit)
            outbox.claim(tx, self._worker, names, limit, UNPACED.lease)
            return Rehearsal(overdue, sum(each is not None for each in queued), left, [_told(row) for row in due])


def _told(message: OutboxMessage) -> dict[str, Any]:
    wanted = ("id", "kind", "channel", "recipient", "not_before")
    told = {name: getattr(message, name) for name in wanted} | {"subject": message.payload.get("subject")}
    return told | {"cancelled": message.error if message.state == "cancelled" else None}
