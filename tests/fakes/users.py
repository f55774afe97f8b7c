"""Users, and how they are logged in."""

from collections.abc import Iterable
from functools import lru_cache

from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.passwords import hash_password
from ledger import sessions, users
from ledger.engine import Ledger, read_now
from ledger.users import User

#: Of every user that `added` makes.
PASSWORD = "four words of nobody"


@lru_cache(maxsize=1)
def password_hash() -> str:
    """Return the hash of `PASSWORD`, made once: it takes a tenth of a second."""
    return hash_password(PASSWORD)


async def added(
    ledger: Ledger,
    login: str = "siti",
    *,
    role: Role = Role.OFFICER,
    modes: Iterable[Mode] = tuple(Mode),
    locale: str = "en",
    must_change: bool = False,
) -> User:
    """Return a new user whose password is `PASSWORD`."""
    async with ledger.write() as db:
        user = await users.add(
            db,
            login=login,
            name=login.title(),
            role=role,
            modes=modes,
            locale=locale,
            password_hash=password_hash(),
            must_change=must_change,
            created_by="tests",
        )
    assert user is not None, f"{login} is taken"
    return user


async def logged_in(ledger: Ledger, user: User, agent: str = "a test's browser") -> str:
    """Return the token of a new session."""
    token = sessions.new_token()
    async with ledger.write() as db:
        await sessions.begin(db, user.id, token, agent, await read_now(db))
    return token
