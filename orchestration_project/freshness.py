"""Freshness: whether the sources that a scan was made from still bring anything new."""

from collections.abc import Mapping
from datetime import date, timedelta

from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.lake import Lake
from orchestration_project.resources import Workspace
from orchestration_project.sources.config import load_sources


def fresh_sources(lake: Lake, workspace: Workspace, day: date) -> Mapping[str, bool]:
    """Of each connected source that can go stale, whether a scan of `day` had rows that are new enough."""
    limits = workspace.risk.severities.stale_after_days
    connected = [name for name in load_sources(workspace.home).connected if name in limits]
    newest = {name: _newest(lake, name, day) for name in connected}
    return {name: at is not None and at >= day - timedelta(days=limits[name]) for name, at in newest.items()}


def _newest(lake: Lake, source: str, day: date) -> date | None:
    """The day of the newest row that a scan of a day knew."""
    if source == "usage_events":
        last = lake.partitions("usage_coverage")[-2:]
        rows = lake.read("usage_coverage", last, "month") if last else None
        column = "day"
    else:
        rows = lake.read(source) if lake.has(source) else None
        column = SOURCE_TABLES[source].happened_at
    if rows is None:
        return None
    found = lake.engine.value(rows.filter(rows.known_on <= day)[column].max())
    return found.date() if hasattr(found, "date") else found
