"""Switches: plays that a rule or a person has switched off; their messages wait until they are switched on again."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from orchestration_project.operations.models import Switch
from orchestration_project.operations.store import Transaction

ALL = "*"
"""In the place of a play: every play."""
RULE = "rule"
"""Who switches where no person does."""


def turn(tx: Transaction, play: str, state: str, reason: str) -> None:
    """Switches a play, or all, `off` or `on`."""
    row = {"play": play, "state": state, "reason": reason, "by": tx.who, "at": tx.now}
    tx.session.add(Switch(created_at=tx.now, **row))
    tx.note(f"switched {state}", Switch.__tablename__, play, reason, {"state": state})


def latest(session: orm.Session) -> Sequence[Switch]:
    """The switch of each play that was ever switched, as it is now."""
    newest = sa.select(sa.func.max(Switch.id)).group_by(Switch.play)
    return session.scalars(sa.select(Switch).where(Switch.id.in_(newest)).order_by(Switch.play)).all()


def off_by_rule(tx: Transaction, reasons: Mapping[str, str]) -> list[str]:
    """Switches plays off, for a reason each, that nobody ever switched, and returns them; `tx.who` is `RULE`.

    What a person has switched on again stays on: the person knew why it was off.
    """
    turned = sorted(reasons.keys() - set(tx.session.scalars(sa.select(Switch.play).distinct())))
    for play in turned:
        turn(tx, play, "off", reasons[play])
    return turned


def off(session: orm.Session) -> set[str]:
    """The plays that are switched off now."""
    return {switch.play for switch in latest(session) if switch.state == "off"}
