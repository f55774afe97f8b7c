"""The query for a page of those who are in groups or named, with their contact points."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ColumnElement

from ledger.schema_people import contact_points, group_members, recipients, suppressions

#: Groups that are read each by itself; SQLite takes at most 500 terms in a compound.
_MOST_BRANCHES = 50


@lru_cache(16)
def page_query(groups: Sequence[str], people: Sequence[str]) -> Select[Any]:
    """Return the query for at `most` people `after` a cursor, made once for all pages."""
    return _with_points(_page_of(groups, people), is_lateral=True)


@lru_cache(16)
def page_text(groups: Sequence[str], people: Sequence[str]) -> "PageText":
    """Return the same for SQLite as a text.

    Its rows are one value of JSON: each that is fetched there lets go of the interpreter's lock,
    which beside a busy loop takes milliseconds to get back.
    """
    rows = _with_points(_page_of(groups, people), is_lateral=False).subquery()
    query = select(func.json_group_array(func.json_array(*rows.c)))
    made = query.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
    return PageText(str(made), tuple(made.positiontup or ()), made.params)


class PageText(NamedTuple):
    """A query for SQLite. Its marks have no names: it takes far longer to find them by name."""

    sql: str
    names: Sequence[str]
    values: Mapping[str, Any]

    def given(self, after: str, most: int) -> Sequence[Any]:
        """Return the values of its marks for one page."""
        values = {**self.values, "after": after, "most": most}
        return [values[name] for name in self.names]


def _with_points(page: Select[Any], *, is_lateral: bool) -> Select[Any]:
    """Return the query for people and their usable contact points, in order of preference.

    PostgreSQL looks at each person's: it would read all contact points that there are for a page,
    and hash them (tried: 115 ms a page of 2,000 out of 132,000).
    """
    who, out = page.subquery("who"), suppressions.c
    point: Any = contact_points.c
    own = and_(point.recipient_id == who.c.id, point.disabled_at.is_(None))
    in_force = and_(
        out.channel == point.channel, out.address == point.address, out.lifted_at.is_(None)
    )
    barred: Any = out.id.is_not(None).label("barred")
    if is_lateral:
        theirs = (
            select(contact_points, barred)
            .select_from(contact_points.outerjoin(suppressions, in_force))
            .where(own)
            .offset(0)  # so that it stays a look of its own
            .lateral()
        )
        point, barred = theirs.c, theirs.c.barred
        found = who.outerjoin(theirs, true())
    else:
        found = who.outerjoin(contact_points, own).outerjoin(suppressions, in_force)
    return (
        select(who.c.id, who.c.name, who.c.locale, point.channel, point.address, barred)
        .select_from(found)
        .order_by(who.c.id, point.rank, point.id)
    )


_AFTER, _MOST = bindparam("after", "", Text), bindparam("most", 0, Integer)


def _page_of(groups: Sequence[str], people: Sequence[str]) -> Select[Any]:
    """Return the query for the next recipients.

    A group is read along its own index, a page at a time: PostgreSQL hashes the whole of it for the
    condition of `audience_recipients`, at each page again (tried: 6 ms a page of 20,000 people).
    """
    if len(groups) > _MOST_BRANCHES:
        found = audience_recipients(groups, people).where(recipients.c.id > _AFTER)
        return found.order_by(recipients.c.id).limit(_MOST)
    branches = [_members_after(group) for group in groups]
    if people:
        branches.append(audience_recipients((), people).where(recipients.c.id > _AFTER))
    pages = [branch.order_by(branch.selected_columns[0]).limit(_MOST) for branch in branches]
    if len(pages) == 1:
        return pages[0]
    each_once = union(*(select(page.subquery()) for page in pages)).subquery()
    return select(each_once).order_by(each_once.c.id).limit(_MOST)


def _members_after(group: str) -> Select[Any]:
    member = group_members.c.recipient_id
    return (
        select(member.label("id"), recipients.c.name, recipients.c.locale)
        .join(recipients, recipients.c.id == member)
        .where(
            group_members.c.group_id == group,
            member > _AFTER,
            recipients.c.id > _AFTER,  # PostgreSQL would merge from the first recipient on
            recipients.c.deleted_at.is_(None),
        )
    )


def audience_recipients(groups: Sequence[str], people: Sequence[str]) -> Select[Any]:
    """Return the query for all who are in one of `groups` or named; each once."""
    in_group = exists().where(
        group_members.c.recipient_id == recipients.c.id, group_members.c.group_id.in_(groups)
    )
    named: ColumnElement[bool] = recipients.c.id.in_(people)
    return select(recipients.c.id, recipients.c.name, recipients.c.locale).where(
        recipients.c.deleted_at.is_(None), or_(in_group, named) if groups else named
    )
