"""Customer-health orchestration: the library and the Dagster code location."""
