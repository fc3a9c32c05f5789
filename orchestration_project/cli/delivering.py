"""Delivering: the command that carries out decisions and sends what is due, or shows what would go."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from orchestration_project.cli.console import emit_json, figures, moment, out, say, table, working
from orchestration_project.cli.runs import opened
from orchestration_project.cli.store import existing_store
from orchestration_project.domain.texts import clean
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.config import load_sources

if TYPE_CHECKING:
    import dagster as dg

PARTS = {
    "expire_reviews": "reviews closed", "carry_on_decisions": "approvals carried out", "read_responses": "answers",
    "deliver_outbox": "messages",
}  # fmt: skip
"""What each op counts."""


def deliver(home: Home, limit: int, dry_run: bool, as_json: bool) -> None:
    """Runs the job, or tells what it would do."""
    load_sources(home)
    if dry_run:
        _rehearse(home, limit, as_json)
        return
    with working("Delivering", quiet=as_json), opened(home) as runs:
        result = runs.deliver(limit)
    done = {op: _counts(result, op) for op in PARTS}
    if as_json:
        emit_json({"run_id": result.run_id, **done})
        return
    for op, counted in done.items():
        out.print(f"{PARTS[op].capitalize()}: {figures(counted) or 'none'}", markup=False)


def _counts(result: "dg.ExecuteInProcessResult", op: str) -> Mapping[str, Any]:
    (event,) = (each for each in result.events_for_node(op) if each.is_successful_output)
    return {name: entry.value for name, entry in event.step_output_data.metadata.items()}


def _rehearse(home: Home, limit: int, as_json: bool) -> None:
    from orchestration_project.outgoing import Outgoing, Rehearsal

    workspace = Workspace(home)
    found = Rehearsal(0, 0, 0)
    with existing_store(home) as store:
        if store is not None:
            found = Outgoing(workspace, store, "rehearsal").rehearse(limit)
    if as_json:
        emit_json(asdict(found))
        return
    now = workspace.now()
    rows = [
        (
            *(escape(clean(each[name] or "")) for name in ("kind", "channel", "recipient", "subject")),
            moment(each["not_before"], now),
            clean(each["cancelled"] or "would be sent"),
        )
        for each in found.messages
    ]
    table("Messages", ("kind", "channel", "recipient", "subject", "due", "what would happen"), rows)
    out.print(f"Reviews that would expire: {found.overdue}. Approvals that would be queued: {found.queued}. "
              f"Messages whose worker has not come back: {found.left}.")  # fmt: skip
    say("Nothing was changed or sent.")
