"""Workflows: the commands that show manifests, check them, and draw what follows what."""

from importlib.resources.abc import Traversable
from typing import Any

from orchestration_project.cli.console import complain, emit_json, out, table
from orchestration_project.contracts.manifest import Connection, Manifest
from orchestration_project.manifests import ManifestError, manifest, manifest_files, read, source_tools
from orchestration_project.settings import Home


def list_workflows(home: Home, as_json: bool) -> None:
    """Prints every workflow, with its steps."""
    found = [_summary(name, file, home) for name, file in manifest_files(home).items()]
    if as_json:
        emit_json(found)
        return
    rows = [(each["workflow"], each["version"], each["from"], each["description"]) for each in found]
    table("Workflows", ("workflow", "version", "from", "what for"), rows, right=("version",))


def show_workflow(home: Home, workflow: str, as_json: bool) -> None:
    """Prints one workflow: who does what, what follows what, and what success is."""
    found = manifest(home, workflow)
    if as_json:
        emit_json(found.model_dump(mode="json", by_alias=True))
        return
    out.print(f"[bold]{found.workflow}[/] version {found.version}: {found.description}")
    goals = [(name, each.description, ", ".join(each.measured_by)) for name, each in found.objectives.items()]
    table("Objectives", ("objective", "what for", "measured by"), goals)
    steps = [
        (name, role.responsibility, role.output, ", ".join(role.tools), f"{role.attempts} x {role.timeout_seconds:g} s",
         role.owner)
        for name, role in found.roles.items()
    ]  # fmt: skip
    table("Steps", ("step", "responsibility", "output", "tools", "attempts", "owner"), steps)
    table("Handoffs", ("from", "to", "customers"), [(each.source, each.to, _told(each)) for each in found.connections])
    criteria = [(name, each.step, each.expression, each.severity) for name, each in found.evaluation.items()]
    table("Success criteria", ("criterion", "step", "expression", "if not"), criteria)
    table("When something goes wrong", ("error", "pathway"), list(found.handling.model_dump().items()))
    after = found.escalation
    out.print(f"A person's decision is asked of {after.owner} in queue {after.queue}, within "
              f"{after.deadline_hours:g} hours; it expires after {after.expires_after_days:g} days.")  # fmt: skip


def check_workflows(home: Home, as_json: bool) -> int:
    """Reads every manifest and prints what is wrong with it; the exit code."""
    tools = source_tools(home)
    verdicts: dict[str, list[str]] = {}
    for name, file in manifest_files(home).items():
        try:
            read(file, tools)
            verdicts[name] = []
        except ManifestError as error:
            verdicts[name] = str(error).splitlines()
    if as_json:
        emit_json([{"workflow": name, "problems": wrong} for name, wrong in verdicts.items()])
    else:
        for name, wrong in verdicts.items():
            out.print(f"{name}: " + ("[green]in order[/]" if not wrong else f"[bold red]{len(wrong)} wrong[/]"))
            for sentence in wrong:
                complain(sentence)
    return 1 if any(verdicts.values()) else 0


def graph_workflow(home: Home, workflow: str) -> None:
    """Prints the steps and handoffs as a Mermaid flowchart, for a page or an editor that draws it."""
    found = manifest(home, workflow)
    out.print("\n".join(["flowchart LR", *_nodes(found), *_edges(found)]), markup=False, soft_wrap=True)


def _nodes(found: Manifest) -> list[str]:
    ends = dict.fromkeys(each.to for each in found.connections if each.to not in found.roles)
    steps = [f'    {name}["{name.replace("_", " ")}"]' for name in found.roles]
    return [*steps, *(f"    {name}([{name}])" for name in ends)]


def _edges(found: Manifest) -> list[str]:
    return [
        f'    {each.source} -->|"{_told(each)}"| {each.to}' if each.when else f"    {each.source} --> {each.to}"
        for each in found.connections
    ]


def _told(connection: Connection) -> str:
    """Which customers take a connection, in words."""
    if connection.when is None:
        return "all"
    if connection.when.score == "missing":
        return "no score"
    low, high = connection.when.score.at_least, connection.when.score.below
    if low is None:
        return f"score below {high:g}"
    return f"score from {low:g}" if high is None else f"score from {low:g} to below {high:g}"


def _summary(name: str, file: Traversable, home: Home) -> dict[str, Any]:
    found = manifest(home, name)
    place = "home" if str(file).startswith(str(home.workflows)) else "project"
    return {"workflow": name, "version": found.version, "from": place, "description": found.description,
            "steps": list(found.roles)}  # fmt: skip
