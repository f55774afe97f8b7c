"""The health of each provider: its share of the traffic, and its circuit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.circuit import FAULTS_TO_OPEN, Circuit
from kentongan.clock import seconds
from kentongan.weights import Shares, returned
from ledger.dialect import db_now, insert_or_skip
from ledger.engine import read_now
from ledger.looks import look
from ledger.schema_providers import provider_health

#: Seconds between probes of a provider that is set aside, and between trials of a half-open one.
PROBE_EVERY = 15.0
TRIAL_EVERY = 5.0
#: Seconds after which a provider that no worker has in its settings any more is not shown.
FORGOTTEN_AFTER = 60.0

Who = tuple[str, str]  # channel, provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one provider stands. `share` is None where it has never moved from where it rests."""

    channel: str
    provider: str
    circuit: Circuit
    share: int | None
    moved_at: int | None
    slow: bool
    faults: int
    reason: str
    detail: str
    opened_at: int | None

    @property
    def who(self) -> Who:
        return self.channel, self.provider


async def register(db: AsyncConnection, who: Sequence[Who]) -> None:
    """Note which providers there are."""
    now = await read_now(db)
    for channel, provider in who:
        made = await db.execute(
            insert_or_skip(db, provider_health).values(
                channel=channel, provider=provider, seen_at=now
            )
        )
        if not made.rowcount:
            await db.execute(
                update(provider_health).where(_is((channel, provider))).values(seen_at=now)
            )


async def standings(db: AsyncConnection) -> list[Standing]:
    """Return how all providers stand that some worker has in its settings."""
    return [_standing_of(row) for row in await look(db, _STANDINGS)]


_STANDINGS = (
    select(provider_health)
    .where(provider_health.c.seen_at > db_now() - seconds(FORGOTTEN_AFTER))
    .order_by(provider_health.c.channel, provider_health.c.provider)
)


def _standing_of(found: Sequence[Any]) -> Standing:
    row = dict(zip(provider_health.c.keys(), found, strict=True))
    circuit = Circuit.HALF_OPEN if row["half_open_at"] is not None else Circuit.OPEN
    return Standing(
        channel=row["channel"],
        provider=row["provider"],
        circuit=Circuit.CLOSED if row["opened_at"] is None else circuit,
        share=row["share"],
        moved_at=row["moved_at"],
        slow=bool(row["slow"]),
        faults=row["faults"],
        reason=row["reason"] or "",
        detail=row["detail"] or "",
        opened_at=row["opened_at"],
    )


async def note_faults(
    db: AsyncConnection, who: Who, *, faults: int, reason: str, detail: str
) -> bool:
    """Count faults of our account there; True if this opened the circuit."""
    await register(db, [who])
    await db.execute(
        update(provider_health)
        .where(_is(who))
        .values(faults=provider_health.c.faults + faults, reason=reason, detail=detail)
    )
    await reopen(db, who)
    return await _open(db, who, provider_health.c.faults >= FAULTS_TO_OPEN)


async def open_circuit(db: AsyncConnection, who: Who, *, reason: str, detail: str) -> bool:
    """Set a provider aside through which nothing gets any more; False if it was already."""
    await register(db, [who])
    opened = await _open(db, who)
    if opened:
        await db.execute(
            update(provider_health).where(_is(who)).values(reason=reason, detail=detail)
        )
    return opened


async def _open(db: AsyncConnection, who: Who, *more: ColumnElement[bool]) -> bool:
    opened = await db.execute(
        update(provider_health)
        .where(_is(who), provider_health.c.opened_at.is_(None), *more)
        .values(opened_at=db_now(), half_open_at=None, probe_at=db_now() + seconds(PROBE_EVERY))
    )
    return bool(opened.rowcount)


async def take_probes(db: AsyncConnection) -> list[Who]:
    """Take up the providers whose probe is due; another worker waits for the next."""
    rows = await db.execute(
        update(provider_health)
        .where(provider_health.c.half_open_at.is_(None), provider_health.c.probe_at <= db_now())
        .values(probe_at=db_now() + seconds(PROBE_EVERY))
        .returning(provider_health.c.channel, provider_health.c.provider)
    )
    return [(row.channel, row.provider) for row in rows]


async def half_open(db: AsyncConnection, who: Who) -> None:
    """Let a provider whose probe went well show by single messages that it sends."""
    await db.execute(
        update(provider_health)
        .where(_is(who), provider_health.c.opened_at.is_not(None))
        .values(half_open_at=db_now(), trial_at=None)
    )


async def take_trial(db: AsyncConnection, who: Who) -> bool:
    """Take the right to send one message through a half-open provider; False: not yet again."""
    taken = await db.execute(
        update(provider_health)
        .where(
            _is(who),
            provider_health.c.half_open_at.is_not(None),
            or_(provider_health.c.trial_at.is_(None), provider_health.c.trial_at <= db_now()),
        )
        .values(trial_at=db_now() + seconds(TRIAL_EVERY))
    )
    return bool(taken.rowcount)


async def reopen(db: AsyncConnection, who: Who) -> None:
    """Set a half-open provider aside again: its trial failed."""
    await db.execute(
        update(provider_health)
        .where(_is(who), provider_health.c.half_open_at.is_not(None))
        .values(half_open_at=None, probe_at=db_now() + seconds(PROBE_EVERY))
    )


async def close(db: AsyncConnection, who: Who, resting: Shares) -> bool:
    """Send through a provider again, at first with a step of the traffic; True if it was aside.

    `resting` are its channel's shares at rest. Faults are forgotten. One that is not half-open is
    left aside: what it took was under way before.
    """
    was_open = await db.execute(
        update(provider_health)
        .where(_is(who), provider_health.c.half_open_at.is_not(None))
        .values(opened_at=None, half_open_at=None, probe_at=None, trial_at=None)
    )
    await db.execute(
        update(provider_health)
        .where(_is(who), provider_health.c.opened_at.is_(None))
        .values(faults=0, reason=None, detail=None)
    )
    if not was_open.rowcount:
        return False
    channel, provider = who
    await move(db, channel, returned(resting, provider))
    return True


async def move(db: AsyncConnection, channel: str, shares: Shares) -> None:
    """Write new shares down. Sorted, as whoever locks several of these rows."""
    now = await read_now(db)
    for provider, share in sorted(shares.items()):
        await db.execute(
            update(provider_health)
            .where(_is((channel, provider)))
            .values(share=share, moved_at=now)
        )


async def note_slowness(db: AsyncConnection, slow: Mapping[Who, bool]) -> None:
    """Write down whose receipts come too late."""
    for who, is_slow in sorted(slow.items()):
        await db.execute(
            update(provider_health)
            .where(_is(who), provider_health.c.slow.is_not(is_slow))
            .values(slow=is_slow)
        )


def _is(who: Who) -> ColumnElement[bool]:
    return (provider_health.c.channel == who[0]) & (provider_health.c.provider == who[1])
