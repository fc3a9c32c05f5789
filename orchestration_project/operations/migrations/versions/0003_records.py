"""Messages that tell of another message: notes in a CRM, posts in a chat."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds which message one tells of, and by which channel one is told of."""
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("record_of", sa.Text(), nullable=True))
        outbox.add_column(sa.Column("recorded_by", sa.Text(), nullable=True))
        outbox.create_foreign_key(op.f("fk_outbox_record_of"), "outbox", ["record_of"], ["id"])
