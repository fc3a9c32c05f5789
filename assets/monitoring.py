"""Monitoring: whether what was done helped, as far as it could be told. Rules live in `domain.impact`."""

import dagster as dg

from assets.results import KINDS, OWNERS, table_metadata, tell_rows
from orchestration_project.partitions import WHOLE_RANGE, Partitions, scan_days
from orchestration_project.resources import Workspace

ANY_DAY = dg.AllPartitionMapping()
"""Whether customers left is told from the use of all days since they were assigned."""
EARLIER = ("customers", "usage_daily")
"""What outcomes are told from; that it is read anew is no reason by itself to tell them anew."""


def monitoring_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `monitoring`."""

    @dg.asset(
        name="business_outcomes", group_name="monitoring", kinds=KINDS, owners=OWNERS,
        metadata=table_metadata("business_outcomes"), partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets(*EARLIER)),
        deps=["customers", dg.AssetDep("usage_daily", partition_mapping=ANY_DAY), "customer_profiles",
              "outreach_drafts", "account_alerts"],
        description="Whether acting helped, as known after a scan: retention of those acted on against those held "
        "back, revenue kept, precision and speed of alerts, answers, decisions of people.",
        check_specs=[
            dg.AssetCheckSpec(
                "assigned_as_declared", asset="business_outcomes",
                description="As many customers were held back as were to be; otherwise no effect can be told.",
            ),
            dg.AssetCheckSpec(
                "harmless", asset="business_outcomes", description="No play drives customers away, as far as is known."
            ),
        ],
    )  # fmt: skip
    def outcomes(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.impact_reports import report_impact
        from orchestration_project.impact import Measuring
        from orchestration_project.operations.permit import BACKFILL_TAG
        from orchestration_project.partitions import day_keys

        days = scan_days(context)
        with workspace.lake() as lake:
            measuring = Measuring(lake, workspace)
            newest = measuring.write(days)[-1]
            tell_rows(context, lake.counts("business_outcomes", day_keys(days), "scan_day"))
        is_live = BACKFILL_TAG not in context.run.tags and len(days) == 1 and days.last == workspace.yesterday
        off = measuring.switch_off(newest) if is_live else []
        return report_impact(newest, measuring.horizon, off)

    return [outcomes]
