"""The tables about alerts and what became of them. Alembic compares the database with `metadata`.

Times are epoch microseconds (BIGINT), since SQLite has no type for them; ids are text that sorts by
age (`kentongan.ids`). People and access have their tables in `ledger.schema_people`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Compared byte by byte, as SQLite does and as keyset pages need, whatever the database's locale.
Ident = Text().with_variant(Text(collation="C"), "postgresql")

alerts = Table(
    "alerts",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("certainty", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("body", JSON, nullable=False),  # as it was accepted, for people to read again
    Column("wording", JSON, nullable=False),  # locale → headline, text, texts of one channel
    Column("audience", JSON, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("references", JSON, nullable=False),
    Column("corrects", Ident),  # the alert that this one stopped and corrects
    Column("made_by", Ident, nullable=False),  # the key that asked for it
    Column("source", Text, nullable=False, server_default=""),
    Column("control", Text, nullable=False, server_default="active"),
    Column("control_at", BigInteger),
    Column("control_by", Ident),
    Column("accepted_at", BigInteger, nullable=False),
    Column("send_at", BigInteger),
    Column("send_zone", Text),  # the IANA zone that `send_at` was asked for in
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "made_by", "id"),
)

#: How far an alert has come; apart from `alerts`, so that progress never locks what a claim reads.
alert_progress = Table(
    "alert_progress",
    metadata,
    Column("alert_id", Ident, ForeignKey("alerts.id"), primary_key=True),
    Column("expand_at", BigInteger, nullable=False),  # when the expansion is due
    Column("stage", Text, nullable=False),  # kentongan.expansion.Stage, `done` at the end
    Column("cursor", Ident, nullable=False, server_default=""),
    Column("people", Integer, nullable=False, server_default="0"),
    Column("deliveries", Integer, nullable=False, server_default="0"),
    Column("expanded_at", BigInteger),
    Column("closed_at", BigInteger),  # when nothing was left to do for it
    Column("counts", JSON),  # the last count, shared by all who look
    Column("counted_at", BigInteger),
    Column("counted_in", BigInteger),  # what that count cost, microseconds
    Column("starts", SmallInteger, nullable=False, server_default="0"),  # since its last page
    Column("starter", Ident),  # the incarnation that started last, and wrote no page yet
    Column("set_aside_at", BigInteger),  # finding its people killed worker after worker
)
# The sweep asks each two seconds what is not closed: few rows, however many alerts there were.
Index(
    "ix_alert_progress_open",
    alert_progress.c.expand_at,
    postgresql_where=alert_progress.c.closed_at.is_(None),
    sqlite_where=alert_progress.c.closed_at.is_(None),
)

alert_people = Table(
    "alert_people",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("alert_id", Ident, ForeignKey("alerts.id"), nullable=False),
    Column("recipient_id", Ident),  # none for a pasted contact point
    Column("name", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("cause", Text),  # kentongan.delivery.Cause, where there is no delivery
    Index(None, "alert_id", "id"),
    Index(None, "alert_id", "recipient_id"),
    Index(None, "recipient_id"),
)

_STATE = """CASE
 WHEN response IS NOT NULL THEN 'acknowledged'
 WHEN receipt >= 70 THEN 'read'
 WHEN receipt >= 60 THEN 'delivered'
 WHEN receipt >= 55 THEN 'answered'
 WHEN receipt >= 52 THEN 'machine'
 WHEN work = 'failed' OR (work = 'settled' AND receipt >= 50) THEN 'failed'
 WHEN work = 'settled' AND receipt >= 40 THEN 'sent'
 WHEN work = 'settled' THEN 'accepted'
 WHEN work = 'unknown' THEN 'unknown'
 WHEN work = 'attempting' THEN 'sending'
 WHEN work = 'pending' OR work = 'retry_wait' THEN 'waiting'
 ELSE work
END"""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("alert_id", Ident, ForeignKey("alerts.id"), nullable=False),
    Column("step", SmallInteger, nullable=False, server_default="0"),
    Column("channel", Text, nullable=False),
    Column("address", Ident, nullable=False),
    Column("locale", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("units", Integer, nullable=False, server_default="1"),
    Column("work", Text, nullable=False, server_default="pending"),
    Column("receipt", SmallInteger, nullable=False, server_default="0"),  # kentongan.receipt.RANK
    Column("response", Text),  # the option's key, or "" for a bare acknowledgement
    Column("reason", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),  # the latest one's no
    Column("tries", SmallInteger, nullable=False, server_default="0"),  # those that were charged
    Column("deaths", SmallInteger, nullable=False, server_default="0"),  # workers lost with it open
    Column("due_at", BigInteger),  # in retry_wait
    Column("settled_at", BigInteger),
    Column("state", Text, Computed(_STATE, persisted=True)),
    CheckConstraint(
        "work IN ('pending','attempting','settled','retry_wait','unknown','failed','suppressed',"
        "'expired','stopped')",
        name="work",
    ),
    Index("uq_deliveries_once", "alert_id", "step", "channel", "address", unique=True),
    Index(None, "alert_id", "state", "id"),
    Index(None, "alert_id", "channel", "state", "id"),
    Index(None, "channel", "address", "id"),
)
_pending = deliveries.c.work == "pending"
Index(
    "ix_deliveries_pending",
    deliveries.c.alert_id,
    deliveries.c.channel,
    deliveries.c.id,
    postgresql_where=_pending,
    sqlite_where=_pending,
)
_waits = deliveries.c.work == "retry_wait"
Index(
    "ix_deliveries_due",
    deliveries.c.alert_id,
    deliveries.c.channel,
    deliveries.c.due_at,
    postgresql_where=_waits,
    sqlite_where=_waits,
)
_suspect = text("deaths > 0")
# What may have killed its worker flies with few others, at the last alone (ledger.claims).
Index(
    "ix_deliveries_suspect",
    deliveries.c.alert_id,
    deliveries.c.channel,
    postgresql_where=_suspect,
    sqlite_where=_suspect,
)
_failed = deliveries.c.state == "failed"
# Dead letters of all alerts, the latest first.
Index("ix_deliveries_failed", deliveries.c.id, postgresql_where=_failed, sqlite_where=_failed)

delivery_people = Table(
    "delivery_people",
    metadata,
    Column("delivery_id", Ident, ForeignKey("deliveries.id"), primary_key=True),
    Column("person_id", Ident, ForeignKey("alert_people.id"), primary_key=True),
    Column("alert_id", Ident, nullable=False),
    Index(None, "person_id"),
    Index(None, "alert_id", "person_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Ident, ForeignKey("deliveries.id"), primary_key=True),
    Column("no", SmallInteger, primary_key=True),
    Column("alert_id", Ident, nullable=False),
    Column("channel", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("provider", Text, nullable=False, server_default=""),  # empty: there was but one
    Column("worker", Ident, nullable=False),  # the incarnation that opened it
    Column("opened_at", BigInteger, nullable=False),
    Column("outcome", Text),  # accepted, deferred, refused, unknown, not_begun; written once
    Column("outcome_at", BigInteger),
    Column("reason", Text),
    Column("detail", Text),
    Column("provider_id", Ident),
    Column("resolution", Text),  # settled, retry, failed: what became of an unknown; written once
    Column("resolution_by", Text),  # receipt, provider, late_outcome, policy
    Column("resolution_at", BigInteger),
    Column("asks", SmallInteger, nullable=False, server_default="0"),
    Column("ask_at", BigInteger),  # when the settler, or the receipt poller, looks next
    Column("receipt", SmallInteger, nullable=False, server_default="0"),
    Column("receipt_at", BigInteger),
    Column("receipt_code", Text),
    Column("receipt_word", Text),
    # A receipt once said that it failed; with one that says it arrived, people see a conflict.
    Column("failed_once", Boolean, nullable=False, server_default=text("false")),
    Column("recalls", SmallInteger, nullable=False, server_default="0"),  # tries to call it back
    Column("recall_at", BigInteger),  # when another may try; none: nobody has
)
_unsettled = attempts.c.ask_at.is_not(None)
Index(
    "ix_attempts_ask",
    attempts.c.ask_at,
    postgresql_where=_unsettled,
    sqlite_where=_unsettled,
)
Index(
    "ix_attempts_ask_alert",
    attempts.c.alert_id,
    postgresql_where=_unsettled,
    sqlite_where=_unsettled,
)
# What its provider may still hold of an alert that is over; few, as receipts come (ledger.recalls).
_held = text("ask_at IS NOT NULL AND receipt <= 20 AND recalls < 3")
Index("ix_attempts_held", attempts.c.alert_id, postgresql_where=_held, sqlite_where=_held)
_open = attempts.c.outcome.is_(None)
Index(
    "ix_attempts_open",
    attempts.c.worker,
    attempts.c.opened_at,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_attempts_open_alert", attempts.c.alert_id, postgresql_where=_open, sqlite_where=_open)
_known = attempts.c.provider_id.is_not(None)
# Not unique: repeats of one e-mail share its Message-ID. That no other attempt's id is adopted is
# looked at where one is (ledger.unknowns, ledger.receipts).
Index(
    "ix_attempts_provider_id",
    attempts.c.channel,
    attempts.c.provider_id,
    postgresql_where=_known,
    sqlite_where=_known,
)

#: What was said to us, as it was said; never changed but for the mark that it was joined.
provider_events = Table(
    "provider_events",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),  # status, inbound, gather, bounce, poll, late_outcome …
    Column("delivery_id", Ident),
    Column("no", SmallInteger),
    Column("payload", JSON, nullable=False),
    Column("came_at", BigInteger, nullable=False),
    Column("joined_at", BigInteger),
    Column("verdict", Text),  # joined, quarantined, unread …
    Index(None, "delivery_id", "no"),
)
_unjoined = provider_events.c.joined_at.is_(None)
Index(
    "ix_provider_events_unjoined",
    provider_events.c.id,
    postgresql_where=_unjoined,
    sqlite_where=_unjoined,
)

responses = Table(
    "responses",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("delivery_id", Ident, ForeignKey("deliveries.id"), nullable=False),
    Column("option", Text, nullable=False),
    Column("via", Text, nullable=False),  # sms, voice, page
    Column("came_at", BigInteger, nullable=False),
    Column("first", Boolean, nullable=False),  # the first answer wins, later ones are kept
    Index(None, "delivery_id", "id"),
)

#: Messages people sent to us; the unread ones are for a human to read.
inbound = Table(
    "inbound",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("address", Ident, nullable=False),
    Column("body", Text, nullable=False),
    Column("provider_id", Ident, nullable=False),
    Column("came_at", BigInteger, nullable=False),
    Column("meaning", Text, nullable=False),  # response, stop, start, unread
    Column("delivery_id", Ident),
    Column("read_at", BigInteger),
    Index("uq_inbound_once", "channel", "provider_id", unique=True),
)

#: One row per life of a worker; attempts name it. `until_at` is the lease.
incarnations = Table(
    "incarnations",
    metadata,
    Column("id", Ident, primary_key=True),
    Column("place", Text, nullable=False),  # host and process, for people
    Column("started_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Index(None, "until_at"),
)

#: Who schedules, chains the audit and cleans up: one row, twelve seconds at a time.
leader = Table(
    "leader",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Ident, nullable=False),
    Column("until_at", BigInteger, nullable=False),
)

#: Kept by workers of schema 0002, who may still run beside ours; `ledger.schema_providers` has the
#: tables of today. A later release drops it.
channel_health = Table(
    "channel_health",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("faults", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("detail", Text),
    Column("stopped_at", BigInteger),
    Column("probe_at", BigInteger),
)
