"""The tables about people, access and the audit."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)

from ledger.schema import Ident, metadata

recipients = Table(
    "recipients",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("name", Text, nullable=False),
    Column("search", Ident, nullable=False),  # the name, normalised for prefix search
    Column("locale", Text),
    Column("external_id", Ident),  # the caller's own name for them; an import matches by it
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Index(None, "search", "id"),
)
_living = recipients.c.deleted_at.is_(None) & recipients.c.external_id.is_not(None)
Index(
    "uq_recipients_external_id",
    recipients.c.external_id,
    unique=True,
    postgresql_where=_living,
    sqlite_where=_living,
)

contact_points = Table(
    "contact_points",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("recipient_id", Ident, ForeignKey("recipients.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Ident, nullable=False),
    Column("rank", SmallInteger, nullable=False, server_default="0"),  # the order of preference
    Column("disabled_at", BigInteger),  # a webhook receiver answered 410, say
    Column("disabled_reason", Text),
    Index("uq_contact_points_once", "recipient_id", "channel", "address", unique=True),
    Index(None, "channel", "address"),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("name", Ident, nullable=False, unique=True),  # what callers write: `north`
    Column("title", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", Ident, ForeignKey("groups.id"), primary_key=True),
    Column("recipient_id", Ident, ForeignKey("recipients.id"), primary_key=True),
    Index(None, "recipient_id"),
)

#: Contact points that must not be written to: who said so, when and why; lifted with a reason.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("address", Ident, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),  # a key, `recipient`, `provider`
    Column("made_at", BigInteger, nullable=False),
    Column("lifted_at", BigInteger),
    Column("lifted_by", Text),
    Column("lifted_reason", Text),
)
_in_force = suppressions.c.lifted_at.is_(None)
Index(
    "uq_suppressions_in_force",
    suppressions.c.channel,
    suppressions.c.address,
    unique=True,
    postgresql_where=_in_force,
    sqlite_where=_in_force,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Ident, nullable=False, unique=True),  # public; finds the row
    Column("hash", Text, nullable=False),  # SHA-256 of the whole key, hex
    Column("role", Text, nullable=False),
    Column("modes", JSON, nullable=False),
    Column("groups", JSON, nullable=False),  # an integration's named groups
    Column("people_per_hour", Integer),  # an integration's ceilings
    Column("people_per_alert", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Ident, nullable=False),
    Column("last_used_at", BigInteger),
    Column("expires_at", BigInteger),  # a rotated key lives on for its overlap
    Column("revoked_at", BigInteger),
    Column("replaces", Ident),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller", Ident, primary_key=True),
    Column("key", Ident, primary_key=True),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of method, path and body
    Column("status", SmallInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "expires_at"),
)

#: Plain at commit; the leader links each row into `audit_chain` within a second.
audit = Table(
    "audit",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),  # alert.accept, alert.stop, key.create …
    Column("subject", Ident, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("linked", Boolean, nullable=False, server_default=text("false")),
    Index(None, "subject", "id"),  # what was done about one thing
)
# Spelt as each engine spells `linked.is_(False)`; Alembic would write SQLite's for both.
Index(
    "ix_audit_unlinked",
    audit.c.id,
    postgresql_where=text("linked IS false"),
    sqlite_where=text("linked IS 0"),
)

audit_chain = Table(
    "audit_chain",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("audit_id", Ident, ForeignKey("audit.id"), nullable=False, unique=True),
    Column("mac", Text, nullable=False),  # HMAC over the link before and the row
)

#: A CSV on its way in: validated whole, staged, then applied in pages that can be finished later.
imports = Table(
    "imports",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("made_by", Ident, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("applied", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False),  # staging, ready, done, abandoned
)

import_rows = Table(
    "import_rows",
    metadata,
    Column("import_id", Ident, ForeignKey("imports.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("body", JSON, nullable=False),
)
