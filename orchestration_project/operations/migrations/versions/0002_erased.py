"""What is needed to forget a customer: suppressions that hold for a keyed hash, and pseudonyms in the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEPT = ("id", "at", "who", "what", "entity")
"""Columns of the audit trail that never change."""
MASKS = {"why": "'[masked]'", "before": """'{"masked": true}'""", "after": """'{"masked": true}'"""}
"""The one value that these may change to, when a customer is erased or a term of retention is over."""
PSEUDONYM = "'erased-%'"
"""What a customer's identifier may change to."""


def upgrade() -> None:
    """Adds the salt of suppressions that hold for a hash, and lets customers of the audit trail become pseudonyms."""
    op.add_column("suppressions", sa.Column("salt", sa.Text(), nullable=True))
    op.create_index(
        "ix_suppressions_salt", "suppressions", ["salt"],
        sqlite_where=sa.text("salt IS NOT NULL"), postgresql_where=sa.text("salt IS NOT NULL"),
    )  # fmt: skip
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_update ON audit")
        allowed = _allowed("IS NOT DISTINCT FROM", "::text")
        refuse = "EXECUTE FUNCTION refuse_change_of_audit()"
        op.execute(f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit FOR EACH ROW WHEN (NOT ({allowed})) {refuse}")
    else:
        op.execute("DROP TRIGGER audit_update")
        refuse = "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        op.execute(f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit WHEN NOT ({_allowed('IS', '')}) {refuse}")


def _allowed(same: str, as_text: str) -> str:
    kept = [f"NEW.{name} {same} OLD.{name}" for name in KEPT]
    masked = [
        f"(NEW.{name}{as_text} {same} OLD.{name}{as_text} OR NEW.{name}{as_text} {same} {mask})"
        for name, mask in MASKS.items()
    ]
    customer = f"(NEW.customer_id {same} OLD.customer_id OR COALESCE(NEW.customer_id, '') LIKE {PSEUDONYM})"
    entity = f"(NEW.entity_id = OLD.entity_id OR (OLD.entity = 'customers' AND NEW.entity_id LIKE {PSEUDONYM}))"
    return " AND ".join([*kept, *masked, customer, entity])
