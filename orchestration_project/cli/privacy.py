"""Privacy: the commands that forget a customer, and that end what was kept for long enough."""

import getpass
import sys
from dataclasses import asdict

import typer

from orchestration_project.cli.console import emit_json, say, table, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import opened
from orchestration_project.erasure import KEPT_BY_LAW, Erased, erase
from orchestration_project.resources import Workspace
from orchestration_project.retention import apply_retention
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources

MOST_PLACES = 10
"""Places that a sentence names."""


def run_erasure(home: Home, customer: str, reason: str, yes: bool, as_json: bool) -> None:
    """Erases a customer after a question, and tells what is left, if anything; then the exit code is 1."""
    load_sources(home)
    if not yes:
        _ask(customer, home, as_json)
    with working("Erasing", quiet=as_json):
        done = erase(Workspace(home), customer, reason, getpass.getuser())
    if as_json:
        emit_json(asdict(done) | {"kept": KEPT_BY_LAW})
    elif not done.left:
        _tell(done)
    if done.left:
        more = f" and {len(done.left) - MOST_PLACES} more" if len(done.left) > MOST_PLACES else ""
        raise CommandError(
            f"Erased, but something of the customer is left in {'; '.join(done.left[:MOST_PLACES])}{more}; remove it "
            "there and run the same command again."
        )


def run_pruning(home: Home, dry_run: bool, as_json: bool) -> None:
    """Ends what is past its term, as a Dagster run, or only tells what that would be."""
    load_sources(home)
    with working("Pruning", quiet=as_json):
        if dry_run:
            found = apply_retention(Workspace(home), dry_run=True)
        else:
            with opened(home) as runs:
                found = runs.retain()
    if as_json:
        emit_json({"dry_run": dry_run} | found)
        return
    table("Would go" if dry_run else "Gone", ("what", "number"), list(found.items()), right=("number",))


def _ask(customer: str, home: Home, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise CommandError("Nobody can be asked whether to go on, so nothing was erased; say --yes.")
    typer.confirm(f"Forget {customer} in {home.path} for good? This can't be undone.", abort=True, err=True)


def _tell(done: Erased) -> None:
    rows = [("partitions of the lake rewritten", done.partitions), ("stored replies removed", done.replies),
            ("messages in the outbox removed", done.messages), ("places in logs and reports masked", done.logs),
            ("values in the operations store masked", done.store), ("files searched", done.searched)]  # fmt: skip
    table(f"Erased; known as {done.customer} from now on", ("what", "number"), rows, right=("number",))
    say("Nothing is left. Kept by law:")
    for each in KEPT_BY_LAW:
        say(f"  {each}")
    say(f"Your own tables ({', '.join(done.sources)}) are not touched: their rows of this customer are left out from "
        "now on; erase them there too, and in backups and mailboxes.")  # fmt: skip
    if done.unsought:
        say(f"{done.unsought} names are others' too, or too short, and were not looked for within texts.")
