"""App: the commands, their options and what they print."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration_project.cli.options import HomeOption, JsonOption
from orchestration_project.cli.people import people_app
from orchestration_project.settings import Home

app = typer.Typer(
    help="Customer-health orchestration: who is at risk, why, and what to do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sources_app = typer.Typer(help="The company's own tables.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")
weights_app = typer.Typer(help="The weights that score: decided, learned, approved, rolled back.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
workflows_app = typer.Typer(help="Workflows: declared in manifests, checked before they run.", no_args_is_help=True)
app.add_typer(workflows_app, name="workflows")
app.add_typer(people_app)


@app.command()
def init(
    home: HomeOption = None,
    example: Annotated[str | None, typer.Option(help="Real data instead: complete-journey or cdnow.")] = None,
) -> None:
    """Make a home: settings.yaml and sources.yaml, with comments."""
    from orchestration_project.cli.scaffold import init_home

    init_home(Home.find(home), example)


@app.command()
def demo(
    home: HomeOption = None,
    days: Annotated[int, typer.Option(min=1, max=500, help="Days to backfill before yesterday.")] = 120,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the simulated company.")] = 2000,
) -> None:
    """Simulate a company, backfill it, scan yesterday, and print who is at risk and why."""
    from orchestration_project.cli.demo import run_demo

    run_demo(Home.find(home or ".demo"), days, customers)


@sources_app.command("check")
def sources_check(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Connect to every source and tell per table what is wrong, where, and how to mend it."""
    from orchestration_project.cli.source_checks import check

    raise typer.Exit(check(Home.find(home), as_json))


@app.command()
def scan(
    home: HomeOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Scan day; default: yesterday.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the sources and scan one day."""
    from orchestration_project.cli.scanning import run_scan

    run_scan(Home.find(home), date, as_json)


@app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First scan day.")],
    last: Annotated[str | None, typer.Option("--to", help="Last scan day; default: yesterday.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scan a range of past days in one run."""
    from orchestration_project.cli.scanning import run_backfill

    run_backfill(Home.find(home), first, last, as_json)


@app.command()
def learn(
    first: Annotated[str | None, typer.Option("--from", help="First month, as 2026-01; default: that of --to.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month; default: the last that is over.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who left, refit the weights of a month or a range of months, and decide."""
    from orchestration_project.cli.learning import run_learning

    run_learning(Home.find(home), first, last, as_json)


@app.command("what-if")
def what_if(
    first: Annotated[str, typer.Option("--from", help="First scan day.")],
    last: Annotated[str | None, typer.Option("--to", help="Last scan day; default: yesterday.")] = None,
    version: Annotated[str | None, typer.Option(help="Weights to score with, as `weights list` tells them.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of `risk`: risk.scoring.high_from=7. Repeatable.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score past days again under other weights or settings and compare; nothing is changed."""
    from orchestration_project.cli.what_if import run_what_if

    run_what_if(Home.find(home), (first, last), version, changes or [], as_json)


@weights_app.command("list")
def weights_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every refit with its decision and reasons, and the weights in force."""
    from orchestration_project.cli.learning import list_weights

    list_weights(Home.find(home), as_json)


@weights_app.command("show")
def weights_show(
    version: Annotated[str | None, typer.Argument(help="Version; default: the one in force.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One version: the weights of its families and the curves of its signals."""
    from orchestration_project.cli.learning import show_weights

    show_weights(Home.find(home), version, as_json)


@weights_app.command("report")
def weights_report(
    month: Annotated[str | None, typer.Option(help="Month, as 2026-10; default: the last that was refitted.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; default: in the home's `reports`.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page about a refit: what was decided and why, and how well the weights tell who leaves."""
    from orchestration_project.cli.learning import report_weights

    report_weights(Home.find(home), month, output, as_json)


@weights_app.command("approve")
def weights_approve(
    version: Annotated[str, typer.Argument(help="Version to put in force.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    home: HomeOption = None,
) -> None:
    """Put a version in force from the latest scan day on."""
    from orchestration_project.cli.learning import approve_weights

    approve_weights(Home.find(home), version, reason)


@weights_app.command("rollback")
def weights_rollback(
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")], home: HomeOption = None
) -> None:
    """Return to the version that was in force before."""
    from orchestration_project.cli.learning import rollback_weights

    rollback_weights(Home.find(home), reason)


@app.command()
def top(
    home: HomeOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Scan day; default: the latest that was scanned.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many customers.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Who is at risk, worst first, and why."""
    from orchestration_project.cli.show import show_top

    show_top(Home.find(home), date, limit, as_json)


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(help="customer_id")],
    home: HomeOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Scan day; default: the latest that was scanned.")] = None,
    against: Annotated[str | None, typer.Option(help="An earlier scan day to explain the change from.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Why a customer has its score, and what changed since another day."""
    from orchestration_project.cli.show import show_explanation

    show_explanation(Home.find(home), customer, date, against, as_json)


@app.command()
def impact(
    home: HomeOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Scan day; default: the latest that was scanned.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; default: in the home's `reports`.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether acting helped: retention against the group held back, with intervals; and one HTML page about it."""
    from orchestration_project.cli.impact import run_impact

    run_impact(Home.find(home), date, output, as_json)


@app.command()
def handoffs(
    customer: Annotated[str | None, typer.Option(help="customer_id; default: a summary of all customers.")] = None,
    home: HomeOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Scan day; default: the latest that was scanned.")] = None,
    workflow: Annotated[str, typer.Option(help="Workflow whose steps hand over.")] = "customer_health",
    as_json: Annotated[bool, typer.Option("--json", help="Print all customers' handoffs as JSON Lines.")] = False,
) -> None:
    """Print what each step handed to the next about a customer, as JSON Lines in the order of the steps."""
    from orchestration_project.cli.handoffs import show_handoffs

    show_handoffs(Home.find(home), customer, date, workflow, as_json)


@workflows_app.command("list")
def workflows_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Tell every workflow, with its version and what it is for."""
    from orchestration_project.cli.workflows import list_workflows

    list_workflows(Home.find(home), as_json)


@workflows_app.command("show")
def workflows_show(
    workflow: Annotated[str, typer.Argument(help="Workflow to show.")] = "customer_health",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell one workflow: its steps, handoffs, success criteria and pathways for errors."""
    from orchestration_project.cli.workflows import show_workflow

    show_workflow(Home.find(home), workflow, as_json)


@workflows_app.command("check")
def workflows_check(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Read every manifest and tell what is wrong with it: file, line, cause and fix."""
    from orchestration_project.cli.workflows import check_workflows

    raise typer.Exit(check_workflows(Home.find(home), as_json))


@workflows_app.command("graph")
def workflows_graph(
    workflow: Annotated[str, typer.Argument(help="Workflow to draw.")] = "customer_health", home: HomeOption = None
) -> None:
    """Print the steps and handoffs of a workflow as a Mermaid flowchart."""
    from orchestration_project.cli.workflows import graph_workflow

    graph_workflow(Home.find(home), workflow)


@app.command()
def erase(
    customer: Annotated[str, typer.Argument(help="customer_id")],
    reason: Annotated[str, typer.Option(help="Why; kept with the erasure, without what it says about the customer.")],
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether to go on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget a customer everywhere in the home, for good, and search everything for them afterwards."""
    from orchestration_project.cli.privacy import run_erasure

    run_erasure(Home.find(home), customer, reason, yes, as_json)


@app.command()
def prune(
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove or mask what was kept for as long as `retention` in settings.yaml says."""
    from orchestration_project.cli.privacy import run_pruning

    run_pruning(Home.find(home), dry_run, as_json)


@app.command()
def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and home, and say what to do about each finding."""
    from orchestration_project.cli.doctor import examine

    raise typer.Exit(examine(Home.find(home), as_json))
