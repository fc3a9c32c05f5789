"""Usage: how each customer's use of the last 30 days compares with the 60 before, and with its own rhythm."""

import dagster as dg

from assets.contracts import contract_spec, with_contract
from assets.criteria import criterion_specs, described, owners, with_criteria
from assets.results import KINDS, table_metadata, tell_rows
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.partitions import WHOLE_RANGE, Partitions, day_keys, scan_days
from orchestration_project.resources import Workspace


def usage_assets(partitions: Partitions, manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The assets of group `usage`."""

    @dg.asset(
        name="usage_trends", group_name="usage", kinds=KINDS, owners=owners(manifest, "usage_trends"),
        metadata=table_metadata("usage_trends"),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["usage_daily", "customer_profiles"],
        description=described(
            manifest, "usage_trends",
            "Use of the last 30 days against the 60 before, rates per kind of event, silence against rhythm.",
        ),
        check_specs=[
            *criterion_specs(manifest, "usage_trends"),
            contract_spec("usage_trends"),
            dg.AssetCheckSpec("unique", asset="usage_trends"),
            dg.AssetCheckSpec(
                "nothing_after_cutoff", asset="usage_trends", blocking=True,
                description="No customer was last seen after the scan day.",
            ),
        ],
    )  # fmt: skip
    def trends(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.reports import report_trends
        from orchestration_project.scans import Scan

        days = scan_days(context)
        with workspace.lake() as lake:
            scan = Scan(lake, workspace)
            scan.write("usage_trends", days, context.log.info)
            tell_rows(context, lake.counts("usage_trends", day_keys(days), "scan_day"))
            report = with_contract(report_trends(days, lake), "usage_trends", days, scan.left_out, lake)
            return with_criteria(report, manifest, "usage_trends", days, lake)

    return [trends]
