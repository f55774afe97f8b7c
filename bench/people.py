"""People by the hundred thousand, made by the database itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.books import Books

#: Numbers count from here, so that each has eight digits.
_FIRST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A group of people with one contact point each: `before`, eight digits, `after`."""

    group: str
    channel: str
    people: int
    before: str
    after: str = ""

    def address(self, number: str) -> str:
        """Return SQL for the address with a number, which is SQL as well."""
        return f"'{self.before}' || CAST({number} AS text) || '{self.after}'"


def texted(group: str, people: int) -> Crowd:
    return Crowd(group=group, channel="sms", people=people, before="+62812")


def mailed(group: str, people: int) -> Crowd:
    return Crowd(group=group, channel="email", people=people, before="p", after="@example.org")


def called(group: str, people: int, port: int) -> Crowd:
    """Systems that listen on `port`, each under a path of its own."""
    at = f"http://127.0.0.1:{port}/h/"
    return Crowd(group=group, channel="webhook", people=people, before=at)


async def settle_in(books: Books, crowd: Crowd) -> None:
    """Write a crowd down. Crowds of one ledger are different people with different addresses."""
    [(groups,)] = await books.ask("SELECT count(*) FROM groups")
    first = await first_free(books)
    numbers = books.numbers(first, first + crowd.people - 1)
    group = id_of("grp_", str(groups + 1))
    for statement in _writing(crowd, numbers, group):
        await books.do(statement)
    if books.is_postgresql:
        await books.do("ANALYZE")  # as autovacuum would, a minute later


async def first_free(books: Books) -> int:
    """Return the first of the numbers that nobody in a ledger has."""
    [(known,)] = await books.ask(
        "SELECT (SELECT count(*) FROM recipients) + (SELECT count(*) FROM deliveries)"
    )
    return _FIRST + int(known)


def _writing(crowd: Crowd, numbers: str, group: str) -> Iterator[str]:
    """Yield statements; every value in them is made here, none comes from outside."""
    recipient, point = id_of("rcp_", "i"), id_of("pnt_", "i")
    text = "CAST(i AS text)"
    yield f"INSERT INTO groups (id, name, created_at) VALUES ({group}, '{crowd.group}', 0)"
    yield (
        "INSERT INTO recipients (id, name, search, locale, note, created_at, updated_at)"
        f" SELECT {recipient}, 'Person ' || {text}, 'person ' || {text}, 'en', '', 0, 0"
        f" FROM {numbers}"
    )
    yield (
        "INSERT INTO contact_points (id, recipient_id, channel, address)"
        f" SELECT {point}, {recipient}, '{crowd.channel}', {crowd.address('i')} FROM {numbers}"
    )
    yield (
        f"INSERT INTO group_members (group_id, recipient_id) SELECT {group}, {recipient}"
        f" FROM {numbers}"
    )


def id_of(prefix: str, number: str) -> str:
    """Return SQL for an id of 26 digits, which sorts as its number does."""
    return f"'{prefix}' || substr(CAST(10000000000 + {number} AS text), 2, 10) || '{'0' * 16}'"
