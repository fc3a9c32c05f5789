"""Open: from the name of a canonical table to the connector that reaches it."""

from collections.abc import Callable, Sequence
from datetime import date

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.engine import Engine
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import FilesSource, McpSource, Sources, SqlSource
from orchestration_project.sources.connector import Connector
from orchestration_project.sources.files import Files
from orchestration_project.sources.simulated import Simulated
from orchestration_project.sources.sql import Sql

KEPT = "collected"
"""Folder of the home with the replies of collections that are under way."""


def open_table(
    name: str,
    sources: Sources,
    workspace: Workspace,
    engine: Engine,
    customers: Callable[[], Sequence[str]] = tuple,
    between: tuple[date, date] | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Connector:
    """The connector of a connected canonical table.

    `customers` are those to ask for, and `between` the days wanted (the second one exclusive), where a tool lists rows
    by customer or by day; the other connectors reach all.
    """
    source = sources.tables[name]
    if isinstance(source, FilesSource):
        return Files(name, source, workspace.home.path, engine)
    if isinstance(source, SqlSource):
        return Sql(SOURCE_TABLES[name], source, engine)
    if isinstance(source, McpSource):
        from orchestration_project.sources.mcp import Collector, Mcp

        kept = workspace.home.path / KEPT
        collector = Collector.of(workspace.workflow, sources.servers, kept, log)
        return Mcp(SOURCE_TABLES[name], source, collector, engine, customers, between, workspace.erased())
    assert sources.simulation is not None, "validated in Sources"
    return Simulated(name, sources.simulation, workspace.home, engine, workspace.yesterday)
