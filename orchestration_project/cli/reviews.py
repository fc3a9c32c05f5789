"""Reviews: the commands that list and show what people are asked to decide."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from orchestration_project.cli.console import emit_json, moment, out, table
from orchestration_project.cli.store import existing_store, opened_store
from orchestration_project.domain.texts import clean, revealed
from orchestration_project.resources import Workspace
from orchestration_project.settings import Home

if TYPE_CHECKING:
    from orchestration_project.operations.models import Action, AuditEntry, ReviewItem

SHORT = 8
"""Characters of an identifier that are shown: enough to tell items apart, and to name one."""
WHOLE = ("score", "band", "confidence", "factors")
"""Values of a context that are told in one line, in this order."""
COLUMNS = ("item", "priority", "decide by", "queue", "owner", "reason", "customer", "title", "claimed or decided by")


def list_items(
    home: Home, queue: str | None, owner: str | None, state: str, limit: int, after: str | None, as_json: bool
) -> None:
    """Prints one page of items, the most urgent first, and where the next begins."""
    from orchestration_project.operations import reviews

    now = Workspace(home).now()
    with existing_store(home) as store:
        found = reviews.Page((), None)
        if store is not None:
            with store.reading() as session:
                place = reviews.place(reviews.find(session, after)) if after else None
                found = reviews.page(session, queue, state, place, limit, owner)
    items, more = found.items, found.next
    if as_json:
        emit_json({"items": [each.values() for each in items], "next": more.id if more else None})
        return
    rows = [_row(each, now) for each in items]
    table(f"Review items: {state}", COLUMNS, rows, right=("priority",))
    if more:
        same = "".join(f" --{name} {value}" for name, value in (("queue", queue), ("owner", owner)) if value)
        same += f" --state {state} --limit {limit} --home {home.path}"
        out.print(f"More: orchestrate reviews list --after {more.id[:SHORT]}{same}", markup=False, soft_wrap=True)


def _row(item: "ReviewItem", now: datetime) -> tuple[Any, ...]:
    busy = item.claimed_until is not None and item.claimed_until > now
    who = item.decided_by or (item.claimed_by if busy else None)
    told = (item.queue, item.owner, item.reason_code, item.customer_id, item.title, who)
    return item.id[:SHORT], item.priority, moment(item.deadline, now), *(_line(each) for each in told)


def show_item(home: Home, start: str, as_json: bool) -> None:
    """Prints all there is to know to decide an item."""
    from orchestration_project.operations import audit, reviews
    from orchestration_project.operations.models import Action, ReviewItem

    now = Workspace(home).now()
    with opened_store(home) as store, store.reading() as session:
        item = reviews.find(session, start)
        action = session.get(Action, item.action_id) if item.action_id else None
        history = audit.trail(session, ReviewItem.__tablename__, item.id)
    if as_json:
        past = [{"at": each.at, "who": each.who, "what": each.what, "why": each.why} for each in history]
        emit_json(item.values() | {"action": action.values() if action else None, "history": past})
        return
    for line in _head(item, action, now):
        out.print(line, markup=False, soft_wrap=True)
    _print_context(item.context)
    _print_text(item)
    _print_history(history, now)
    out.print("\n" + how_to_decide(item, home), markup=False, soft_wrap=True)


def how_to_decide(item: "ReviewItem", home: Home) -> str:
    """What can be done with an item, as commands."""
    from orchestration_project.operations.reviews import UNCERTAIN

    if item.state != "open":
        return "Nothing is left to decide."
    command, name, here = "orchestrate reviews", item.id[:SHORT], f"--home {home.path}"
    if item.reason_code == UNCERTAIN:
        return f"Decide: {command} resolve {name} {here} --as sent (or resend, give_up) --reason ..."
    if item.action_id is None:
        return f"Decide: {command} resolve {name} {here} --reason ..."
    return (
        f"Decide: {command} approve {name} {here}\n    or: {command} edit {name} {here}\n"
        f"    or: {command} reject {name} {here} --reason ..."
    )


def _head(item: "ReviewItem", action: "Action | None", now: datetime) -> Iterator[str]:
    yield f"{item.id}: {clean(item.title)}"
    yield f"State {item.state}, priority {item.priority}, queue {_plain(item.queue)}, owner {_plain(item.owner)}"
    yield f"Asked because of {_plain(item.reason_code)}, by step {_plain(item.step)} of {_plain(item.workflow)}"
    yield f"Decide by {moment(item.deadline, now)}; expires {moment(item.expires_at, now)}"
    if item.state == "open" and item.claimed_until and item.claimed_until > now:
        yield f"Claimed by {_plain(item.claimed_by)} until {moment(item.claimed_until, now)}"
    if item.decided_at:
        why = f": {clean(item.decision_reason)}" if item.decision_reason else ""
        yield f"{item.state.capitalize()} by {_plain(item.decided_by)} at {moment(item.decided_at, now)}{why}"
    if item.customer_id:
        yield f"Customer {_plain(item.customer_id)}"
    if action:
        yield f"Action: {action.kind}, play {_plain(action.play)}, cause {_plain(action.cause)}, {action.state}"


def _print_context(context: Mapping[str, Any]) -> None:
    rest = dict(context)
    where = rest.pop("send", None)
    scored = {name: rest.pop(name) for name in WHOLE if rest.get(name) is not None}
    if scored:
        told = ", ".join(f"{name} {_plain(value)}" for name, value in scored.items())
        out.print(told[:1].upper() + told[1:], markup=False, soft_wrap=True)
    problems = rest.pop("problems", None) or ()
    for problem in problems:
        out.print(f"Problem in the text: {_plain(problem)}", style="yellow", markup=False, soft_wrap=True)
    plain = {name: value for name, value in rest.items() if not _many(value)}
    if plain:
        table("What is known", ("what", "value"), [(_line(name), _line(value)) for name, value in plain.items()])
    for name, value in rest.items():
        if _many(value):
            _print_many(name.replace("_", " ").capitalize(), value)
    if where:
        told = f"Goes to {_plain(where['recipient'])} as {_plain(where['kind'])} by {_plain(where['channel'])}"
        out.print(told, markup=False, soft_wrap=True)


def _many(value: Any) -> bool:
    return bool(value) and (isinstance(value, Mapping) or (isinstance(value, list) and isinstance(value[0], Mapping)))


def _print_many(title: str, value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    if isinstance(value, Mapping):
        table(_line(title), ("what", "value"), [(_line(name), _line(each)) for name, each in value.items()])
        return
    columns = list(dict.fromkeys(name for row in value for name in row))
    rows = [[_line(row.get(name)) for name in columns] for row in value]
    table(f"{_line(title)}: {len(rows)}", [_line(name) for name in columns], rows)


def _print_text(item: "ReviewItem") -> None:
    texts = [("", item.subject, item.body)]
    if item.decided_body is not None:
        title = f"As edited: {item.edit_distance or 0:.0%} of the words changed"
        texts.append((title, item.decided_subject, item.decided_body))
    for title, subject, body in texts:
        if title:
            out.print(f"\n{title}", style="bold", markup=False)
        if subject is not None:
            out.print(f"\nSubject: {clean(subject)}", markup=False, soft_wrap=True)
        if body is not None:
            out.print(f"\n{revealed(body)}", markup=False, soft_wrap=True)


def _print_history(history: "Sequence[AuditEntry]", now: datetime) -> None:
    rows = [(moment(each.at, now), _line(each.who), _line(each.what), _line(each.why)) for each in history]
    out.print()
    table("History", ("when", "who", "what", "why"), rows)


def _plain(value: Any) -> str:
    """A value in one line of visible text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(name)} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return clean(value)


def _line(value: Any) -> str:
    return escape(_plain(value))
