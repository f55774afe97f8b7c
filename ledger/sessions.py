"""Sessions: a token that a browser holds, kept as a hash, good for a shift and revocable."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.clock import seconds
from kentongan.ids import SessionId, UserId, new_id
from ledger.dialect import db_now
from ledger.schema_users import sessions, users
from ledger.users import User, user_of

#: Seconds that a session lives: a shift, and its handover.
LIFE = 12 * 3600
#: Seconds between two notes that a session was used: more often would be a write a request.
SEEN_EVERY = 60
#: Seconds that one which ended is kept, for people who look who was there.
_KEPT = 7 * 24 * 3600
_AGENT_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody's being logged in in one browser. Times in epoch microseconds."""

    id: SessionId
    user_id: UserId
    made_at: int
    authenticated_at: int  # when the password was last given
    seen_at: int
    until_at: int
    agent: str


def new_token() -> str:
    """Return a fresh token: 43 letters that hold 256 random bits."""
    return secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # A plain hash will do: nobody guesses 256 random bits. Cookies may hold anything.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def begin(db: AsyncConnection, user_id: UserId, token: str, agent: str, now: int) -> Session:
    """Log a user in under a fresh `token`, whatever the browser brought before (fixation)."""
    session = Session(
        id=SessionId(new_id("session")),
        user_id=user_id,
        made_at=now,
        authenticated_at=now,
        seen_at=now,
        until_at=now + seconds(LIFE),
        agent=_plain(agent),
    )
    await db.execute(
        sessions.insert().values(
            id=session.id,
            token_hash=_hash(token),
            user_id=user_id,
            made_at=now,
            authenticated_at=now,
            seen_at=now,
            until_at=session.until_at,
            agent=session.agent,
        )
    )
    return session


async def find(db: AsyncConnection, token: str) -> tuple[Session, User] | None:
    """Return the session of a token and its user; None: revoked, over, or the user is disabled."""
    row = (await db.execute(_FIND.where(sessions.c.token_hash == _hash(token)))).first()
    return (_session(row, "session_"), user_of(row)) if row else None


async def seen(db: AsyncConnection, session_id: str, now: int) -> bool:
    """Note that a session is in use. False: it was noted less than `SEEN_EVERY` ago, or is over.

    `Session.seen_at` tells before whether it is worth the write.
    """
    done = await db.execute(
        update(sessions)
        .where(
            sessions.c.id == session_id,
            sessions.c.revoked_at.is_(None),
            sessions.c.seen_at <= now - seconds(SEEN_EVERY),
        )
        .values(seen_at=now)
    )
    return done.rowcount > 0


async def authenticated_again(db: AsyncConnection, session_id: str, now: int) -> bool:
    """Note that the password was given once more. False: the session is over."""
    done = await db.execute(
        update(sessions)
        .where(sessions.c.id == session_id, _LIVES)
        .values(authenticated_at=now, seen_at=now)
    )
    return done.rowcount > 0


async def revoke(db: AsyncConnection, session_id: str) -> bool:
    """End a session. False: there is none, or it was ended before."""
    return await _revoke(db, sessions.c.id == session_id) > 0


async def revoke_all(db: AsyncConnection, user_id: str, *, but: str = "") -> int:
    """End all sessions of a user, save the one with the id `but`; return how many lived."""
    return await _revoke(db, (sessions.c.user_id == user_id) & (sessions.c.id != but))


async def page_of(db: AsyncConnection, user_id: str, *, limit: int = 100) -> list[Session]:
    """Return a user's sessions that live, the latest first."""
    rows = await db.execute(
        select(sessions)
        .where(sessions.c.user_id == user_id, _LIVES)
        .order_by(sessions.c.id.desc())
        .limit(limit)
    )
    return [_session(row) for row in rows]


async def forget(db: AsyncConnection) -> int:
    """Delete sessions that ended a week ago; return how many."""
    before = db_now() - seconds(_KEPT)
    ended = or_(sessions.c.until_at < before, sessions.c.revoked_at < before)
    return (await db.execute(delete(sessions).where(ended))).rowcount


_LIVES = sessions.c.revoked_at.is_(None) & (sessions.c.until_at > db_now())
#: Made once: it is asked with each request.
_FIND = (
    select(users, *(column.label(f"session_{column.name}") for column in sessions.columns))
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(_LIVES, users.c.disabled_at.is_(None))
)


async def _revoke(db: AsyncConnection, which: Any) -> int:
    done = await db.execute(update(sessions).where(which, _LIVES).values(revoked_at=db_now()))
    return done.rowcount


def _session(row: Row[Any], prefix: str = "") -> Session:
    values = {name: getattr(row, prefix + name) for name in Session.__dataclass_fields__}
    return Session(**values)


def _plain(agent: str) -> str:
    """Return a header as every database takes it and a page shows it."""
    printable = "".join(letter for letter in agent if " " <= letter <= "~")
    return printable[:_AGENT_LENGTH]
