"""Facts: what a text about one customer may say, as values and as the reader's language writes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration_project.agents.model import Request
from orchestration_project.contracts.manifest import Play
from orchestration_project.domain import texts
from orchestration_project.domain.claims import Strangers
from orchestration_project.domain.rules import RECENT_DAYS
from orchestration_project.domain.vocabulary import ENGLISH, LANGUAGES

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "risk_scores": ("customer_id", "score", "no_score_reason", "band", "factors", "contributions", "next_action"),
    "customer_profiles": (
        "customer_id", "name", "contact_name", "contact_email", "owner", "plan", "renews_at", "language", "timezone",
        "opted_out", "tickets_30d", "tickets_open", "overdue_days", "overdue_amount", "mrr",
    ),
    "usage_trends": ("customer_id", "decline_pct", "days_since_use", "active_days_30d"),
    "action_plan": ("customer_id", "action", "play", "cause", "variant", "autonomy", "stopped_at"),
}  # fmt: skip
"""What is read of each table."""
NAMES = {"customer_name": "name", "contact_name": "contact_name", "owner": "owner", "plan": "plan"}
NUMBERS = ("days_since_use", "active_days_30d", "tickets_30d", "tickets_open", "overdue_days")
_ABOUT = {
    "usage_decline": ("decline_pct", "days_since_use", "active_days_30d", "window_days"),
    "support_tickets": ("tickets_open", "tickets_30d", "window_days"),
    "payment_issues": ("overdue_days", "overdue_amount"),
    "engagement_drop": (),
    "context": ("renewal_date", "plan"),
}
"""Facts that a message about a factor may use, beside the names: a customer is not told all that is known of it."""


@dataclass(frozen=True)
class Known:
    """All that is known of one customer: shown values, and the same as values to verify against."""

    customer_id: str
    shown: Mapping[str, Any]
    truth: Mapping[str, Any]
    language: str


def known(row: Mapping[str, Any], language: str | None = None) -> Known:
    """The facts of a row with the columns of `COLUMNS`, in a language; default: the customer's.

    Names that can't be names are left out; so are numbers that are not known.
    """
    told = language or language_of(row.get("language"))
    truth: dict[str, Any] = {"window_days": RECENT_DAYS}
    truth |= {fact: texts.name(row[column]) if row.get(column) else None for fact, column in NAMES.items()}
    truth |= {name: None if row.get(name) is None else int(row[name]) for name in NUMBERS}
    decline, amount = row.get("decline_pct"), row.get("overdue_amount")
    truth["decline_pct"] = round(decline) if decline is not None and decline >= 1 else None
    truth["overdue_amount"] = round(amount, 2) if amount else None
    truth["renewal_date"] = _local(row["renews_at"], row.get("timezone")) if row.get("renews_at") else None
    truth["score"] = None if row.get("score") is None else round(row["score"], 1)
    shown = truth | {
        "renewal_date": _written(truth["renewal_date"], told),
        "overdue_amount": _amount(truth["overdue_amount"], told),
        "band": row.get("band"),
        "factors": tuple(row.get("factors") or ()),
        "no_score_reason": row.get("no_score_reason"),
    }
    return Known(row["customer_id"], shown, truth | {"ten": 10}, told)


def outreach(row: Mapping[str, Any], plays: Mapping[str, Play]) -> Request:
    """The request for a message to a customer, by the `play` and its `variant` that were planned."""
    facts, play = known(row), plays[row["play"]]
    names = ("customer_name", "contact_name", "owner")
    wanted = (*names, *_ABOUT[play.factor])
    shown = {name: facts.shown[name] for name in wanted}
    shown |= {"factor": play.factor, "play": row["play"], "language": facts.language,
              "may_promise": sorted(play.promises)}  # fmt: skip
    return Request(
        facts.customer_id, "outreach", shown, {name: facts.truth[name] for name in wanted}, row["variant"],
        facts.language, frozenset(play.promises),
    )  # fmt: skip


def narrative(row: Mapping[str, Any]) -> Request:
    """The request for what is behind a score."""
    facts = known(row, ENGLISH)
    return Request(facts.customer_id, "narrative", facts.shown, facts.truth, "narrative")


def actions(row: Mapping[str, Any]) -> Request:
    """The request for what to do about a customer at high risk."""
    facts = known(row, ENGLISH)
    return Request(facts.customer_id, "actions", facts.shown, facts.truth, "actions")


def strangers(rows: Iterable[Mapping[str, Any]]) -> Strangers:
    """The names of all customers and of the people there, and all plans."""
    every = list(rows)
    names = {name for row in every for column in ("name", "contact_name", "owner") if (name := row.get(column))}
    return Strangers(frozenset(names), frozenset(plan for row in every if (plan := row.get("plan"))))


def language_of(told: str | None) -> str:
    """The language to write in, from a code such as `de-AT`; English where no text can be written and verified."""
    code = (told or "").strip().lower().replace("_", "-").partition("-")[0]
    return code if code in LANGUAGES else ENGLISH


def _local(time: datetime, zone: str | None) -> date:
    """The date of a moment in UTC where the customer is; a midnight is a date, which is the same everywhere."""
    if (time.hour, time.minute, time.second) == (0, 0, 0):
        return time.date()
    try:
        return time.replace(tzinfo=UTC).astimezone(ZoneInfo(zone or "UTC")).date()
    except (ZoneInfoNotFoundError, ValueError):
        return time.date()


def _written(day: date | None, language: str) -> str | None:
    from babel.dates import format_date

    return None if day is None else format_date(day, "long", locale=language)


def _amount(amount: float | None, language: str) -> str | None:
    from babel.numbers import format_decimal

    return None if amount is None else format_decimal(amount, "#,##0.00", locale=language)
