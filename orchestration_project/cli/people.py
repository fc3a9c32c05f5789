"""People: the commands of those who decide, send and make exceptions, and their options."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestration_project.cli.options import HomeOption, JsonOption, UserOption
from orchestration_project.settings import Home

State = Literal["open", "approved", "edited", "rejected", "expired", "resolved"]
ItemArgument = Annotated[str, typer.Argument(help="Identifier of the item, or its beginning.")]
WhyOption = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
MaybeWhyOption = Annotated[str | None, typer.Option("--reason", help="Why; kept with the decision.")]

people_app = typer.Typer()
reviews_app = typer.Typer(help="What people are asked to decide.", no_args_is_help=True)
people_app.add_typer(reviews_app, name="reviews")
responses_app = typer.Typer(help="What came back from customers.", no_args_is_help=True)
people_app.add_typer(responses_app, name="responses")
plays_app = typer.Typer(help="What is done for customers, switched off and on.", no_args_is_help=True)
people_app.add_typer(plays_app, name="plays")


@reviews_app.command("list")
def reviews_list(
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only what this owner is to decide.")] = None,
    state: Annotated[State, typer.Option(help="Items in this state.")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    after: Annotated[str | None, typer.Option(help="The item that the page before ended with.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what waits for a decision, the most urgent first."""
    from orchestration_project.cli.reviews import list_items

    list_items(Home.find(home), queue, owner, state, limit, after, as_json)


@reviews_app.command("show")
def reviews_show(item: ItemArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Tell all there is to know about an item: what, why, facts, text, and where it goes."""
    from orchestration_project.cli.reviews import show_item

    show_item(Home.find(home), item, as_json)


@reviews_app.command("claim")
def reviews_claim(
    item: ItemArgument,
    minutes: Annotated[float, typer.Option(min=1, max=1440, help="For how long.")] = 30,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an item, so that nobody else decides it meanwhile."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).claim(item, minutes)


@reviews_app.command("approve")
def reviews_approve(
    item: ItemArgument,
    reason: MaybeWhyOption = None,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have it done as it was drafted."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).approve(item, reason)


@reviews_app.command("edit")
def reviews_edit(
    item: ItemArgument,
    subject: Annotated[str | None, typer.Option(help="Another subject, without an editor.")] = None,
    body_file: Annotated[Path | None, typer.Option(help="File with another text, without an editor.")] = None,
    reason: MaybeWhyOption = None,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change subject and text in $VISUAL or $EDITOR, and have it done so."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).edit(item, subject, body_file, reason)


@reviews_app.command("reject")
def reviews_reject(
    item: ItemArgument,
    reason: WhyOption,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have it not done; nothing is sent."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).reject(item, reason)


@reviews_app.command("reassign")
def reviews_reassign(
    item: ItemArgument,
    to: Annotated[str, typer.Option(help="Who is to decide instead: `team:name` or an address.")],
    reason: WhyOption,
    queue: Annotated[str | None, typer.Option(help="Another queue; default: the same.")] = None,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an item to somebody else, who then finds it among theirs."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).reassign(item, to, queue, reason)


@reviews_app.command("resolve")
def reviews_resolve(
    item: ItemArgument,
    reason: WhyOption,
    answer: Annotated[
        Literal["sent", "resend", "give_up"] | None,
        typer.Option("--as", help="What became of a message of which nobody knows, or is to become of it."),
    ] = None,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an item that asks about no action, or say what became of a message."""
    from orchestration_project.cli.deciding import Desk

    Desk(Home.find(home), as_user, as_json).resolve(item, answer, reason)


@people_app.command()
def deliver(
    limit: Annotated[int, typer.Option(min=1, help="Messages at most.")] = 500,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go; send nothing.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out what people decided, read what came back, and send what is due."""
    from orchestration_project.cli.delivering import deliver as run

    run(Home.find(home), limit, dry_run, as_json)


@people_app.command()
def suppress(
    whom: Annotated[str, typer.Argument(help="customer_id, or an e-mail address.")],
    reason: WhyOption,
    until: Annotated[str | None, typer.Option(help="Last day without mail (UTC); default: for good.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End the suppressions that hold, instead.")] = False,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no e-mail to a customer or an address any more; what waits for them is cancelled."""
    from orchestration_project.cli import setting_aside

    if lift and until is not None:
        raise typer.BadParameter("pass --until or --lift, not both")
    if lift:
        setting_aside.lift(Home.find(home), whom, reason, as_user, as_json)
    else:
        setting_aside.suppress(Home.find(home), whom, reason, until, as_user, as_json)


@people_app.command()
def override(
    customer: Annotated[str, typer.Argument(help="customer_id")],
    reason: WhyOption,
    score: Annotated[float | None, typer.Option(min=1, max=10, help="The score that is to hold, from 1 to 10.")] = None,
    until: Annotated[str | None, typer.Option(help="Last scan day on which it holds.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="End the override that holds, instead.")] = False,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a customer's score for a time, with a reason; scans from that of today on take it."""
    from orchestration_project.cli import setting_aside

    if withdraw and (score, until) == (None, None):
        setting_aside.withdraw(Home.find(home), customer, reason, as_user, as_json)
    elif score is not None and until is not None and not withdraw:
        setting_aside.override(Home.find(home), customer, score, reason, until, as_user, as_json)
    else:
        raise typer.BadParameter("pass --score and --until, or else --withdraw")


@responses_app.command("read")
def responses_read(
    folder: Annotated[Path | None, typer.Option(help="Folder of .eml files; default: the mailbox.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read replies, bounces, complaints and wishes to unsubscribe; reading them again adds nothing."""
    from orchestration_project.cli.answers import read

    read(Home.find(home), folder, as_json)


@responses_app.command("serve")
def responses_serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8025,
    home: HomeOption = None,
) -> None:
    """Serve the page where readers of mails unsubscribe, until it is stopped."""
    from orchestration_project.cli.answers import serve

    serve(Home.find(home), host, port)


@plays_app.command("list")
def plays_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Tell every play and whether it is on, since when and why."""
    from orchestration_project.cli.plays import show_plays

    show_plays(Home.find(home), as_json)


@plays_app.command("off")
def plays_off(
    play: Annotated[str, typer.Argument(help="Play, or '*' for all.")],
    reason: WhyOption,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a play off: nothing is planned by it, and its messages wait."""
    from orchestration_project.cli.plays import turn

    turn(Home.find(home), play, "off", reason, as_user, as_json)


@plays_app.command("on")
def plays_on(
    play: Annotated[str, typer.Argument(help="Play, or '*' for all.")],
    reason: WhyOption,
    as_user: UserOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a play on again: messages that waited are sent."""
    from orchestration_project.cli.plays import turn

    turn(Home.find(home), play, "on", reason, as_user, as_json)
