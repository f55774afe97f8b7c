"""How Alembic reaches the database: over the connection that `ledger.migrate` hands it."""

from alembic import context

from ledger import (  # noqa: F401 - their tables join
    schema_caps,
    schema_people,
    schema_providers,
    schema_users,
)
from ledger.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    compare_server_default=False,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
