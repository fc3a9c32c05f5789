"""Console: how commands print, for people and as JSON."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

WIDTH = 150
"""Columns of output that goes to a file or another program."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
err = Console(stderr=True, highlight=False)

BAND_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}
UNITS = {"day": 1440, "hour": 60, "minute": 1}
"""Units of distances in time, in minutes."""
STATE_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def complain(sentence: str) -> None:
    """One sentence on stderr."""
    err.print(sentence, style="red", markup=False, soft_wrap=True)


def say(text: str = "") -> None:
    """One line for people; on stderr, so that stdout holds results only."""
    err.print(text, soft_wrap=True)


def emit_json(value: Any) -> None:
    """One JSON document on stdout; dates and times in ISO form."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False, indent=1) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """A table on stdout; columns named in `right` are aligned to the right."""
    out.print(title, style="bold")
    grid = Table(header_style="bold")
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(grid)


@contextmanager
def working(text: str, quiet: bool = False) -> Iterator[Status | None]:
    """A sign of life on a terminal while something takes its time."""
    if quiet:
        yield None
        return
    with err.status(text) as status:
        yield status


def figures(values: Mapping[str, Any]) -> str:
    """Name and value pairs in one line."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def moment(at: datetime, now: datetime) -> str:
    """A time in UTC, and how far it is from now."""
    return f"{at:%Y-%m-%d %H:%M} UTC ({distance(at, now)})"


def distance(at: datetime, now: datetime) -> str:
    """How far a time is from now, in the largest unit that fits: `in 3 hours`, `2 days ago`."""
    minutes = round(abs((at - now).total_seconds()) / 60)
    if not minutes:
        return "now"
    name, size = next((name, size) for name, size in UNITS.items() if minutes >= size)
    count = minutes // size
    told = f"{count} {name}{'' if count == 1 else 's'}"
    return f"in {told}" if at > now else f"{told} ago"
