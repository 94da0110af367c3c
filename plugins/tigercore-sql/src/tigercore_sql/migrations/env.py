"""What alembic runs: the migrations, in the transaction of the connection that it was given."""

from __future__ import annotations

from alembic import context

from tigercore_sql.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
