"""API keys: shown once, kept as a hash beside a public prefix that finds them."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Row, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.ids import KeyId, new_id
from ledger.dialect import insert_or_skip
from ledger.engine import Ledger, read_now
from ledger.schema_people import api_keys

#: `ktg_<public>_<secret>`: 8 characters find the row, 43 hold 256 random bits.
_SHAPE = re.compile(r"ktg_([0-9A-Za-z]{8})_[0-9A-Za-z_-]{43}", re.ASCII)
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key; the key itself is not. Times in epoch microseconds."""

    id: KeyId
    name: str
    prefix: str
    role: Role
    modes: frozenset[Mode]
    groups: tuple[str, ...] = ()  # an integration's; empty for others
    people_per_alert: int | None = None
    people_per_hour: int | None = None
    created_at: int
    created_by: str
    last_used_at: int | None = None
    expires_at: int | None = None
    revoked_at: int | None = None
    replaces: KeyId | None = None

    def is_good(self, now: int) -> bool:
        """Tell whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Held(NamedTuple):
    """A key with the hash to verify it by."""

    key: Key
    hash: str


def new_secret() -> str:
    """Return a fresh key, to be shown once."""
    public = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"ktg_{public}_{secrets.token_urlsafe(32)}"


def prefix_of(secret: str) -> str | None:
    """Return the public prefix (`ktg_` and 8 characters); None for what is no key of ours."""
    shape = _SHAPE.fullmatch(secret)
    return f"ktg_{shape[1]}" if shape else None


def is_genuine(secret: str, kept: str) -> bool:
    """Tell in constant time whether `kept` is the hash of `secret`."""
    return hmac.compare_digest(_hash(secret), kept)


def _hash(secret: str) -> str:
    # A plain hash will do: nobody guesses 256 random bits, so nothing has to be slow.
    return hashlib.sha256(secret.encode()).hexdigest()


async def find_by_prefix(db: AsyncConnection, prefix: str) -> Held | None:
    row = (await db.execute(select(api_keys).where(api_keys.c.prefix == prefix))).first()
    return Held(_key(row), row.hash) if row else None


async def find(db: AsyncConnection, key_id: str) -> Key | None:
    row = (await db.execute(select(api_keys).where(api_keys.c.id == key_id))).first()
    return _key(row) if row else None


async def page(db: AsyncConnection, *, after: str, limit: int) -> list[Key]:
    """Return keys in the order of their making, those behind the id `after`."""
    rows = await db.execute(
        select(api_keys).where(api_keys.c.id > after).order_by(api_keys.c.id).limit(limit)
    )
    return [_key(row) for row in rows]


async def add(
    db: AsyncConnection,
    secret: str,
    *,
    name: str,
    role: Role,
    modes: Iterable[Mode],
    created_by: str,
    groups: Sequence[str] = (),
    people_per_alert: int | None = None,
    people_per_hour: int | None = None,
    expires_at: int | None = None,
    replaces: KeyId | None = None,
) -> Key:
    """Keep a key under its hash. One whose prefix is taken is returned as it stands there."""
    prefix = prefix_of(secret)
    if prefix is None:
        raise ValueError("a key has the shape ktg_<8 characters>_<43 characters>")
    row = {
        "id": new_id("key"),
        "name": name,
        "prefix": prefix,
        "hash": _hash(secret),
        "role": role,
        "modes": sorted(modes),
        "groups": list(groups),
        "people_per_alert": people_per_alert,
        "people_per_hour": people_per_hour,
        "created_at": await read_now(db),
        "created_by": created_by,
        "expires_at": expires_at,
        "replaces": replaces,
    }
    await db.execute(insert_or_skip(db, api_keys).values(row))
    held = await find_by_prefix(db, prefix)
    assert held is not None
    return held.key


async def ensure(
    ledger: Ledger, secret: str, *, name: str, role: Role, modes: Iterable[Mode] = tuple(Mode)
) -> Key:
    """Keep a key that was made elsewhere (`data/dev.key`). Safe to run again."""
    async with ledger.write() as db:
        return await add(db, secret, name=name, role=role, modes=modes, created_by="setup")


async def revoke(db: AsyncConnection, key_id: str, now: int) -> bool:
    """Close a key for good. False: there is none, or it was closed before."""
    done = await db.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount > 0


async def is_replaced(db: AsyncConnection, key_id: str) -> bool:
    """Tell whether another key follows this one: its end is then the overlap's, not its own."""
    found = await db.execute(select(api_keys.c.id).where(api_keys.c.replaces == key_id).limit(1))
    return found.first() is not None


async def end(db: AsyncConnection, key_id: str, *, now: int, at: int) -> bool:
    """Let a good key live until `at` at most. False: it is not good any more."""
    done = await db.execute(
        update(api_keys)
        .where(
            api_keys.c.id == key_id,
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
        .values(expires_at=at)
    )
    return done.rowcount > 0


async def touch(db: AsyncConnection, used: Mapping[KeyId, int]) -> None:
    """Note when keys were last used; an earlier instant changes nothing."""
    at = bindparam("at", type_=BigInteger)
    await db.execute(
        update(api_keys)
        .where(
            api_keys.c.id == bindparam("key_id"),
            or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at),
        )
        .values(last_used_at=at),
        [{"key_id": key_id, "at": instant} for key_id, instant in used.items()],
    )


def _key(row: Row[Any]) -> Key:
    return Key(
        id=KeyId(row.id),
        name=row.name,
        prefix=row.prefix,
        role=Role(row.role),
        modes=frozenset(Mode(mode) for mode in row.modes),
        groups=tuple(row.groups),
        people_per_alert=row.people_per_alert,
        people_per_hour=row.people_per_hour,
        created_at=row.created_at,
        created_by=row.created_by,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        replaces=row.replaces,
    )
