"""Jobs: what a schedule, a sensor, a command or a person can start as a whole."""

import dagster as dg

from assets.delivery import delivery_job
from orchestration_project.resources import Workspace

REFRESH = "refresh_sources"
SCAN = "health_scan"
LEARN = "refit_weights"
RETAIN, APPLY = "retention", "apply_retention"

DAILY_GROUPS = ("profiles", "usage", "risk", "actions", "monitoring")


def jobs() -> list:
    """All jobs of the code location."""
    return [
        dg.define_asset_job(
            REFRESH,
            selection=dg.AssetSelection.groups("sources"),
            description="Reads all sources anew: the canonical tables, and usage of the chosen months.",
        ),
        dg.define_asset_job(
            SCAN,
            selection=dg.AssetSelection.groups(*DAILY_GROUPS),
            description="One health scan of a day or a range: profiles, trends, factors, scores, texts, effects.",
        ),
        dg.define_asset_job(
            LEARN,
            selection=dg.AssetSelection.groups("learning"),
            description="Who left, and what that says about the weights: outcomes and refits of the chosen months.",
        ),
        delivery_job(),
        _retention(),
    ]


def _retention() -> dg.JobDefinition:
    @dg.op(name=APPLY, description="Removes or masks what is past its term.")
    def apply(context: dg.OpExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dict[str, int]:
        from orchestration_project.retention import apply_retention

        done = apply_retention(workspace)
        context.add_output_metadata(dict(done))
        return done

    @dg.job(
        name=RETAIN,
        executor_def=dg.in_process_executor,
        description="Removes or masks what was kept for as long as `retention` in settings.yaml says.",
    )
    def retention() -> None:
        apply()

    return retention
