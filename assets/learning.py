"""Learning: who left, and what that says about the weights. Rules live in `domain.outcomes`, `learning` and `gate`."""

import dagster as dg

from assets.results import KINDS, OWNERS, table_metadata, tell_rows
from orchestration_project.partitions import WHOLE_RANGE, Partitions, month_key, months
from orchestration_project.resources import Workspace

GATE = ("enough_outcomes", "gate", "champion_holds", "drift")

ANY_DAY = dg.AllPartitionMapping()
"""An outcome is of a scan day some months back, how many depends on the horizon."""


def learning_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `learning`."""

    @dg.asset(
        name="churn_outcomes", group_name="learning", kinds=KINDS, owners=OWNERS,
        metadata=table_metadata("churn_outcomes"), partitions_def=partitions.learning_months,
        backfill_policy=WHOLE_RANGE,
        deps=["customers", dg.AssetDep("customer_profiles", partition_mapping=ANY_DAY),
              dg.AssetDep("usage_daily", partition_mapping=ANY_DAY)],
        description="Who had left when the horizon of a scan ended, told only of those of whom it can be told.",
        check_specs=[
            dg.AssetCheckSpec("unique", asset="churn_outcomes"),
            dg.AssetCheckSpec("scanned", asset="churn_outcomes", description="The scan day it is about was scanned."),
        ],
    )  # fmt: skip
    def outcomes(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.learning_reports import report_outcomes
        from orchestration_project.refits import Learner

        wanted = months(context)
        with workspace.lake() as lake:
            learner = Learner(lake, workspace)
            unscanned = [month for month in wanted if not learner.write_outcomes(month)]
            tell_rows(context, lake.counts("churn_outcomes", [month_key(month) for month in wanted], "month"))
            return report_outcomes(wanted, unscanned, learner, lake)

    @dg.asset(
        name="risk_weights", group_name="learning", kinds=KINDS | {"scikitlearn"}, owners=OWNERS,
        metadata=table_metadata("risk_weights"), partitions_def=partitions.learning_months,
        backfill_policy=WHOLE_RANGE,
        deps=["churn_outcomes", dg.AssetDep("risk_factors", partition_mapping=ANY_DAY)],
        description="Weights refitted from matured outcomes, and whether they passed; used from the next month.",
        check_specs=[dg.AssetCheckSpec(name, asset="risk_weights") for name in GATE],
    )  # fmt: skip
    def weights(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.learning_reports import report_weights
        from orchestration_project.refits import Learner

        wanted = months(context)
        with workspace.lake() as lake:
            learner = Learner(lake, workspace)
            for month in wanted:
                refit = learner.write_refit(month)
                context.log.info(f"risk_weights: {month_key(month)} written, {refit.decision.status}")
            tell_rows(context, lake.counts("risk_weights", [month_key(month) for month in wanted], "month"))
            return report_weights(refit, lake, workspace.risk.scoring)

    return [outcomes, weights]
