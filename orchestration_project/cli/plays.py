"""Plays: the commands that show what is done for customers, and switch it off and on."""

from collections.abc import Iterator
from typing import Any, Literal

from rich.markup import escape

from orchestration_project.cli.console import emit_json, moment, say, table
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.store import existing_store, opened_store, user
from orchestration_project.domain.plan import ALERT_PLAY
from orchestration_project.domain.texts import clean
from orchestration_project.manifests import manifest, manifest_files
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

ALL = "*"


def show_plays(home: Home, as_json: bool) -> None:
    """Prints every play and whether it is on."""
    from orchestration_project.operations import switches

    now = Workspace(home).now()
    with existing_store(home) as store:
        known = {}
        if store is not None:
            with store.reading() as session:
                known = {each.play: each for each in switches.latest(session)}
    rows = []
    for play, factor in [*_plays(home), (ALL, None)]:
        switch = known.get(play)
        state = switch.state if switch else "on"
        rows.append({"play": play, "factor": factor, "state": state, "at": switch.at if switch else None,
                     "by": switch.by if switch else None, "reason": switch.reason if switch else None})  # fmt: skip
    if as_json:
        emit_json(rows)
        return
    cells = [_cells(row, now) for row in rows]
    table("Plays", ("play", "factor", "state", "since", "by", "reason"), cells)


def _cells(row: dict[str, Any], now: Any) -> tuple[Any, ...]:
    since = moment(row["at"], now) if row["at"] else None
    name = "* (all)" if row["play"] == ALL else row["play"]
    return name, row["factor"], row["state"], since, *(escape(clean(row[key] or "")) for key in ("by", "reason"))


def turn(home: Home, play: str, state: Literal["off", "on"], reason: str, as_user: str | None, as_json: bool) -> None:
    """Switches a play, or all, off or on."""
    from orchestration_project.operations import switches

    now, who = Workspace(home).now(), user(as_user)
    home.require()
    names = [name for name, _ in _plays(home)]
    if play not in (*names, ALL):
        raise CommandError(f"There is no play {play!r}; use one of {', '.join(names)}, or '*' for all.")
    if not reason.strip():
        raise CommandError("--reason is empty; say why.")
    with opened_store(home) as store, store.transaction(who, now) as tx:
        switches.turn(tx, play, state, reason)
    if as_json:
        emit_json({"play": play, "state": state, "by": who, "at": now, "reason": reason})
    elif state == "off":
        say(f"{play} is off: nothing is planned by it any more, and its messages wait.")
    else:
        say(f"{play} is on: it is planned by again, and its messages that waited are sent.")


def _plays(home: Home) -> Iterator[tuple[str, str | None]]:
    """The plays of all workflows, with the factor that each is about."""
    home.require()
    found: dict[str, str | None] = {}
    for name in manifest_files(home):
        for role in manifest(home, name).roles.values():
            found |= {play: each.factor for play, each in role.plays.items()}
            if role.agent == "account_alert":
                found[ALERT_PLAY] = None
    yield from found.items()
