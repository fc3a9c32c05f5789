"""Conduct: whether what left the system over a long time kept the rules, told from the outbox and the store."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.contracts.manifest import Acts
from orchestration_project.domain.control import in_control
from orchestration_project.domain.quiet_hours import Quiet, allowed_from
from orchestration_project.operations.models import Action, OutboxMessage, ReviewItem
from orchestration_project.resources import Workspace


@dataclass(frozen=True)
class Conduct:
    """How many messages left, how many broke which rule, and what people were asked."""

    mails: int
    alerts: int
    broken: dict[str, int]
    unsent: dict[str, int]
    """Messages by state, but for those that were sent."""
    asked: dict[str, int]
    """Review items by reason."""


def conduct(session: orm.Session, workspace: Workspace) -> Conduct:
    """The conduct of a home so far."""
    wanted = sa.select(OutboxMessage, Action).join(Action, Action.id == OutboxMessage.action_id)
    pairs = [(message, action) for message, action in session.execute(wanted)]
    states = Counter(session.scalars(sa.select(OutboxMessage.state)))
    asked = Counter(session.scalars(sa.select(ReviewItem.reason_code)))
    left = [(message, action) for message, action in pairs if message.state == "sent"]
    sent = [(message, action) for message, action in left if message.record_of is None]
    mails = [pair for pair in sent if pair[0].kind == "email"]
    acts = workspace.workflow.roles[workspace.workflow.step("outreach")].acts
    assert acts is not None
    learning = workspace.settings.learning
    names = [action.customer_id for _, action in sent]
    broken = {
        "twice for one customer, play, cause and episode": _repeated(sent),
        "files that are not the messages sent": _other_files(workspace, [message for message, _ in left]),
        "mails over the cap": _over_cap(mails, acts),
        "mails in quiet hours": sum(_is_quiet(message) for message, _ in mails),
        "to customers held back": sum(in_control(n, learning.control_salt, learning.control_share) for n in names),
    }
    return Conduct(
        len(mails), len(sent) - len(mails), broken, {s: n for s, n in states.items() if s != "sent"}, dict(asked)
    )


def _repeated(sent: Sequence[tuple[OutboxMessage, Action]]) -> int:
    return sum(n - 1 for n in Counter((a.customer_id, a.play, a.cause, a.episode_id) for _, a in sent).values())


def _other_files(workspace: Workspace, sent: Sequence[OutboxMessage]) -> int:
    """Mails and lines in the outbox folder that are no message sent, and the other way round."""
    outbox = workspace.home.outbox
    lines = [line for file in outbox.glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    there = Counter(file.name for file in outbox.glob("*.eml"))
    there.update(json.loads(line)["idempotency_key"] for line in lines)
    told = Counter(m.receipt["file"] if m.kind == "email" else m.idempotency_key for m in sent)  # type: ignore[index]
    return ((there - told) + (told - there)).total()


def _over_cap(mails: Sequence[tuple[OutboxMessage, Action]], acts: Acts) -> int:
    """Mails that reached a customer where `cap.actions` others had within the days before, of the calendar in UTC."""
    if acts.cap is None:
        return 0
    by_customer: dict[str, list[date]] = {}
    for message, action in mails:
        by_customer.setdefault(action.customer_id, []).append(_sent(message).date())
    return sum(
        sum(0 <= (day - other).days < acts.cap.days for other in days) > acts.cap.actions
        for days in by_customer.values()
        for day in days
    )


def _is_quiet(message: OutboxMessage) -> bool:
    quiet: dict[str, Any] | None = message.quiet
    if quiet is None:
        return True
    hours = Quiet(quiet["start"], quiet["end"], quiet["weekends"])
    return allowed_from(_sent(message), quiet["zone"], hours, quiet["usual"]) > _sent(message)


def _sent(message: OutboxMessage) -> datetime:
    assert message.sent_at is not None
    return message.sent_at
