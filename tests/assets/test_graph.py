"""The asset graph as Dagster shows it."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from orchestration_project.contracts.lake_tables import LAKE_TABLES
from orchestration_project.definitions import build
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEPENDENCIES = {
    "customers": set(),
    "usage_daily": {"customers"},
    "support_tickets": {"customers"},
    "invoices": {"customers"},
    "engagements": {"customers"},
    "customer_profiles": {"customers", "usage_daily", "support_tickets", "invoices", "engagements"},
    "usage_trends": {"usage_daily", "customer_profiles"},
    "risk_factors": {"customer_profiles", "usage_trends"},
    "risk_scores": {"risk_factors", "risk_weights"},
    "churn_outcomes": {"customers", "customer_profiles", "usage_daily"},
    "risk_weights": {"churn_outcomes", "risk_factors"},
    "action_plan": {"risk_scores", "customer_profiles"},
    "outreach_drafts": {"action_plan", "risk_scores", "customer_profiles", "usage_trends"},
    "account_alerts": {"action_plan", "risk_scores", "customer_profiles", "usage_trends"},
    "business_outcomes": {"customers", "usage_daily", "customer_profiles", "outreach_drafts", "account_alerts"},
}
GROUPS = {
    "sources": {"customers", "usage_daily", "support_tickets", "invoices", "engagements"},
    "profiles": {"customer_profiles"},
    "usage": {"usage_trends"},
    "risk": {"risk_factors", "risk_scores"},
    "learning": {"churn_outcomes", "risk_weights"},
    "actions": {"action_plan", "outreach_drafts", "account_alerts"},
    "monitoring": {"business_outcomes"},
}
DAILY = ("customer_profiles", "usage_trends", "risk_factors", "risk_scores", "action_plan", "outreach_drafts",
         "account_alerts", "business_outcomes")  # fmt: skip
CHECKS = {
    **{source: {"fresh", "kept"} for source in GROUPS["sources"]},
    "customer_profiles": {"contract", "unique", "profiles_complete"},
    "usage_trends": {"contract", "unique", "nothing_after_cutoff", "trends_known"},
    "risk_factors": {"contract", "unique"},
    "risk_scores": {"contract", "unique", "in_range", "adds_up", "weights", "scores_told", "actions_decided"},
    "churn_outcomes": {"unique", "scanned"},
    "risk_weights": {"enough_outcomes", "gate", "champion_holds", "drift"},
    "action_plan": {"contract", "unique", "funnel"},
    "outreach_drafts": {"contract", "verified"},
    "account_alerts": {"contract", "verified"},
    "business_outcomes": {"assigned_as_declared", "harmless"},
}
BLOCKING = {
    "contract", "profiles_complete", "nothing_after_cutoff", "in_range", "adds_up", "scores_told", "actions_decided",
}  # fmt: skip


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    workspace = Workspace(Home(tmp_path_factory.mktemp("home")))
    return build(workspace).get_repository_def().asset_graph


def nodes(graph):
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def test_every_asset_depends_on_the_assets_it_reads_and_on_nothing_outside(graph):
    found = nodes(graph)
    assert {name: {key.to_user_string() for key in node.parent_keys} for name, node in found.items()} == DEPENDENCIES
    assert [name for name, node in found.items() if not node.is_materializable] == []


def test_assets_are_grouped_as_a_reader_looks_for_them(graph):
    found = nodes(graph)
    assert {group: {name for name, node in found.items() if node.group_name == group} for group in GROUPS} == GROUPS


@pytest.mark.parametrize("asset", DEPENDENCIES)
def test_an_asset_says_what_it_is_whose_it_is_and_of_which_columns(graph, asset):
    node = nodes(graph)[asset]
    assert len(node.description) > 30
    assert node.owners == ["team:account-management" if asset == "account_alerts" else "team:customer-success"]
    assert node.kinds - {"scikitlearn"} == {"ibis", "duckdb", "parquet"}
    columns = [(each.name, each.type, each.description) for each in node.metadata["dagster/column_schema"].columns]
    assert columns == [(each.name, each.type, each.description) for each in LAKE_TABLES[asset]]
    assert node.metadata["dagster/table_name"] == asset


def test_daily_assets_scan_by_themselves_and_a_backfill_is_one_run(graph):
    found = nodes(graph)
    automated = {name for name, node in found.items() if node.automation_condition is not None}
    assert automated == set(DAILY)
    eager = dg.AutomationCondition.eager()
    alone = eager.ignore(dg.AssetSelection.assets("risk_weights"))
    unmoved = eager.ignore(dg.AssetSelection.assets("customers", "usage_daily"))
    expected = dict.fromkeys(DAILY, eager) | {"risk_scores": alone, "business_outcomes": unmoved}
    assert {name: found[name].automation_condition for name in DAILY} == expected
    partitioned = {name for name, node in found.items() if node.is_partitioned}
    assert partitioned == {*DAILY, "usage_daily", *GROUPS["learning"]}
    assert {found[name].backfill_policy for name in partitioned} == {dg.BackfillPolicy.single_run()}


def test_scan_days_end_yesterday_and_months_with_the_current_one(graph):
    found = nodes(graph)
    assert {type(found[name].partitions_def) for name in DAILY} == {dg.DailyPartitionsDefinition}
    assert isinstance(found["usage_daily"].partitions_def, dg.MonthlyPartitionsDefinition)
    with dg.partition_loading_context(effective_dt=NOON):
        assert found["risk_scores"].partitions_def.get_last_partition_key() == "2026-10-31"
        assert found["usage_daily"].partitions_def.get_last_partition_key() == "2026-11"


def test_every_check_is_declared_and_those_that_must_stop_a_scan_do(graph):
    checks: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        checks.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert checks == CHECKS
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking == BLOCKING
