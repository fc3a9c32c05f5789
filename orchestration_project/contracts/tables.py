"""Canonical source tables: the columns, types and rules that every connector's rows are brought to.

What a company's own tables are called and how they are reached does not belong here (see `sources`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["string", "timestamp", "float64", "int64", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column of a canonical table."""

    name: str
    type: ColumnType
    description: str
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    happened: bool = False
    """True for a time that must lie in the past: it says when something happened or was recorded."""


@dataclass(frozen=True)
class Table:
    """One canonical table: its columns, its key, and the column that says when a row happened."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    happened_at: str

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in their canonical order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which a row is worthless."""
        return tuple(column.name for column in self.columns if column.required)

    def column(self, name: str) -> Column:
        """The column of that name; `KeyError` where there is none."""
        return {column.name: column for column in self.columns}[name]


_CUSTOMER = Column("customer_id", "string", "The customer, as every table names it", required=True)
_RECORDED = Column("recorded_at", "timestamp", "When the row became known; default: when it happened", happened=True)

CUSTOMERS = Table(
    "customers",
    "Who the customers are, with their history of changes where there is one",
    (
        _CUSTOMER,
        Column("name", "string", "Company or person"),
        Column("segment", "string", "Segment, for example enterprise"),
        Column("industry", "string", "Line of business"),
        Column("employee_count", "int64", "Number of employees", minimum=0),
        Column("plan", "string", "Plan or product bought"),
        Column("mrr", "float64", "Monthly recurring revenue, in the company's currency", minimum=0),
        Column("signed_up_at", "timestamp", "When the customer relation began", required=True, happened=True),
        Column("renews_at", "timestamp", "When the contract renews next"),
        Column("churned_at", "timestamp", "When the customer left or, after a notice, will leave"),
        Column("owner", "string", "Account manager"),
        Column("contact_name", "string", "Person to write to"),
        Column("contact_email", "string", "Address to write to"),
        Column("language", "string", "Language of the contact, for example de or en-GB; default: English"),
        Column("timezone", "string", "Time zone of the contact, for example Europe/Berlin; default: UTC"),
        Column("opted_out", "boolean", "True where the contact wants no outreach"),
        Column("valid_from", "timestamp", "From when this version of the row was known", happened=True),
    ),
    key=("customer_id", "valid_from"),
    happened_at="valid_from",
)

USAGE_EVENTS = Table(
    "usage_events",
    "What customers did with the product",
    (
        _CUSTOMER,
        Column("occurred_at", "timestamp", "When it happened", required=True, happened=True),
        Column("event", "string", "Kind of use, for example report_run", required=True),
        Column("quantity", "float64", "How much; default 1", minimum=0, maximum=1e9),
        Column("user_id", "string", "Who at the customer"),
        _RECORDED,
    ),
    key=(),
    happened_at="occurred_at",
)

SUPPORT_TICKETS = Table(
    "support_tickets",
    "What customers asked support for",
    (
        Column("ticket_id", "string", "The ticket", required=True),
        _CUSTOMER,
        Column("opened_at", "timestamp", "When it was opened", required=True, happened=True),
        Column("resolved_at", "timestamp", "When it was resolved; empty while open"),
        Column("priority", "string", "Priority", choices=("low", "normal", "high", "urgent")),
        Column("category", "string", "What it is about"),
        Column("satisfaction", "float64", "Rating after resolution, 1 to 5", minimum=1, maximum=5),
        _RECORDED,
    ),
    key=("ticket_id",),
    happened_at="opened_at",
)

INVOICES = Table(
    "invoices",
    "What customers owe and paid",
    (
        Column("invoice_id", "string", "The invoice", required=True),
        _CUSTOMER,
        Column("due_at", "timestamp", "When payment is due", required=True),
        Column("issued_at", "timestamp", "When it was issued; default: 30 days before it is due", happened=True),
        Column("paid_at", "timestamp", "When it was paid; empty while unpaid", happened=True),
        Column("amount", "float64", "Amount, in the company's currency", minimum=0, maximum=1e9),
        Column("status", "string", "State", choices=("open", "paid", "failed", "void")),
        _RECORDED,
    ),
    key=("invoice_id",),
    happened_at="issued_at",
)

ENGAGEMENTS = Table(
    "engagements",
    "Contacts between the company and its customers",
    (
        _CUSTOMER,
        Column("occurred_at", "timestamp", "When it happened", required=True, happened=True),
        Column("kind", "string", "Kind of contact: email_open, reply, meeting, nps, ...", required=True),
        Column("channel", "string", "Where it happened"),
        Column("value", "float64", "A value where the kind has one, for example the NPS answer"),
        _RECORDED,
    ),
    key=(),
    happened_at="occurred_at",
)

SOURCE_TABLES: Mapping[str, Table] = {
    table.name: table for table in (CUSTOMERS, USAGE_EVENTS, SUPPORT_TICKETS, INVOICES, ENGAGEMENTS)
}
