"""Sources: the canonical tables, validated, with what was quarantined and why."""

import dagster as dg

from assets.results import KINDS, OWNERS, table_metadata, tell_rows
from orchestration_project.contracts.tables import SOURCE_TABLES
from orchestration_project.partitions import WHOLE_RANGE, Partitions, months
from orchestration_project.resources import Workspace

FACT_TABLES = ("support_tickets", "invoices", "engagements")


def source_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of group `sources`."""

    @dg.asset(
        group_name="sources", kinds=KINDS, owners=OWNERS, metadata=table_metadata("customers"),
        description="Who the customers are: every version of every customer, validated.",
        check_specs=[dg.AssetCheckSpec("fresh", asset="customers"), dg.AssetCheckSpec("kept", asset="customers")],
    )  # fmt: skip
    def customers(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.ingestion import ingest_customers

        return ingest_customers(workspace, context.log.info)

    @dg.asset(
        group_name="sources", kinds=KINDS, owners=OWNERS, metadata=table_metadata("usage_daily"),
        partitions_def=partitions.months, backfill_policy=WHOLE_RANGE, deps=["customers"],
        description="Product usage per customer, day, kind of event and day it became known.",
        check_specs=[dg.AssetCheckSpec("fresh", asset="usage_daily"), dg.AssetCheckSpec("kept", asset="usage_daily")],
    )  # fmt: skip
    def usage_daily(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.ingestion import ingest_months

        result, rows = ingest_months(months(context), workspace, context.log.info)
        tell_rows(context, rows)
        return result

    return [customers, usage_daily, *(_fact_asset(name) for name in FACT_TABLES)]


def _fact_asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=name, group_name="sources", kinds=KINDS, owners=OWNERS, metadata=table_metadata(name),
        deps=["customers"], description=f"{SOURCE_TABLES[name].description}, validated.",
        check_specs=[dg.AssetCheckSpec("fresh", asset=name), dg.AssetCheckSpec("kept", asset=name)],
    )  # fmt: skip
    def fact(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.ingestion import ingest_facts

        return ingest_facts(name, workspace, context.log.info)

    return fact
