"""Actions: what is to be done for whom after a scan, and what is said to customers and account managers about it."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.contracts import contract_spec, with_contract
from assets.criteria import criterion_specs, described, owners, with_criteria
from assets.results import KINDS, table_metadata, tell_rows, written
from orchestration_project.contracts.manifest import Manifest
from orchestration_project.domain.days import DayRange
from orchestration_project.partitions import WHOLE_RANGE, Partitions, day_keys, scan_days
from orchestration_project.resources import Workspace
from orchestration_project.settings import last_full_day

if TYPE_CHECKING:
    from orchestration_project.lake import Lake

WHAT = {
    "outreach_drafts": "Messages to customers at medium risk, about what raised it most; verified against their facts.",
    "account_alerts": "Customers at high risk for their account managers: why, and what to do.",
}


def action_assets(partitions: Partitions, manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The assets of group `actions`."""
    return [_plan(partitions, manifest), *(_texts(name, partitions, manifest) for name in WHAT)]


def _plan(partitions: Partitions, manifest: Manifest) -> dg.AssetsDefinition:
    @dg.asset(
        name="action_plan", group_name="actions", kinds=KINDS, owners=owners(manifest, "risk_scores"),
        metadata=table_metadata("action_plan"), partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(), deps=["risk_scores", "customer_profiles"],
        description="What is to be done for each customer, by which play and how far by itself, or at which stage of "
        "the funnel it stopped. Of past days it says what would have been done; nothing is done by it.",
        check_specs=[
            contract_spec("action_plan"),
            dg.AssetCheckSpec("unique", asset="action_plan"),
            dg.AssetCheckSpec(
                "funnel", asset="action_plan", description="Every customer of the scan has one place in the funnel."
            ),
        ],
    )  # fmt: skip
    def plan(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from assets.reports import report_plan
        from orchestration_project.operations.store import Store
        from orchestration_project.planning import Planning

        days = scan_days(context)
        with workspace.lake() as lake, Store.existing(workspace.home) or nullcontext() as store:
            planning = Planning(lake, workspace, store)
            planning.write(days)
            tell_rows(context, lake.counts("action_plan", day_keys(days), "scan_day"))
            return with_contract(report_plan(days, lake), "action_plan", days, planning.left_out, lake)

    return plan


def _texts(name: str, partitions: Partitions, manifest: Manifest) -> dg.AssetsDefinition:
    @dg.asset(
        name=name, group_name="actions", kinds=KINDS, owners=owners(manifest, name), metadata=table_metadata(name),
        partitions_def=partitions.scan_days, backfill_policy=WHOLE_RANGE,
        automation_condition=dg.AutomationCondition.eager(),
        deps=["action_plan", "risk_scores", "customer_profiles", "usage_trends"],
        description=described(
            manifest, name, f"{WHAT[name]} Only the newest scan day has any: nobody acts on the past."
        ),
        check_specs=[
            *criterion_specs(manifest, name),
            contract_spec(name),
            dg.AssetCheckSpec("verified", asset=name, description="Every text says only what its facts say."),
        ],
    )  # fmt: skip
    def texts(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        from orchestration_project.drafting import Drafting, nothing

        days = scan_days(context)
        with workspace.lake() as lake:
            newest = days.last == workspace.yesterday
            if past := day_keys(days)[: -1 if newest else None]:
                lake.replace(name, nothing(name, lake), past, "scan_day")
            drafted = None
            if newest:
                drafted = Drafting(lake, workspace, manifest, context.log.info).write(name, days.last)
            tell_rows(context, lake.counts(name, day_keys(days), "scan_day"))
            done = _handed_over(context, name, days, lake, workspace)
            review = drafted.review if drafted else 0
            check = dg.AssetCheckResult(
                check_name="verified", passed=not review, severity=dg.AssetCheckSeverity.WARN,
                metadata={"for a person to look at": review},
            )  # fmt: skip
            figures = drafted.figures if drafted else {"texts": "none: not the newest scan day"}
            left_out = {days.last: drafted.left_out} if drafted else {}
            result = with_contract(written({**figures, **done}, [check]), name, days, left_out, lake)
            return with_criteria(result, manifest, name, days, lake)

    return texts


def _handed_over(
    context: dg.AssetExecutionContext, name: str, days: DayRange, lake: "Lake", workspace: Workspace
) -> dict[str, Any]:
    """Hands the texts of a live scan over to the operations store; of any other run, why nothing is done."""
    from orchestration_project.freshness import fresh_sources
    from orchestration_project.operations.permit import NotLive, Permit

    latest, now = last_full_day(workspace.now()), workspace.now()
    try:
        permit = Permit.for_run(
            context.run.run_id, context.run.tags, days, latest, fresh_sources(lake, workspace, days.last), now
        )
    except NotLive as error:
        return {"acted": f"no: {error}"}
    from orchestration_project.acting import Acting
    from orchestration_project.operations.store import Store

    with Store.open(workspace.home) as store:
        acting = Acting(store, lake, workspace, permit)
        done = acting.queue_drafts() if name == "outreach_drafts" else acting.raise_alerts()
        return {"acted": "yes", **(done + acting.ask_people())}
