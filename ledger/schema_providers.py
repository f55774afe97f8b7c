"""The tables about providers and senders: their health, what they carried, who answered to whom."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, text

from ledger.schema import Ident, metadata

#: One row per provider of a channel: a provider that is set aside is a state that someone can see.
provider_health = Table(
    "provider_health",
    metadata,
    Column("channel", Ident, primary_key=True),
    Column("provider", Ident, primary_key=True),
    Column("seen_at", BigInteger, nullable=False),  # when a worker last had it in its settings
    Column("share", Integer),  # of the channel's traffic, in points of a hundred; none: at rest
    Column("moved_at", BigInteger),
    Column("slow", Boolean, nullable=False, server_default=text("false")),
    Column("faults", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("detail", Text),
    Column("opened_at", BigInteger),  # its circuit; none: closed
    Column("half_open_at", BigInteger),
    Column("probe_at", BigInteger),
    Column("trial_at", BigInteger),
)

#: Senders that are set aside.
sender_health = Table(
    "sender_health",
    metadata,
    Column("channel", Ident, primary_key=True),
    Column("provider", Ident, primary_key=True),
    Column("sender", Ident, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("aside_at", BigInteger, nullable=False),
    Column("probe_at", BigInteger, nullable=False),
)

#: What providers did lately, by slots of a few seconds; what is older than an hour is forgotten.
provider_tallies = Table(
    "provider_tallies",
    metadata,
    Column("channel", Ident, primary_key=True),
    Column("provider", Ident, primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("handed", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
)

#: Units that senders with a daily limit took, by day (days since 1970, UTC).
sender_days = Table(
    "sender_days",
    metadata,
    Column("channel", Ident, primary_key=True),
    Column("provider", Ident, primary_key=True),
    Column("sender", Ident, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("units", BigInteger, nullable=False),
)

#: Which of our senders a person last wrote to: they are written to from that one.
conversations = Table(
    "conversations",
    metadata,
    Column("channel", Ident, primary_key=True),
    Column("address", Ident, primary_key=True),
    Column("provider", Ident, nullable=False),
    Column("sender", Ident, nullable=False),
    Column("came_at", BigInteger, nullable=False),
)
