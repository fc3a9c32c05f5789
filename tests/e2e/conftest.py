"""What tests of the whole share: processes that begin with everything imported."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pytest

IMPORTED = (
    "orchestration_project.definitions", "orchestration_project.cli.scanning", "altair", "ibis.backends.duckdb",
    "pandas", "pyarrow.csv", "vl_convert", "alembic.command", "psycopg", "sqlalchemy.dialects.postgresql", "jinja2",
    "orchestration_project.operations.channels.mcp", "orchestration_project.operations.channels.slack",
    "orchestration_project.operations.channels.smtp", "mcp.client.streamable_http", "tests.e2e.pipeline",
)  # fmt: skip


@pytest.fixture(scope="session")
def process() -> Callable[..., BaseProcess]:
    """Makes processes; a fork server starts them, which has imported what they need."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(IMPORTED))
    return server.Process
