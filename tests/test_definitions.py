"""The code location: it loads light, Dagster accepts it, and its public surface is spelt out here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from orchestration_project.cli.app import app
from orchestration_project.definitions import build
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

PROJECT = Path(__file__).parents[1]
HEAVY = (
    "anthropic", "sklearn", "mcp", "altair", "vl_convert", "pandas", "pyarrow", "duckdb", "psycopg", "fsspec",
    "pandera", "ibis", "sqlalchemy", "alembic", "slack_sdk", "imap_tools",
)  # fmt: skip
COMMANDS = {
    "init",
    "demo",
    "scan",
    "backfill",
    "top",
    "explain",
    "handoffs",
    "doctor",
    "sources check",
    "learn",
    "weights list",
    "weights show",
    "weights approve",
    "weights rollback",
    "workflows list",
    "workflows show",
    "workflows check",
    "workflows graph",
    "weights report",
    "what-if",
    "reviews list",
    "reviews show",
    "reviews claim",
    "reviews approve",
    "reviews edit",
    "reviews reject",
    "reviews reassign",
    "reviews resolve",
    "deliver",
    "suppress",
    "override",
    "responses read",
    "responses serve",
    "plays list",
    "plays off",
    "plays on",
    "impact",
    "erase",
    "prune",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return build(Workspace(Home(tmp_path_factory.mktemp("home")))).get_repository_def()


def run(*command, home):
    environment = os.environ | {"ORCHESTRATE_HOME": str(home), "DAGSTER_HOME": str(home)}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_dagster_accepts_the_definitions(tmp_path):
    checked = run(str(Path(sys.executable).with_name("dg")), "check", "defs", home=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_loading_the_code_location_imports_nothing_heavy_and_makes_nothing(tmp_path):
    code = (
        "import sys, orchestration_project.definitions as it; it.defs();"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    loaded = run(sys.executable, "-W", "ignore", "-c", code, home=tmp_path / "home")
    assert loaded.stderr == ""
    assert loaded.stdout.split() == []
    assert list(tmp_path.iterdir()) == []


def test_assets_are_these(repository):
    assert {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()} == {
        "customers", "support_tickets", "invoices", "engagements", "usage_daily",
        "customer_profiles", "usage_trends", "risk_factors", "risk_scores",
        "churn_outcomes", "risk_weights", "action_plan", "outreach_drafts", "account_alerts",
        "business_outcomes",
    }  # fmt: skip


def test_jobs_are_these(repository):
    jobs = {job.name: job.description for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert set(jobs) == {"refresh_sources", "health_scan", "refit_weights", "deliver_messages", "retention"}
    assert all(jobs.values())


def test_triggers_are_these(repository):
    assert {schedule.name for schedule in repository.schedule_defs} == {"daily_scan", "monthly_refit", "retention"}
    assert {sensor.name for sensor in repository.sensor_defs} == {"new_data", "scan_automation", "messages_due"}


def test_commands_are_these_and_each_says_what_it_does():
    group = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}": each for sub, each in inner.items()} if inner else {name: command}
    assert set(found) == COMMANDS
    assert all(len(command.help) > 20 for command in found.values())
    assert all("--home" in [option for each in command.params for option in each.opts] for command in found.values())


def test_every_command_that_tells_something_can_tell_it_as_json():
    group = typer.main.get_command(app)
    telling = {
        "scan",
        "backfill",
        "top",
        "explain",
        "doctor",
        "learn",
        "what-if",
        "handoffs",
        "impact",
        "erase",
        "prune",
    }
    assert all("--json" in [option for each in group.commands[name].params for option in each.opts] for name in telling)
    check = group.commands["sources"].commands["check"]
    assert "--json" in [option for each in check.params for option in each.opts]
