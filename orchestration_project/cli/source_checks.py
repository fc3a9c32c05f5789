"""Source checks: what `orchestrate sources check` prints."""

from orchestration_project.cli.console import STATE_STYLES, emit_json, out, table, working
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from orchestration_project.sources.check import TableCheck, check_sources


def check(home: Home, as_json: bool) -> int:
    """Checks every source; returns 1 where any can't be used, else 0."""
    workspace = Workspace(home)
    with workspace.lake() as lake, working("Reading the sources", quiet=as_json):
        found = list(check_sources(workspace, lake))
    if as_json:
        emit_json([vars(each) | {"reasons": dict(each.reasons)} for each in found])
    else:
        _print(found)
    return int(any(each.state == "error" for each in found))


def _print(found: list[TableCheck]) -> None:
    rows = [
        (
            each.table, _styled(each.state), each.read, each.kept, each.quarantined, each.first, each.newest,
            None if each.coverage is None else f"{each.coverage:.1%}",
        )
        for each in found
    ]  # fmt: skip
    columns = ("table", "state", "read", "kept", "quarantined", "first", "newest", "customers covered")
    table("Sources", columns, rows, right=("read", "kept", "quarantined", "customers covered"))
    for each in found:
        for reason, count in each.reasons.items():
            out.print(f"[yellow]{each.table}[/]: {count} quarantined: {reason}")
        for finding in each.findings:
            out.print(f"[{STATE_STYLES.get(each.state, 'dim')}]{each.table}[/]: {finding}")


def _styled(state: str) -> str:
    return f"[{STATE_STYLES.get(state, 'dim')}]{state}[/]"
