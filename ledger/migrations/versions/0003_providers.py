"""Providers and senders: their health, what they carried, and who answered to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ident = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("attempts", sa.Column("provider", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "provider_health",
        sa.Column("channel", _ident, nullable=False),
        sa.Column("provider", _ident, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=True),
        sa.Column("moved_at", sa.BigInteger(), nullable=True),
        sa.Column("slow", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("faults", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("half_open_at", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), nullable=True),
        sa.Column("trial_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "provider", name=op.f("pk_provider_health")),
    )
    _senders()
    op.create_table(
        "provider_tallies",
        sa.Column("channel", _ident, nullable=False),
        sa.Column("provider", _ident, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("handed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "provider", "slot", name=op.f("pk_provider_tallies")),
    )


def _senders() -> None:
    op.create_table(
        "sender_health",
        sa.Column("channel", _ident, nullable=False),
        sa.Column("provider", _ident, nullable=False),
        sa.Column("sender", _ident, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("aside_at", sa.BigInteger(), nullable=False),
        sa.Column("probe_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "provider", "sender", name=op.f("pk_sender_health")),
    )
    op.create_table(
        "sender_days",
        sa.Column("channel", _ident, nullable=False),
        sa.Column("provider", _ident, nullable=False),
        sa.Column("sender", _ident, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "channel", "provider", "sender", "day", name=op.f("pk_sender_days")
        ),
    )
    op.create_table(
        "conversations",
        sa.Column("channel", _ident, nullable=False),
        sa.Column("address", _ident, nullable=False),
        sa.Column("provider", _ident, nullable=False),
        sa.Column("sender", _ident, nullable=False),
        sa.Column("came_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", name=op.f("pk_conversations")),
    )


def downgrade() -> None:
    for table in (
        "conversations",
        "sender_days",
        "provider_tallies",
        "sender_health",
        "provider_health",
    ):
        op.drop_table(table)
    with op.batch_alter_table("attempts") as batch:
        batch.drop_column("provider")
