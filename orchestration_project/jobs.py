"""Jobs: what a schedule, a sensor, a command or a person can start as a whole."""

import dagster as dg

from assets.delivery import delivery_job

REFRESH = "refresh_sources"
SCAN = "health_scan"
LEARN = "refit_weights"

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
    ]
