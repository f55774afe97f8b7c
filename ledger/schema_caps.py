"""The table that a spend cap is kept by."""

from sqlalchemy import BigInteger, Column, SmallInteger, Table

from ledger.schema import Ident, metadata

#: What was spent by day and channel, in millionths of the currency: claims add to it before they
#: send, and what certainly was not sent is taken off again. Several rows a day, so that claims do
#: not wait for one another to count.
spending = Table(
    "spending",
    metadata,
    Column("currency", Ident, primary_key=True),
    Column("day", Ident, primary_key=True),  # 2026-01-31, in the deployment's zone
    Column("channel", Ident, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
)
