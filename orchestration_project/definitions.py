"""Definitions: the Dagster code location, assembled for one home."""

import dagster as dg

from assets.actions import action_assets
from assets.learning import learning_assets
from assets.monitoring import monitoring_assets
from assets.profiles import profile_assets
from assets.risk import risk_assets
from assets.sources import source_assets
from assets.usage import usage_assets
from orchestration_project.jobs import jobs
from orchestration_project.partitions import Partitions
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home
from sensors.triggers import schedules, sensors


def build(workspace: Workspace) -> dg.Definitions:
    """Everything that Dagster shows and runs for a home."""
    partitions = Partitions(workspace.settings.history_start, workspace.settings.history_end)
    workflow = workspace.workflow
    return dg.Definitions(
        assets=[
            *source_assets(partitions),
            *profile_assets(partitions, workflow),
            *usage_assets(partitions, workflow),
            *risk_assets(partitions, workflow),
            *learning_assets(partitions),
            *action_assets(partitions, workflow),
            *monitoring_assets(partitions),
        ],
        jobs=jobs(),
        schedules=[each for each in schedules(workspace) if each.name in workflow.triggers],
        sensors=[each for each in sensors(workspace) if each.name in workflow.triggers],
        resources={"workspace": workspace},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of the home that `ORCHESTRATE_HOME` names."""
    return build(Workspace(Home.find()))
