"""App: the commands, their options and what they print."""

from pathlib import Path
from typing import Annotated

import typer

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

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder that holds all state; default: $ORCHESTRATE_HOME or .orchestrate")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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
def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check this machine and home, and say what to do about each finding."""
    from orchestration_project.cli.doctor import examine

    raise typer.Exit(examine(Home.find(home), as_json))
