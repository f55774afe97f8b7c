"""What was spent, by day and channel: a spend cap is kept by it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ident = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "spending",
        sa.Column("currency", _ident, nullable=False),
        sa.Column("day", _ident, nullable=False),
        sa.Column("channel", _ident, nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("currency", "day", "channel", "shard", name=op.f("pk_spending")),
    )


def downgrade() -> None:
    op.drop_table("spending")
