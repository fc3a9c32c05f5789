"""Risk: how likely each customer is to leave, and why. Rules live in `domain.factors` and `domain.scoring`."""

import dagster as dg

from assets.contracts import contract_spec, with_contract
from assets.criteria import criterion_specs, described, owners, with_criteria
from assets.results import KINDS, table_metadata, tell_rows
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.partitions import WHOLE_RANGE, Partitions, day_keys, scan_days
from orchestration_project.resources import Workspace

MONTH_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True)
"""A scan uses the weights that were decided on before its month began."""


def risk_assets(partitions: Partitions, manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The assets of group `risk`."""

    @dg.asset(
        name="risk_factors", group_name="risk", kinds=KINDS, owners=owners(manifest, "risk_scores"),
        metadata=table_metadata("risk_factors"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["customer_profiles", "usage_trends"],
        description="Signals and severities in [0, 1] per factor family, or the reason why one can't be told.",
        check_specs=[contract_spec("risk_factors"), dg.AssetCheckSpec("unique", asset="risk_factors")],
    )  # fmt: skip
    def factors(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.reports import report_factors
        from orchestration_project.scans import Scan

        days = scan_days(context)
        with workspace.lake() as lake:
            scan = Scan(lake, workspace)
            scan.write("risk_factors", days, context.log.info)
            tell_rows(context, lake.counts("risk_factors", day_keys(days), "scan_day"))
            return with_contract(report_factors(days, lake), "risk_factors", days, scan.left_out, lake)

    @dg.asset(
        name="risk_scores", group_name="risk", kinds=KINDS, owners=owners(manifest, "risk_scores"),
        metadata=table_metadata("risk_scores"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        # Scoring never waits for learning: without new weights those before are used, and the prior in the end.
        automation_condition=dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets("risk_weights")),
        deps=["risk_factors", dg.AssetDep("risk_weights", partition_mapping=MONTH_BEFORE)],
        description=described(
            manifest, "risk_scores", "Per customer: score, contributions, confidence, band, next action."
        ),
        check_specs=[
            *criterion_specs(manifest, "risk_scores"),
            contract_spec("risk_scores"),
            dg.AssetCheckSpec("unique", asset="risk_scores"),
            dg.AssetCheckSpec("weights", asset="risk_scores", description="The weights in force could be used."),
            dg.AssetCheckSpec(
                "adds_up", asset="risk_scores", blocking=True,
                description="The contributions of every score sum to the score minus 1.",
            ),
        ],
    )  # fmt: skip
    def scores(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.reports import report_scores
        from orchestration_project.scans import Scan

        days = scan_days(context)
        with workspace.lake() as lake:
            scan = Scan(lake, workspace)
            scan.write("risk_scores", days, context.log.info)
            tell_rows(context, lake.counts("risk_scores", day_keys(days), "scan_day"))
            report = report_scores(days, scan.problems, lake)
            report = with_contract(report, "risk_scores", days, scan.left_out, lake)
            return with_criteria(report, manifest, "risk_scores", days, lake)

    return [factors, scores]
