"""Messages that tell of another message: notes in a CRM, posts in a chat."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds which message one tells of, and by which channel one is told of."""
    # SQLite can't add a constraint to a table, nor make one anew that others refer to; with its column it can.
    op.execute("ALTER TABLE outbox ADD COLUMN record_of TEXT CONSTRAINT fk_outbox_record_of REFERENCES outbox (id)")
    op.add_column("outbox", sa.Column("recorded_by", sa.Text(), nullable=True))
