"""Profiles: one row per customer and scan day, complete or with the reason why not."""

import dagster as dg

from assets.contracts import contract_spec, with_contract
from assets.criteria import criterion_specs, described, owners, with_criteria
from assets.results import KINDS, table_metadata, tell_rows
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.partitions import WHOLE_RANGE, Partitions, day_keys, scan_days
from orchestration_project.resources import Workspace


def profile_assets(partitions: Partitions, manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The assets of group `profiles`."""

    @dg.asset(
        name="customer_profiles", group_name="profiles", kinds=KINDS, owners=owners(manifest, "customer_profiles"),
        metadata=table_metadata("customer_profiles"), partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(),
        deps=["customers", "support_tickets", "invoices", "engagements", "usage_daily"],
        description=described(
            manifest, "customer_profiles",
            "What was known of each customer on a scan day: attributes, tickets, payments, engagement.",
        ),
        check_specs=[
            *criterion_specs(manifest, "customer_profiles"),
            contract_spec("customer_profiles"),
            dg.AssetCheckSpec("unique", asset="customer_profiles"),
        ],
    )  # fmt: skip
    def profiles(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.reports import report_profiles
        from orchestration_project.scans import Scan

        days = scan_days(context)
        with workspace.lake() as lake:
            scan = Scan(lake, workspace)
            scan.write("customer_profiles", days, context.log.info)
            tell_rows(context, lake.counts("customer_profiles", day_keys(days), "scan_day"))
            report = report_profiles(days, scan.fields, lake)
            report = with_contract(report, "customer_profiles", days, scan.left_out, lake)
            return with_criteria(report, manifest, "customer_profiles", days, lake)

    return [profiles]
