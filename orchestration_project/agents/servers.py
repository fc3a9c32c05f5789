"""Servers: where tool servers are, and how to show them who calls."""

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration_project.agents.errors import HumanNeeded


class ToolServer(BaseModel):
    """An MCP server: a URL (streamable HTTP), or a command that speaks over its standard input and output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(None, pattern=r"^https?://", description="Address of its MCP endpoint.")
    command: tuple[str, ...] = Field((), description="Program and arguments that start it, where it has no address.")
    environment: dict[str, str] = Field(default_factory=dict, description="Environment of the command.")
    token_variable: str | None = Field(
        None, pattern=r"^\w+$", description="Environment variable that holds its bearer token."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.url) == bool(self.command):
            raise ValueError("a server has either `url` or `command`")
        if self.token_variable and not self.url:
            raise ValueError("`token_variable` is for servers with `url`; give a command its key by `environment`")
        return self

    def headers(self, name: str) -> dict[str, str]:
        """What is sent with each request."""
        if not self.token_variable:
            return {}
        token = os.environ.get(self.token_variable)
        if not token:
            raise HumanNeeded(
                f"server {name} needs the token in {self.token_variable}, which is not set; export "
                f"{self.token_variable} and try again"
            )
        return {"Authorization": f"Bearer {token}"}
