"""What all tests share: how hard hypothesis tries, and an engine."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from orchestration_project.engine import Engine
from orchestration_project.settings import EngineSettings

# Expressions take long to compile and DuckDB's timing varies, so neither is a sign of a bad test.
settings.register_profile(
    "fast",
    max_examples=4,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=set(Phase) - {Phase.explain},
)
settings.register_profile("thorough", settings.get_profile("fast"), max_examples=200)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One DuckDB engine for tests that only compute."""
    started = Engine(EngineSettings(memory_limit="2GB", threads=2), tmp_path_factory.mktemp("spill"))
    yield started
    started.close()
