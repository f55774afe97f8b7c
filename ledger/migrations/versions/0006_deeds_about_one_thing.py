"""What was done about one thing is found without reading the whole audit."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_subject_id"), "audit", ["subject", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_audit_subject_id"), "audit")
