"""Models: the tables of the operations store. What is done with them is in the module named after each noun.

Times are aware on this side and stored as naive UTC; a naive time is refused.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Mapped, mapped_column

REVISION = "0003"
"""The migration that these models agree with."""

ACTION_STATES = (
    "drafted", "in_review", "approved", "queued", "sent", "delivered", "failed", "uncertain", "rejected", "expired",
    "cancelled", "shadow",
)  # fmt: skip
REVIEW_STATES = ("open", "approved", "edited", "rejected", "expired", "resolved")
MESSAGE_STATES = ("pending", "claimed", "sent", "failed", "uncertain", "cancelled")
RESULTS = ("sending", "sent", "transient", "permanent", "uncertain")
RESPONSE_KINDS = ("reply", "bounce_hard", "bounce_soft", "unsubscribe", "complaint", "auto_reply")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SUPPRESSION_SOURCES = ("unsubscribe", "bounce", "complaint", "person", "erased")


class Utc(sa.TypeDecorator[datetime]):
    """An instant: aware in Python, naive UTC in the database."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Brings an aware time to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; pass an aware time")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Makes a stored time aware."""
        return value.replace(tzinfo=UTC) if value else None


class Words(sa.TypeDecorator[str]):
    """Text from anywhere, without what PostgreSQL can't hold: NUL, and halves of surrogate pairs."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Replaces what can't be stored."""
        return value and value.replace("\x00", "").encode("utf-8", "replace").decode()


class Base(orm.DeclarativeBase):
    """What all tables share."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {str: Words(), datetime: Utc(), dict[str, Any]: sa.JSON(none_as_null=True)}

    def values(self) -> dict[str, Any]:
        """All columns with their values, as they would be audited."""
        return {name: getattr(self, name) for name in self.__mapper__.columns.keys()}  # noqa: SIM118


class Row(Base):
    """A row with an identifier that says nothing."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-2)
    created_at: Mapped[datetime] = mapped_column(sort_order=-1)


def one_of(column: str, values: Sequence[str]) -> sa.CheckConstraint:
    """A column holds one of these values, or nothing."""
    return sa.CheckConstraint(sa.column(column).in_(values), name=column)


def only_one(name: str, *columns: str, where: sa.ColumnElement[bool]) -> sa.Index:
    """Of the rows that fulfil a condition, one per value of the columns."""
    return sa.Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


class Episode(Row):
    """One stay of a customer in a band; at most one is open."""

    __tablename__ = "episodes"
    __table_args__ = (
        one_of("band", ("medium", "high")),
        only_one("uq_episodes_open", "customer_id", where=sa.column("ended_on").is_(None)),
    )

    customer_id: Mapped[str] = mapped_column(index=True)
    band: Mapped[str]
    started_on: Mapped[date]
    last_seen_on: Mapped[date]
    ended_on: Mapped[date | None]
    end_reason: Mapped[str | None]


class Action(Row):
    """The ledger: what was decided to be done for a customer, once per customer, play, cause and episode."""

    __tablename__ = "actions"
    __table_args__ = (
        one_of("kind", ("outreach", "alert")),
        one_of("autonomy", ("shadow", "draft", "approve", "auto")),
        one_of("state", ACTION_STATES),
    )

    key: Mapped[str] = mapped_column(unique=True)
    workflow: Mapped[str]
    customer_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    play: Mapped[str]
    cause: Mapped[str]
    episode_id: Mapped[str | None] = mapped_column(sa.ForeignKey("episodes.id"))
    scan_day: Mapped[date] = mapped_column(index=True)
    variant: Mapped[str | None]
    propensity: Mapped[float | None]
    expected_loss: Mapped[float | None]
    owner: Mapped[str | None]
    autonomy: Mapped[str]
    state: Mapped[str]
    state_reason: Mapped[str | None]


class ReviewItem(Row):
    """What a person is asked to decide."""

    __tablename__ = "review_items"
    __table_args__ = (
        one_of("state", REVIEW_STATES),
        sa.CheckConstraint(sa.column("priority").between(1, 5), name="priority"),
        sa.Index("ix_review_items_page", "state", "priority", "deadline", "id"),
        sa.Index("ix_review_items_queue_page", "queue", "state", "priority", "deadline", "id"),
        sa.Index("ix_review_items_owner_page", "owner", "state", "priority", "deadline", "id"),
        sa.Index("ix_review_items_expiry", "state", "expires_at"),
        sa.Index("ix_review_items_carry_on", "carried_on_at", "state"),
    )

    key: Mapped[str] = mapped_column(unique=True)
    reason_code: Mapped[str]
    step: Mapped[str]
    workflow: Mapped[str]
    customer_id: Mapped[str | None] = mapped_column(index=True)
    action_id: Mapped[str | None] = mapped_column(sa.ForeignKey("actions.id"), index=True)
    queue: Mapped[str]
    owner: Mapped[str]
    priority: Mapped[int]
    title: Mapped[str]
    context: Mapped[dict[str, Any]]
    subject: Mapped[str | None]
    body: Mapped[str | None]
    state: Mapped[str]
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    deadline: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    decided_subject: Mapped[str | None]
    decided_body: Mapped[str | None]
    edit_distance: Mapped[float | None]
    carried_on_at: Mapped[datetime | None]


class OutboxMessage(Row):
    """A message that is to leave the system, or has left it."""

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("kind", ("email", "task", "chat", "note")),
        one_of("state", MESSAGE_STATES),
        sa.Index("ix_outbox_due", "state", "not_before", "id"),
        sa.Index("ix_outbox_lease", "state", "claimed_until"),
    )

    idempotency_key: Mapped[str] = mapped_column(unique=True)
    action_id: Mapped[str | None] = mapped_column(sa.ForeignKey("actions.id"), index=True)
    record_of: Mapped[str | None] = mapped_column(sa.ForeignKey("outbox.id"))
    """The message that this one only tells of: how its action stands does not depend on it."""
    recorded_by: Mapped[str | None]
    """The channel that tells of this message once it is sent."""
    channel: Mapped[str]
    kind: Mapped[str]
    recipient: Mapped[str]
    payload: Mapped[dict[str, Any]]
    not_before: Mapped[datetime]
    quiet: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    state: Mapped[str]
    attempts: Mapped[int]
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    receipt: Mapped[dict[str, Any] | None]
    message_id: Mapped[str | None] = mapped_column(index=True)
    error: Mapped[str | None]


class DeliveryAttempt(Row):
    """One try to send a message; one that began and never finished leaves the message uncertain."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (one_of("result", RESULTS), sa.UniqueConstraint("outbox_id", "number"))

    outbox_id: Mapped[str] = mapped_column(sa.ForeignKey("outbox.id"))
    number: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    result: Mapped[str]
    error: Mapped[str | None]


class Assignment(Row):
    """Who was to be acted on, and with which probability."""

    __tablename__ = "assignments"
    __table_args__ = (
        one_of("arm", ("treated", "control")),
        sa.UniqueConstraint("customer_id", "play", "episode_id"),
    )

    customer_id: Mapped[str]
    play: Mapped[str]
    episode_id: Mapped[str] = mapped_column(sa.ForeignKey("episodes.id"))
    arm: Mapped[str]
    variant: Mapped[str | None]
    propensity: Mapped[float]
    salt: Mapped[str]
    scan_day: Mapped[date] = mapped_column(index=True)


class Task(Row):
    """Something a person is to do about a customer; one is open per customer and cause."""

    __tablename__ = "tasks"
    __table_args__ = (
        one_of("state", ("open", "closed")),
        only_one("uq_tasks_open", "customer_id", "cause", where=sa.column("state") == "open"),
        sa.Index("ix_tasks_owner", "state", "owner", "deadline"),
    )

    customer_id: Mapped[str] = mapped_column(index=True)
    cause: Mapped[str]
    action_id: Mapped[str | None] = mapped_column(sa.ForeignKey("actions.id"))
    owner: Mapped[str | None]
    score: Mapped[float | None]
    title: Mapped[str]
    details: Mapped[dict[str, Any]]
    state: Mapped[str]
    deadline: Mapped[datetime]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None]
    external_ref: Mapped[str | None]


class Suppression(Row):
    """Whom, or which address, not to write to, and from when until when."""

    __tablename__ = "suppressions"
    __table_args__ = (
        one_of("source", SUPPRESSION_SOURCES),
        sa.CheckConstraint(
            sa.or_(sa.column("customer_id").is_not(None), sa.column("address").is_not(None)), name="whom"
        ),
        sa.Index(
            "ix_suppressions_salt", "salt",
            sqlite_where=sa.column("salt").is_not(None), postgresql_where=sa.column("salt").is_not(None),
        ),
    )  # fmt: skip

    customer_id: Mapped[str | None] = mapped_column(index=True)
    address: Mapped[str | None] = mapped_column(index=True)
    reason: Mapped[str]
    source: Mapped[str]
    by: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    salt: Mapped[str | None]
    """What customer and address are hashed with, where the customer was erased."""


class Override(Row):
    """A score that a person set, and until when it holds."""

    __tablename__ = "overrides"
    __table_args__ = (sa.CheckConstraint(sa.column("score").between(1, 10), name="score"),)

    customer_id: Mapped[str] = mapped_column(index=True)
    score: Mapped[float]
    author: Mapped[str]
    reason: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class Response(Row):
    """What came back for a message, or from a customer."""

    __tablename__ = "responses"
    __table_args__ = (one_of("kind", RESPONSE_KINDS),)

    outbox_id: Mapped[str | None] = mapped_column(sa.ForeignKey("outbox.id"), index=True)
    customer_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(index=True)
    source_id: Mapped[str] = mapped_column(unique=True)
    excerpt: Mapped[str | None]


class Switch(Base):
    """A play, or `*` for all, switched off or on; the latest row decides."""

    __tablename__ = "switches"
    __table_args__ = (one_of("state", ("off", "on")),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    created_at: Mapped[datetime]
    play: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]


class AuditEntry(Base):
    """One thing that was done; both databases refuse to change or remove it."""

    __tablename__ = "audit"
    __table_args__ = (sa.Index("ix_audit_entity", "entity", "entity_id"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str]
    what: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[str]
    customer_id: Mapped[str | None] = mapped_column(index=True)
    why: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
