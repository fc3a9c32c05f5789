"""The tables of the operations store, and the triggers that keep its audit trail as it was written."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes everything."""
    make_tables()
    guard_audit()


def make_tables() -> None:
    """Makes tables and indexes."""
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_customer_id"), "audit", ["customer_id"], unique=False)
    op.create_index("ix_audit_entity", "audit", ["entity", "entity_id"], unique=False)
    op.create_table(
        "episodes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("band IN ('medium', 'high')", name=op.f("ck_episodes_band")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
    )
    op.create_index(op.f("ix_episodes_customer_id"), "episodes", ["customer_id"], unique=False)
    op.create_index(
        "uq_episodes_open",
        "episodes",
        ["customer_id"],
        unique=True,
        sqlite_where=sa.text("ended_on IS NULL"),
        postgresql_where=sa.text("ended_on IS NULL"),
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("score BETWEEN 1 AND 10", name=op.f("ck_overrides_score")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(op.f("ix_overrides_customer_id"), "overrides", ["customer_id"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "source IN ('unsubscribe', 'bounce', 'complaint', 'person', 'erased')", name=op.f("ck_suppressions_source")
        ),
        sa.CheckConstraint("customer_id IS NOT NULL OR address IS NOT NULL", name=op.f("ck_suppressions_whom")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index(op.f("ix_suppressions_address"), "suppressions", ["address"], unique=False)
    op.create_index(op.f("ix_suppressions_customer_id"), "suppressions", ["customer_id"], unique=False)
    op.create_table(
        "switches",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("play", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("state IN ('off', 'on')", name=op.f("ck_switches_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_switches")),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("play", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.Text(), nullable=True),
        sa.Column("scan_day", sa.Date(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.Column("expected_loss", sa.Double(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("autonomy", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("autonomy IN ('shadow', 'draft', 'approve', 'auto')", name=op.f("ck_actions_autonomy")),
        sa.CheckConstraint("kind IN ('outreach', 'alert')", name=op.f("ck_actions_kind")),
        sa.CheckConstraint(
            "state IN ('drafted', 'in_review', 'approved', 'queued', 'sent', 'delivered', "
            "'failed', 'uncertain', 'rejected', 'expired', 'cancelled', 'shadow')",
            name=op.f("ck_actions_state"),
        ),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name=op.f("fk_actions_episode_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.UniqueConstraint("key", name=op.f("uq_actions_key")),
    )
    op.create_index(op.f("ix_actions_customer_id"), "actions", ["customer_id"], unique=False)
    op.create_index(op.f("ix_actions_scan_day"), "actions", ["scan_day"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("play", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("scan_day", sa.Date(), nullable=False),
        sa.CheckConstraint("arm IN ('treated', 'control')", name=op.f("ck_assignments_arm")),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name=op.f("fk_assignments_episode_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        sa.UniqueConstraint("customer_id", "play", "episode_id", name=op.f("uq_assignments_customer_id")),
    )
    op.create_index(op.f("ix_assignments_scan_day"), "assignments", ["scan_day"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("action_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=False),
        sa.Column("quiet", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("receipt", sa.JSON(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('email', 'task', 'chat', 'note')", name=op.f("ck_outbox_kind")),
        sa.CheckConstraint(
            "state IN ('pending', 'claimed', 'sent', 'failed', 'uncertain', 'cancelled')", name=op.f("ck_outbox_state")
        ),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_outbox_action_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_outbox_idempotency_key")),
    )
    op.create_index(op.f("ix_outbox_action_id"), "outbox", ["action_id"], unique=False)
    op.create_index("ix_outbox_due", "outbox", ["state", "not_before", "id"], unique=False)
    op.create_index("ix_outbox_lease", "outbox", ["state", "claimed_until"], unique=False)
    op.create_index(op.f("ix_outbox_message_id"), "outbox", ["message_id"], unique=False)
    op.create_table(
        "review_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("action_id", sa.Text(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("deadline", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("decided_subject", sa.Text(), nullable=True),
        sa.Column("decided_body", sa.Text(), nullable=True),
        sa.Column("edit_distance", sa.Double(), nullable=True),
        sa.Column("carried_on_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'edited', 'rejected', 'expired', 'resolved')",
            name=op.f("ck_review_items_state"),
        ),
        sa.CheckConstraint("priority BETWEEN 1 AND 5", name=op.f("ck_review_items_priority")),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_review_items_action_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_items")),
        sa.UniqueConstraint("key", name=op.f("uq_review_items_key")),
    )
    op.create_index(op.f("ix_review_items_action_id"), "review_items", ["action_id"], unique=False)
    op.create_index("ix_review_items_carry_on", "review_items", ["carried_on_at", "state"], unique=False)
    op.create_index(op.f("ix_review_items_customer_id"), "review_items", ["customer_id"], unique=False)
    op.create_index("ix_review_items_expiry", "review_items", ["state", "expires_at"], unique=False)
    op.create_index(
        "ix_review_items_owner_page", "review_items", ["owner", "state", "priority", "deadline", "id"], unique=False
    )
    op.create_index("ix_review_items_page", "review_items", ["state", "priority", "deadline", "id"], unique=False)
    op.create_index(
        "ix_review_items_queue_page", "review_items", ["queue", "state", "priority", "deadline", "id"], unique=False
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("action_id", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deadline", sa.DateTime(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_tasks_state")),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_tasks_action_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index(op.f("ix_tasks_customer_id"), "tasks", ["customer_id"], unique=False)
    op.create_index("ix_tasks_owner", "tasks", ["state", "owner", "deadline"], unique=False)
    op.create_index(
        "uq_tasks_open",
        "tasks",
        ["customer_id", "cause"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("outbox_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "result IN ('sending', 'sent', 'transient', 'permanent', 'uncertain')",
            name=op.f("ck_delivery_attempts_result"),
        ),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_delivery_attempts_outbox_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
        sa.UniqueConstraint("outbox_id", "number", name=op.f("uq_delivery_attempts_outbox_id")),
    )
    op.create_table(
        "responses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("outbox_id", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('reply', 'bounce_hard', 'bounce_soft', 'unsubscribe', 'complaint', 'auto_reply')",
            name=op.f("ck_responses_kind"),
        ),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_responses_outbox_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
        sa.UniqueConstraint("source_id", name=op.f("uq_responses_source_id")),
    )
    op.create_index(op.f("ix_responses_customer_id"), "responses", ["customer_id"], unique=False)
    op.create_index(op.f("ix_responses_outbox_id"), "responses", ["outbox_id"], unique=False)
    op.create_index(op.f("ix_responses_received_at"), "responses", ["received_at"], unique=False)


KEPT = ("id", "at", "who", "what", "entity", "entity_id", "customer_id")
"""Columns of the audit trail that never change."""
MASKS = {"why": "'[masked]'", "before": """'{"masked": true}'""", "after": """'{"masked": true}'"""}
"""The one value that the others may change to, when a customer is erased."""
REFUSAL = "the audit trail is append-only"


def guard_audit() -> None:
    """Has the database refuse to change or remove entries, except for masking them for good."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        refuse = "EXECUTE FUNCTION refuse_change_of_audit()"
        masking = _masking("IS NOT DISTINCT FROM", "::text")
        op.execute(f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit FOR EACH ROW WHEN (NOT ({masking})) {refuse}")
        op.execute(f"CREATE TRIGGER audit_delete BEFORE DELETE OR TRUNCATE ON audit FOR EACH STATEMENT {refuse}")
    else:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        op.execute(f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit WHEN NOT ({_masking('IS', '')}) {refuse}")
        op.execute(f"CREATE TRIGGER audit_delete BEFORE DELETE ON audit {refuse}")


def _masking(same: str, as_text: str) -> str:
    kept = [f"NEW.{name} {same} OLD.{name}" for name in KEPT]
    masked = [
        f"(NEW.{name}{as_text} {same} OLD.{name}{as_text} OR NEW.{name}{as_text} {same} {mask})"
        for name, mask in MASKS.items()
    ]
    return " AND ".join(kept + masked)
