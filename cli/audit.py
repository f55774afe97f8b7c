"""`kentongan audit`: is the record of who did what whole, and what does it say?"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cli import told
from cli.configured import Configured, configured, needed
from cli.errors import CommandError, Exit
from cli.on_ledger import on_ledger
from kentongan.clock import to_datetime, to_micros
from kentongan.csv_safety import csv_line
from kentongan.keyring import Keyring
from ledger import audit, audit_pages, unchained
from ledger.audit import Head, Verdict
from ledger.audit_pages import Told
from ledger.engine import Ledger
from ledger.unchained import Unchained

PAGE = 500
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-v]{0,64})", re.ASCII)

COLUMNS = ("seq", "id", "at", "actor", "action", "subject", "detail", "mac")


class Compared(StrEnum):
    """What became of a head that was noted elsewhere."""

    SAME = "same"
    CUT = "cut"  # the chain does not reach it any more
    OTHER = "other"  # there is another link in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that `verify` found."""

    chain: Verdict
    rows: Unchained
    noted: Head | None
    compared: Compared | None

    @property
    def is_sound(self) -> bool:
        is_known = self.compared in (None, Compared.SAME)
        return self.chain.is_sound and self.rows.is_sound and is_known


def verify(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print whether the audit is whole; exit 9 if it is not.

    `--head` compares with what the leader logged, or an earlier run printed: only that finds an end
    that was cut off with its rows.
    """
    noted = _head(arguments.head)
    run = configured(told.as_up_has_it(environ))
    needed(run, "secret_key")
    found = asyncio.run(on_ledger(run.settings.database_url, lambda db: _verify(db, run, noted)))
    if arguments.json:
        print(json.dumps(_shown(found)))
    else:
        _say(found)
    return Exit.DONE if found.is_sound else Exit.UNBALANCED


def _head(given: str | None) -> Head | None:
    if given is None:
        return None
    shape = _HEAD.fullmatch(given)
    if shape is None:
        sentence = f"--head {given}: give SEQ:MAC, as `kentongan audit verify` prints it."
        raise CommandError(sentence, Exit.USAGE)
    return Head(int(shape[1]), shape[2])


async def _verify(ledger: Ledger, run: Configured, noted: Head | None) -> Report:
    keyring = Keyring([key.get_secret_value() for key in run.settings.secret_key])
    chain = await audit.verify(ledger, keyring)
    rows = await unchained.survey(ledger)
    compared = None if noted is None else await _compare(ledger, noted)
    return Report(chain=chain, rows=rows, noted=noted, compared=compared)


async def _compare(ledger: Ledger, noted: Head) -> Compared:
    async with ledger.read() as db:
        link = await audit.link_at(db, noted.seq)
    if link is None:
        return Compared.CUT
    return Compared.SAME if link == noted else Compared.OTHER


def _say(found: Report) -> None:
    chain, rows = found.chain, found.rows
    print(f"{chain.links:,} links hold.")
    if chain.broken_at is not None:
        print(f"LINK {chain.broken_at:,} DOES NOT: it or its row was changed or taken away.")
    if rows.waiting:
        print(f"{rows.waiting:,} rows wait for their link.")
    if rows.passed_over:
        print(f"{rows.passed_over:,} OF THEM WERE PASSED OVER, the first {rows.first}.")
    if rows.at_odds:
        print(f"{rows.at_odds:,} ROWS CONTRADICT THE CHAIN about their link, see {rows.first}.")
    if found.noted and found.compared is not Compared.SAME:
        why = "the end was cut off" if found.compared is Compared.CUT else "it is another"
        print(f"LINK {found.noted.seq:,} IS NOT THE ONE THAT WAS NOTED: {why}.")
    print(f"head {chain.head.seq}:{chain.head.mac}")


def _shown(found: Report) -> dict[str, object]:
    chain, rows = found.chain, found.rows
    return {
        "is_sound": found.is_sound,
        "links": chain.links,
        "broken_at": chain.broken_at,
        "waiting": rows.waiting,
        "passed_over": rows.passed_over,
        "at_odds": rows.at_odds,
        "first": rows.first,
        "noted_head": found.compared,
        "head": {"seq": chain.head.seq, "mac": chain.head.mac},
    }


def export(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print all deeds, the oldest first; the last line says how many there were."""
    style = FORMATS.get(arguments.format)
    if style is None:
        sentence = f"--format {arguments.format}: use one of {', '.join(FORMATS)}."
        raise CommandError(sentence, Exit.USAGE)
    since = _since(arguments.since)
    url = configured(told.as_up_has_it(environ)).settings.database_url
    asyncio.run(on_ledger(url, lambda ledger: _export(ledger, style, since)))
    return Exit.DONE


def _since(given: str | None) -> int:
    if given is None:
        return 0
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        sentence = f"--since {given}: give a day or an instant, such as 2026-01-31T08:00:00Z."
        raise CommandError(sentence, Exit.USAGE) from None
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a file begins, goes on and ends; one without its end was cut off."""

    head: str
    row: Callable[[Told], str]
    tail: Callable[[int], str]


async def _export(ledger: Ledger, style: Format, since: int) -> None:
    sys.stdout.write(style.head)
    after, count = "", 0
    while True:
        async with ledger.read() as db:
            page = await audit_pages.page(db, after=after, since=since, limit=PAGE)
        # Nothing is held while whoever reads takes their time.
        sys.stdout.write("".join(map(style.row, page)))
        count += len(page)
        if len(page) < PAGE:
            break
        after = page[-1].id
    sys.stdout.write(style.tail(count))
    sys.stdout.flush()


def _ndjson_row(deed: Told) -> str:
    row = {
        "seq": deed.seq,
        "id": deed.id,
        "at": _instant(deed),
        "actor": deed.actor,
        "action": deed.action,
        "subject": deed.subject,
        "detail": deed.detail,
        "mac": deed.mac,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _csv_row(deed: Told) -> str:
    detail = json.dumps(deed.detail, ensure_ascii=False)
    who = (deed.actor, deed.action, deed.subject)
    return csv_line([deed.seq, deed.id, _instant(deed), *who, detail, deed.mac])


def _instant(deed: Told) -> str:
    return to_datetime(deed.at).isoformat()


def _csv_end(count: int) -> str:
    # As wide as every other record, so that no reader stumbles over it.
    return csv_line(["rows", count, *[None] * (len(COLUMNS) - 2)])


FORMATS: Mapping[str, Format] = {
    "ndjson": Format(
        head="", row=_ndjson_row, tail=lambda count: json.dumps({"rows": count}) + "\n"
    ),
    "csv": Format(head=csv_line(COLUMNS), row=_csv_row, tail=_csv_end),
}
