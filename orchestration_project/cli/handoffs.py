"""Handoffs: the command that prints what each step handed to the next."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from orchestration_project.cli.console import table, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import run_ids
from orchestration_project.cli.show import scanned_day
from orchestration_project.contracts.handoff import Envelope
from orchestration_project.handoffs import Handoffs
from orchestration_project.manifests import manifest
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources


def show_handoffs(home: Home, customer: str | None, day: str | None, workflow: str, as_json: bool) -> None:
    """Prints one customer's handoffs as JSON Lines, or all customers' or a summary of them."""
    load_sources(home)
    found, workspace = manifest(home, workflow), Workspace(home)
    with workspace.lake() as lake:
        scanned = scanned_day(day, lake, workspace)
        handoffs = Handoffs(lake, found, scanned, lambda tables: run_ids(home, lake, tables, scanned))
        if customer is not None:
            _print(_known(handoffs.of(customer), customer, scanned))
        elif as_json:
            _print(handoffs.each())
        else:
            with working("Reading handoffs"):
                _summarize(handoffs.each(), scanned, list(found.roles))


def _known(handoffs: list[Envelope], customer: str, day: date) -> list[Envelope]:
    if not handoffs:
        raise CommandError(
            f"Customer {customer!r} has no handoff on {day}: unknown, not signed up yet, or gone by then; "
            "`orchestrate top --json` lists customers that are in the scan."
        )
    return handoffs


def _print(handoffs: Iterable[Envelope]) -> None:
    for each in handoffs:
        sys.stdout.write(each.model_dump_json() + "\n")


def _summarize(handoffs: Iterable[Envelope], day: date, steps: Sequence[str]) -> None:
    counts = Counter((each.step, each.status, each.next_step) for each in handoffs)
    rows = [
        (*way, f"{number:,}")
        for way, number in sorted(counts.items(), key=lambda each: (steps.index(each[0][0]), str(each[0])))
    ]
    table(f"Handoffs of {day}", ("step", "status", "next step", "handoffs"), rows, right=("handoffs",))
