"""`POST /v1/recipients/import`: a CSV file of people, checked whole before anybody is changed."""

import asyncio
import tempfile
from typing import IO

from aiohttp import web
from pydantic import Field

from kentongan.access import Act
from ledger import imports
from ledger.imports import ImportState
from service.calls import Call
from service.importing import Importing, Report
from service.people import known_channels
from service.people_file import HeaderError, RowFault
from service.web.bodies import Out, Path, Query, id_pattern
from service.web.openapi import Api, Reply, Stream
from service.web.problems import Fault, ProblemError, invalid, missing

api = Api("imports")

MOST_BYTES = 64 * 1024 * 1024
#: Kept in memory; what is longer goes on in a temporary file.
_IN_MEMORY = 1024 * 1024
_CHUNK = 64 * 1024
#: Faults that a refusal names; a dry run names more.
MOST_FAULTS = 100
#: Seconds without a byte, and for the whole file.
_LULL, _UPLOAD = 10.0, 600.0
_CHARSETS = {"utf-8", "utf8", "utf-16", "us-ascii"}

_COLUMNS = """\
UTF-8, or UTF-16 with a byte-order mark; at most 64 MiB, 1,000,000 rows, 10,000 characters a cell.
The first row names the columns: `name`, and if wanted `external_id`, `locale`, `groups` (several
with ; between them), and one for each contact point: `sms`, `sms_2`, `email` …"""


class ImportQuery(Query):
    commit: bool = Field(
        default=False, description="Import; without it, say what would be imported."
    )
    create_groups: bool = Field(default=False, description="Make groups that do not exist.")


class ImportPath(Path):
    import_id: str = Field(pattern=id_pattern("imp_"))


class RowProblem(Out):
    row: int = Field(description="As spreadsheets count: the first row is 1.")
    column: str
    problem: str
    fix: str


class ImportReport(Out):
    committed: bool
    import_id: str | None
    rows: int
    good: int
    bad: int
    created: int = Field(description="People who are, or would be, new.")
    changed: int = Field(description="People known by their external_id.")
    new_groups: list[str]
    problems: list[RowProblem] = Field(description="The first thousand.")
    problems_total: int
    stopped_at: int | None = Field(description="The row from which it could not be read on.")


class ImportProgress(Out):
    id: str
    state: ImportState
    rows: int
    applied: int


@api.op(
    "POST",
    "/v1/recipients/import",
    may=Act.WRITE_PEOPLE,
    gives={200: ImportReport, 202: ImportReport},
    takes=Stream("text/csv", _COLUMNS),
)
async def import_recipients(call: Call, *, query: ImportQuery) -> Reply:
    """Read people from a CSV file: a dry run, unless `commit=true`.

    Nothing is imported if any row is bad. People are matched by `external_id`, else they are new.
    Of those known, what the file has columns for is replaced: the name, the contact points of its
    channels, the groups; an empty locale changes nothing. A large file is answered with 202 when it
    is safe, and applied to its end behind: GET /v1/imports/{import_id} tells how far it is.
    """
    _check_type(call.request)
    importing = Importing(
        ledger=call.ledger,
        channels=known_channels(call),
        caller=call.caller,
        may_make_groups=query.create_groups,
    )
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        await _receive(call.request, spooled)
        try:
            report = await (importing.commit if query.commit else importing.check)(spooled)
        except HeaderError as error:
            raise invalid([_fault(one) for one in error.faults[:MOST_FAULTS]]) from None
    if query.commit and report.bad:
        raise _nothing_imported(report)
    return Reply(_out(report, query), 202 if query.commit and not report.is_done else 200)


@api.op("GET", "/v1/imports/{import_id}", may=Act.READ_PEOPLE)
async def read_import(call: Call, *, path: ImportPath) -> ImportProgress:
    """Tell how far a file is that was accepted."""
    async with call.ledger.read() as db:
        found = await imports.progress(db, path.import_id)
    if found is None:
        raise missing("import")
    return ImportProgress(
        id=path.import_id, state=found.state, rows=found.rows, applied=found.applied
    )


def _check_type(request: web.Request) -> None:
    if request.content_type != "text/csv":
        raise ProblemError(
            415, "The body is not declared as CSV.", fix="Send Content-Type: text/csv."
        )
    if (request.charset or "utf-8").lower() not in _CHARSETS:
        raise ProblemError(
            415, "The file is in a charset that is not read here.", fix="Save it as CSV UTF-8."
        )
    if (request.content_length or 0) > MOST_BYTES:
        raise _too_large()


async def _receive(request: web.Request, file: IO[bytes]) -> None:
    """Write the body to `file`, which stands at its start then."""
    taken = 0
    try:
        async with asyncio.timeout(_UPLOAD):
            while chunk := await asyncio.wait_for(request.content.read(_CHUNK), _LULL):
                taken += len(chunk)
                if taken > MOST_BYTES:
                    raise _too_large()
                file.write(chunk)
    except TimeoutError:
        raise ProblemError(
            408, "The file came too slowly.", fix="Send it again.", headers={"Connection": "close"}
        ) from None
    file.seek(0)


def _too_large() -> ProblemError:
    return ProblemError(
        413,
        "The file is larger than 64 MiB.",
        fix="Split it; people are matched by external_id.",
        headers={"Connection": "close"},
    )


def _nothing_imported(report: Report) -> ProblemError:
    return ProblemError(
        422,
        f"{report.bad:,} of {report.rows:,} rows are bad; nothing was imported.",
        fix="Mend them; a dry run (without commit=true) lists the first thousand faults.",
        errors=[_fault(one) for one in report.faults[:MOST_FAULTS]],
    )


def _fault(one: RowFault) -> Fault:
    where = f"row {one.row}/{one.column}" if one.column else f"row {one.row}"
    return one.wrong.at(where)


def _out(report: Report, query: ImportQuery) -> ImportReport:
    return ImportReport(
        committed=query.commit,
        import_id=report.import_id,
        rows=report.rows,
        good=report.rows - report.bad,
        bad=report.bad,
        created=report.created,
        changed=report.changed,
        new_groups=sorted(report.new_groups),
        problems=[
            RowProblem(row=one.row, column=one.column, problem=one.wrong.problem, fix=one.wrong.fix)
            for one in report.faults
        ],
        problems_total=report.faults_total,
        stopped_at=report.stopped_at,
    )
