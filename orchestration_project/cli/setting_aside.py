"""Setting aside: the commands by which a person stops mail to somebody, or sets a customer's score for a time."""

from datetime import UTC, timedelta

from orchestration_project.cli.console import emit_json, say
from orchestration_project.cli.errors import CommandError
from orchestration_project.cli.store import end_of, opened_store, user
from orchestration_project.domain.addresses import address
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home


def suppress(home: Home, whom: str, reason: str, until: str | None, as_user: str | None, as_json: bool) -> None:
    """Has no e-mail sent to a customer or an address any more, or until the end of a day."""
    from orchestration_project.operations import suppressions

    workspace, who = Workspace(home), user(as_user)
    now = workspace.now()
    ends = end_of(until, now, "--until") if until else None
    home.require()
    customer = whom if _known(workspace, whom) else None
    mailbox = whom if address(whom) else None
    if customer is None and mailbox is None:
        raise CommandError(f"{whom!r} is neither a customer in the lake nor one e-mail address; correct it.")
    _needs(reason)
    with opened_store(home) as store, store.transaction(who, now) as tx:
        row = suppressions.add(tx, reason, "person", customer, mailbox, ends)
    if as_json:
        emit_json(row.values())
    else:
        say(f"No e-mail goes to {whom} any more{f' until the end of {until} (UTC)' if until else ''}.")


def lift(home: Home, whom: str, reason: str, as_user: str | None, as_json: bool) -> None:
    """Ends the suppressions of a customer, or of an address, that hold."""
    from orchestration_project.operations import suppressions

    workspace, who = Workspace(home), user(as_user)
    _needs(reason)
    with opened_store(home) as store, store.transaction(who, workspace.now()) as tx:
        rows = suppressions.of(tx.session, whom, workspace.now())
        ended = [row for row in rows if suppressions.lift(tx, row.id, reason)]
    if not ended:
        raise CommandError(
            f"No suppression of exactly {whom!r} holds that could be lifted; name the customer or the address that is "
            "suppressed. Those of who was erased stay."
        )
    if as_json:
        emit_json([row.values() for row in ended])
    else:
        say(f"{whom} is no longer suppressed. A customer and their address are suppressed each by themselves.")


def override(
    home: Home, customer: str, score: float, reason: str, until: str, as_user: str | None, as_json: bool
) -> None:
    """Sets a customer's score from today's scan to that of a day."""
    from orchestration_project.operations import overrides

    workspace, who = Workspace(home), user(as_user)
    now = workspace.now()
    ends = end_of(until, now, "--until")
    home.require()
    if not _known(workspace, customer):
        raise CommandError(f"There is no customer {customer!r} in the lake; `orchestrate top` shows identifiers.")
    _needs(reason)
    with opened_store(home) as store, store.transaction(who, now) as tx:
        row = overrides.add(tx, customer, score, reason, ends)
    if as_json:
        emit_json(row.values())
        return
    first = now.astimezone(UTC).date()
    say(f"{customer} scores {score:g} from the scan of {first}, which runs on {first + timedelta(days=1)}, to that of "
        f"{until}.")  # fmt: skip


def withdraw(home: Home, customer: str, reason: str, as_user: str | None, as_json: bool) -> None:
    """Ends the override that holds for a customer."""
    from orchestration_project.operations import overrides

    workspace, who = Workspace(home), user(as_user)
    now = workspace.now()
    with opened_store(home) as store, store.transaction(who, now) as tx:
        row = overrides.active(tx.session, now).get(customer)
        if row is None:
            raise CommandError(f"Customer {customer!r} has no override that holds now, so there is none to withdraw.")
        overrides.withdraw(tx, row.id, reason)
    if as_json:
        emit_json(row.values())
    else:
        say(f"The override of {customer} ends with the scan of {now.astimezone(UTC).date() - timedelta(days=1)}.")


def _known(workspace: Workspace, customer: str) -> bool:
    with workspace.lake() as lake:
        if not lake.has("customers"):
            return False
        customers = lake.read("customers")
        return bool(lake.engine.value((customers.customer_id == customer).any()))


def _needs(reason: str) -> None:
    if not reason.strip():
        raise CommandError("--reason is empty; say why.")
