"""In time or not at all: zones, calling back what a provider holds, and what kills workers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ident = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_failed = sa.text("state = 'failed'")
_suspect = sa.text("deaths > 0")
_held = sa.text("ask_at IS NOT NULL AND receipt <= 20 AND recalls < 3")


def _added() -> dict[str, list[sa.Column[Any]]]:
    return {
        "alerts": [sa.Column("send_zone", sa.Text(), nullable=True)],
        "alert_progress": [
            sa.Column("starts", sa.SmallInteger(), server_default="0", nullable=False),
            sa.Column("starter", _ident, nullable=True),
            sa.Column("set_aside_at", sa.BigInteger(), nullable=True),
        ],
        "deliveries": [sa.Column("deaths", sa.SmallInteger(), server_default="0", nullable=False)],
        "attempts": [
            sa.Column("recalls", sa.SmallInteger(), server_default="0", nullable=False),
            sa.Column("recall_at", sa.BigInteger(), nullable=True),
        ],
    }


def upgrade() -> None:
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index(
        "ix_deliveries_failed",
        "deliveries",
        ["id"],
        postgresql_where=_failed,
        sqlite_where=_failed,
    )
    op.create_index(
        "ix_deliveries_suspect",
        "deliveries",
        ["alert_id", "channel"],
        postgresql_where=_suspect,
        sqlite_where=_suspect,
    )
    op.create_index(
        "ix_attempts_held",
        "attempts",
        ["alert_id"],
        postgresql_where=_held,
        sqlite_where=_held,
    )


def downgrade() -> None:
    op.drop_index("ix_attempts_held", table_name="attempts")
    op.drop_index("ix_deliveries_suspect", table_name="deliveries")
    op.drop_index("ix_deliveries_failed", table_name="deliveries")
    for table, columns in _added().items():
        for column in columns:
            op.drop_column(table, column.name)
