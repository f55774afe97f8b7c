"""One file of people from its first byte to its last row: checked whole, then applied or left.

The file lies in a temporary file meanwhile, so that neither its size nor a slow line is felt by
anyone else: no transaction is open while it comes, and it is parsed in a thread, a page at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from channels import AnyChannel
from kentongan.csv_reading import UnreadableError, read_rows
from kentongan.ids import GroupId
from kentongan.recipient import ImportRow
from ledger import audit, groups, imports, recipients
from ledger.engine import Ledger, LedgerAwayError, read_now
from service.people import Wrong, unknown_group
from service.people_file import HeaderError, PeopleFile, ReadRow, RowFault

PAGE = 250
MOST_ROWS = 1_000_000
MOST_NEW_GROUPS = 1000
#: Faults that are kept and told; all are counted.
MOST_TOLD = 1000
#: Seconds that a request applies rows for; whatever is left then is finished by housekeeping.
PATIENCE = 20.0


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found in a file, and what became of it."""

    rows: int = 0
    bad: int = 0
    created: int = 0
    changed: int = 0
    new_groups: set[str] = field(default_factory=set)
    faults: list[RowFault] = field(default_factory=list)
    faults_total: int = 0
    stopped_at: int | None = None  # the row that could not be read on from
    import_id: str | None = None
    is_done: bool = False

    def note(self, faults: Sequence[RowFault]) -> None:
        """Count the faults of one bad row."""
        self.bad += 1
        self.faults_total += len(faults)
        self.faults += faults[: MOST_TOLD - len(self.faults)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """How files are imported for one caller."""

    ledger: Ledger
    channels: Mapping[str, AnyChannel]
    caller: str
    may_make_groups: bool

    async def check(self, file: IO[bytes]) -> Report:
        """Say what `commit` would do. Raises `HeaderError`."""
        return await self._read(file, Report())

    async def commit(self, file: IO[bytes]) -> Report:
        """Import everything, or nothing where any row is bad. Raises `HeaderError`."""
        async with self.ledger.write() as db:
            import_id = await imports.start(db, made_by=self.caller, now=await read_now(db))
        try:
            report = await self._read(file, Report(import_id=import_id))
        except HeaderError:
            await imports.give_up(self.ledger, import_id)
            raise
        if report.bad:
            await imports.give_up(self.ledger, import_id)
            return report
        await self._promise(import_id, report)
        # The promise is given: from here on, trouble only means that it is kept later.
        with suppress(LedgerAwayError):
            report.is_done = await imports.apply(self.ledger, import_id, patience=PATIENCE)
        return report

    async def _promise(self, import_id: str, report: Report) -> None:
        async with self.ledger.write() as db:
            await imports.make_ready(db, import_id, await read_now(db))
            await audit.add(
                db,
                actor=self.caller,
                action="recipient.import",
                subject=import_id,
                detail={"created": report.created, "changed": report.changed},
            )

    async def _read(self, file: IO[bytes], report: Report) -> Report:
        try:
            async for page in self._pages(file):
                await self._take(page, report)
        except UnreadableError as error:
            wrong = Wrong(error.problem, f"{error.fix} Nothing after it was looked at.")
            report.stopped_at = error.row
            report.rows += 1
            report.note([RowFault(row=error.row, column="", wrong=wrong)])
        return report

    async def _pages(self, file: IO[bytes]) -> AsyncIterator[list[ReadRow]]:
        rows = _rows(file, self.channels)
        while page := await asyncio.to_thread(lambda: list(islice(rows, PAGE))):
            yield page

    async def _take(self, page: Sequence[ReadRow], report: Report) -> None:
        said = [row.said for row in page if row.said]
        async with self.ledger.read() as db:
            named = {name for row in said for name in row.groups or ()}
            known_groups = await groups.ids_of(db, named)
            ids = {row.external_id for row in said if row.external_id}
            known_ids = await recipients.known_external_ids(db, ids)
        report.rows += len(page)
        for row in page:
            if faults := [*row.faults, *self._group_faults(row, known_groups, report)]:
                report.note(faults)
            elif row.said and row.said.external_id in known_ids:
                report.changed += 1
            else:
                report.created += 1
        if report.import_id and not report.bad:
            await self._stage(report.import_id, said)

    def _group_faults(
        self, row: ReadRow, known: Mapping[str, GroupId], report: Report
    ) -> Iterator[RowFault]:
        for name in (row.said and row.said.groups) or ():
            if name in known:
                continue
            if not self.may_make_groups:
                wrong = unknown_group(name)
            elif name in report.new_groups or len(report.new_groups) < MOST_NEW_GROUPS:
                report.new_groups.add(name)
                continue
            else:
                wrong = Wrong(
                    f"The file makes over {MOST_NEW_GROUPS:,} new groups.",
                    "See whether the column really names groups.",
                )
            yield RowFault(row=row.number, column="groups", wrong=wrong)

    async def _stage(self, import_id: str, rows: Sequence[ImportRow]) -> None:
        async with self.ledger.bulk() as db:
            await imports.stage(db, import_id, rows, await read_now(db))


def _rows(file: IO[bytes], channels: Mapping[str, AnyChannel]) -> Iterator[ReadRow]:
    """Read the header, then row after row; raise `HeaderError` or `UnreadableError`."""
    numbered = read_rows(file)
    number, header = next(numbered, (0, []))
    if number != 1:
        wrong = Wrong("The first row is empty.", "Begin with a row of column names: name, sms …")
        raise HeaderError([RowFault(row=1, column="", wrong=wrong)])
    people = PeopleFile(header, channels)
    for count, (number, cells) in enumerate(numbered):
        if count == MOST_ROWS:
            raise UnreadableError(number, f"There are over {MOST_ROWS:,} rows.", "Split the file.")
        yield people.read(number, cells)
