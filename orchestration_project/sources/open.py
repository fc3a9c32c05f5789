"""Open: from the name of a canonical table to the connector that reaches it."""

from datetime import date

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.engine import Engine
from orchestration_project.settings import Home
from orchestration_project.sources.config import FilesSource, Sources, SqlSource
from orchestration_project.sources.connector import Connector
from orchestration_project.sources.files import Files
from orchestration_project.sources.simulated import Simulated
from orchestration_project.sources.sql import Sql


def open_table(name: str, sources: Sources, home: Home, engine: Engine, yesterday: date) -> Connector:
    """The connector of a connected canonical table."""
    source = sources.tables[name]
    if isinstance(source, FilesSource):
        return Files(name, source, home.path, engine)
    if isinstance(source, SqlSource):
        return Sql(SOURCE_TABLES[name], source, engine)
    assert sources.simulation is not None, "validated in Sources"
    return Simulated(name, sources.simulation, home, engine, yesterday)
