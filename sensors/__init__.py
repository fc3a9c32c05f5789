"""Dagster triggers: schedules, sensors and automation. Each only decides whether to request a run."""
