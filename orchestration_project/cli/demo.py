"""Demo: from nothing to who is at risk and why, on the simulated company."""

from datetime import timedelta

from orchestration_project.cli.console import out, say, working
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.runs import opened
from orchestration_project.cli.scaffold import write_home
from orchestration_project.cli.scanning import compute
from orchestration_project.cli.show import riskiest, show_explanation, show_top
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home


def run_demo(home: Home, days: int, customers: int) -> None:
    """Makes the demo home where there is none, backfills it, scans yesterday, and shows the result."""
    if not home.exists:
        write_home(home, Workspace(home).now().date(), customers)
        say(f"Made a home with a simulated company of {customers} customers at {home.path}.")
    workspace = Workspace(home)
    yesterday = workspace.yesterday
    first = max(yesterday - timedelta(days=days), workspace.settings.history_start)
    with working("Loading Dagster") as status:
        report = status.update if status else (lambda _: None)
        with opened(home, report) as runs:
            report("Reading the simulated company")
            backfilled = compute(runs, first, yesterday - timedelta(days=1))
            scanned = compute(runs, yesterday, yesterday)
    say(f"Backfilled {backfilled['days']} days in {backfilled['scan_seconds']} s, scanned {yesterday} in "
        f"{scanned['scan_seconds']} s.")  # fmt: skip
    show_top(home, None, 10, as_json=False)
    with workspace.lake() as lake:
        worst = riskiest(lake, yesterday, 1)
    if not worst:
        raise CommandError("Nobody has a score; `orchestrate sources check` tells what is missing.")
    out.print()
    against = yesterday - timedelta(days=min(days, 30))
    with workspace.lake() as lake:
        earlier = lake.read("risk_scores", [against.isoformat()], "scan_day")
        was_there = lake.engine.value(earlier.filter(earlier.customer_id == worst[0]["customer_id"]).count())
    show_explanation(home, worst[0]["customer_id"], None, str(against) if was_there else None, as_json=False)
    out.print()
    out.print("Open the Dagster UI on this home with [bold]make dev[/], then http://localhost:3000 in a browser.")
