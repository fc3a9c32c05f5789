"""What Alembic runs: the migrations, in the transaction that `operations.store` has begun and holds the lock in."""

from alembic import context

from orchestration_project.operations.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
