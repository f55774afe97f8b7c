"""The tables about those who work here: users, and the sessions in which they are logged in."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    text,
)

from ledger.schema import Ident, metadata

users = Table(
    "users",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("login", Ident, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # never `integration`
    Column("modes", JSON, nullable=False),
    Column("locale", Text, nullable=False),
    Column("password_hash", Text, nullable=False),  # kentongan.passwords
    Column("must_change", Boolean, nullable=False, server_default=text("false")),
    Column("totp_secret", Text),
    Column("totp_counter", BigInteger),  # of the last code that was used
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),  # a user, `command line`, `setup`
    Column("disabled_at", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("token_hash", Ident, nullable=False, unique=True),  # SHA-256, hex
    Column("user_id", Ident, ForeignKey("users.id"), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("authenticated_at", BigInteger, nullable=False),  # when the password was last given
    Column("seen_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("agent", Text, nullable=False),  # what the browser says it is
    Index(None, "user_id", "id"),
    Index(None, "until_at"),
)
