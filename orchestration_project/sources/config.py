"""`sources.yaml`: which connector supplies each canonical table, and how its columns are called there."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration_project.agents.servers import ToolServer
from orchestration_project.contracts.tables import SOURCE_TABLES, ColumnType
from orchestration_project.domain.rules import ChurnRules
from orchestration_project.settings import Home, SettingsError, holds_password, parsed, read_yaml, with_variables
from orchestration_project.sources.simulation.company import Company

Scalar = str | int | float | bool | datetime | date | None


class TableSource(BaseModel):
    """What all connectors understand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str] = Field(default_factory=dict, description="Canonical column: its name in the source.")
    constants: dict[str, Scalar] = Field(default_factory=dict, description="Canonical column: one value for all rows.")
    where: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict, description="Source column: the value, or list of values, that rows must have."
    )
    timezone: str = Field(default="UTC", description="Zone of times that are written without one.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone; use a name such as UTC or Europe/Berlin")
        return name


class FilesSource(TableSource):
    """CSV, JSON Lines or Parquet files."""

    connector: Literal["files"]
    path: str = Field(description="File or glob, absolute, relative to the home, or an fsspec URL.")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(
        default=None, description="Default: what the file name ends in."
    )
    encoding: Literal["utf-8", "latin-1"] | None = Field(
        default=None, description="Encoding of CSV; default: UTF-8, or Latin-1 where the text is no UTF-8."
    )


class SqlSource(TableSource):
    """A table or view in a database that Ibis can reach by URL."""

    connector: Literal["sql"]
    url: str = Field(description="Ibis URL, for example ${WAREHOUSE_URL}; passwords come from the environment only.")
    table: str = Field(description="Table or view, with its schema where it needs one: product.events.")
    timeout_seconds: int = Field(default=600, ge=1, description="Longest time one query may take.")


class McpSource(TableSource):
    """A tool of an MCP server that lists rows, page by page: of all customers, or of one customer a call."""

    connector: Literal["mcp"]
    server: str = Field(description="Name of the server, as under `servers`.")
    tool: str = Field(description="Tool that lists the rows; the manifest's collector must be allowed to call it.")
    arguments: dict[str, Scalar] = Field(default_factory=dict, description="Arguments that each call gets.")
    per_customer: str | None = Field(
        None, description="Argument that takes the customer, where a call lists one customer's rows."
    )
    since: str | None = Field(None, description="Argument that takes the first day wanted, for usage.")
    until: str | None = Field(None, description="Argument that takes the day after the last one wanted, for usage.")
    items: str = Field("items", description="Where a reply has its rows.")
    cursor: str = Field("cursor", description="Argument that takes the place where the next page begins.")
    next_cursor: str = Field("next_cursor", description="Where a reply tells that place; absent or null at the end.")


class SimulatedSource(TableSource):
    """The simulated company."""

    connector: Literal["simulated"]


AnySource = Annotated[FilesSource | SqlSource | McpSource | SimulatedSource, Field(discriminator="connector")]


class Simulation(Company):
    """The simulated company, and how far it has come."""

    until: date | None = Field(default=None, description="Last day with data; default: yesterday.")


class Sources(BaseModel):
    """Everything in `sources.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    churn: ChurnRules = Field(default_factory=ChurnRules, description="What counts as having left.")
    simulation: Simulation | None = Field(default=None, description="The company behind connector `simulated`.")
    servers: dict[str, ToolServer] = Field(default_factory=dict, description="Tool servers (MCP) by name.")
    tables: dict[str, AnySource] = Field(default_factory=dict, description="Canonical table: where its rows come from.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Sources":
        for name, source in self.tables.items():
            table = SOURCE_TABLES.get(name)
            if table is None:
                raise ValueError(f"{name!r} is no canonical table; use one of {', '.join(SOURCE_TABLES)}")
            unknown = [column for column in (*source.columns, *source.constants) if column not in table.names]
            if unknown:
                raise ValueError(f"{name} has no column {unknown[0]!r}; it has {', '.join(table.names)}")
            for column, value in source.constants.items():
                if not _fits(value, table.column(column).type):
                    raise ValueError(f"{name}.constants.{column} is {value!r}, which is no {table.column(column).type}")
            if isinstance(source, McpSource):
                self._reachable(name, source)
            if isinstance(source, SimulatedSource) and self.simulation is None:
                raise ValueError("connector `simulated` needs a `simulation:` section; add `simulation: {start: DATE}`")
        if "customers" not in self.tables:
            raise ValueError("`tables.customers` is missing; every other table refers to it")
        if self.churn.kind == "inactivity" and "usage_events" not in self.tables:
            raise ValueError("churn by inactivity needs `tables.usage_events`")
        return self

    def _reachable(self, name: str, source: McpSource) -> None:
        if source.server not in self.servers:
            raise ValueError(
                f"{name}.server is {source.server!r}, which is not under `servers`; "
                f"{'use one of ' + ', '.join(self.servers) if self.servers else 'add it there'}"
            )
        if name == "customers" and source.per_customer:
            raise ValueError("customers.per_customer can't be: the table says who the customers are; remove it")
        if (source.since or source.until) and name != "usage_events":
            raise ValueError(
                f"{name}.since and {name}.until are for usage_events, which is read by months; remove them"
            )

    @property
    def connected(self) -> list[str]:
        """Canonical tables that have a source, in canonical order."""
        return [name for name in SOURCE_TABLES if name in self.tables]


def load_sources(home: Home) -> Sources:
    """The sources of a home, with `${VARIABLES}` replaced from the environment."""
    home.require()
    file = home.sources_file
    content = read_yaml(file)
    _refuse_passwords(content, file)
    return parsed(Sources, with_variables(content, file), file)


def _fits(value: Scalar, kind: ColumnType) -> bool:
    if value is None or kind == "string":
        return True
    if kind == "timestamp":
        try:
            return bool(datetime.fromisoformat(str(value)))
        except ValueError:
            return False
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    return isinstance(value, int) or (kind == "float64" and isinstance(value, float))


def _refuse_passwords(content: dict[str, Any], file: Path) -> None:
    tables = content.get("tables")
    for name, source in tables.items() if isinstance(tables, dict) else ():
        if isinstance(source, dict) and holds_password(str(source.get("url", ""))):
            raise SettingsError(
                f"{file}: `tables.{name}.url` holds a password; put the URL into an environment variable and write "
                "${NAME} here."
            )
