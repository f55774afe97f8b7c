"""A file of people is taken whole or not at all, and every bad row is named with its mending."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.house import Client, Headers
from tests.fakes.people import asked, house_of_all_channels, made

GOOD = '''\
external_id,name,locale,groups,sms,sms_2,email
E1,Ani,id,north,0812 3456 7890,,ani@example.org
,Budi,,north;south,+6281234567891,+6281234567892,

E3,"Cahya, ""CC""",en-gb,,,,
'''


@pytest.fixture
async def house(ledger: Ledger) -> AsyncIterator[House]:
    async with house_of_all_channels(ledger) as ready:
        yield ready


async def sent(
    client: Client, key: Headers, file: str | bytes, query: str = "", kind: str = "text/csv"
) -> tuple[int, Any]:
    body = file.encode() if isinstance(file, str) else file
    path = f"/v1/recipients/import?{query}"
    headers = {**key, "Content-Type": kind}
    async with client.post(path, headers=headers, data=io.BytesIO(body)) as answer:
        return answer.status, await answer.json()


async def people(client: Client, key: Headers) -> dict[str, Any]:
    _, page = await asked(client, "GET", "/v1/recipients?limit=500", key)
    return {one["name"]: one for one in page["recipients"]}


def found(report: Any) -> list[tuple[int, str]]:
    return [(one["row"], one["column"]) for one in report["problems"]]


async def test_a_dry_run_says_what_would_be_and_changes_nothing(
    client: Client, officer: Headers
) -> None:
    status, report = await sent(client, officer, GOOD, "create_groups=true")

    assert status == 200
    assert (report["committed"], report["rows"], report["good"], report["bad"]) == (False, 3, 3, 0)
    assert (report["created"], report["changed"]) == (3, 0)
    assert report["new_groups"] == ["north", "south"]
    assert await people(client, officer) == {}


async def test_a_committed_file_is_imported(client: Client, officer: Headers) -> None:
    status, report = await sent(client, officer, GOOD, "create_groups=true&commit=true")

    assert (status, report["committed"], report["created"]) == (200, True, 3)
    there = await people(client, officer)
    assert set(there) == {"Ani", "Budi", 'Cahya, "CC"'}
    assert there['Cahya, "CC"']["locale"] == "en-gb"
    budi = there["Budi"]
    assert [point["address"] for point in budi["contact_points"]] == [
        "+6281234567891",
        "+6281234567892",
    ]
    assert budi["groups"] == ["north", "south"]
    _, progress = await asked(client, "GET", f"/v1/imports/{report['import_id']}", officer)
    assert (progress["state"], progress["rows"], progress["applied"]) == ("done", 3, 3)


async def test_a_file_imported_again_changes_those_it_knows(
    client: Client, officer: Headers
) -> None:
    await sent(client, officer, "name,external_id,sms\nAni,E1,+6281234567890", "commit=true")
    before = (await people(client, officer))["Ani"]

    status, report = await sent(
        client, officer, "external_id;email;name\nE1;a@b.org;Ani B.\n", "commit=true"
    )

    assert (status, report["created"], report["changed"]) == (200, 0, 1)
    after = (await people(client, officer))["Ani B."]
    assert after["id"] == before["id"]
    assert [point["channel"] for point in after["contact_points"]] == ["email", "sms"]


async def test_every_bad_row_is_named_and_nothing_is_imported(
    client: Client, officer: Headers
) -> None:
    rows = [
        "external_id,name,locale,groups,sms,sms_2,email",
        "E1,Ani,id,,+6281234567890,,",
        "E2,,id,,,,",  # 3: no name
        "",
        "E1,Budi,id,,,,",  # 5: the same external id
        "E4,Cahya,Bahasa,,,,",  # 6: no language
        "E5,Dewi,,nowhere,,,",  # 7: no such group
        "E6,Eko,,North Side,,,",  # 8: no name of a group
        "E7,Fitri,,,8.12E+11,,not an address",  # 9: two at once
        "E8,Gita,,,+6281234567890,081234567890,",  # 10: one address twice
        "E9,Hadi\0,,,,,",  # 11: NUL
        "E10,Indah,,,,,,surplus",  # 12: more cells than columns
        f"E11,{'x' * 10_001},,,,,",  # 13: a cell too long
        f"E12,{'x' * 201},,,,,",  # 14: a name too long
    ]
    file = "\r\n".join(rows)

    status, report = await sent(client, officer, file)

    assert status == 200
    assert (report["rows"], report["good"], report["bad"]) == (12, 1, 11)
    assert found(report) == [
        (3, "name"),
        (5, "external_id"),
        (6, "locale"),
        (7, "groups"),
        (8, "groups"),
        (9, "sms"),
        (9, "email"),
        (10, "sms_2"),
        (11, "name"),
        (12, "column 8"),
        (13, "name"),
        (14, "name"),
    ]
    assert all(one["problem"] and one["fix"] for one in report["problems"])
    assert "Row 2" in report["problems"][1]["problem"]
    assert "rounded" in report["problems"][5]["problem"]

    status, problem = await sent(client, officer, file, "commit=true")
    assert status == 422
    assert problem["detail"].startswith("11 of 12 rows are bad")
    assert problem["errors"][0]["at"] == "row 3/name"
    assert await people(client, officer) == {}


@pytest.mark.parametrize(
    ("header", "column", "word"),
    [
        ("name,name", "name", "Keep one"),
        ("name,sms,sms", "sms", "sms_2"),
        ("name,phone", "phone", "Did you mean sms?"),
        ("name,emial", "emial", "Did you mean email?"),
        ("name,sms_1", "sms_1", "Did you mean sms?"),
        ("sms,email", "name", "Add it"),
        ("name,\0", "?", "Take it out"),
    ],
)
async def test_a_header_is_wrong_before_any_row_is(
    client: Client, officer: Headers, header: str, column: str, word: str
) -> None:
    for query in ("", "commit=true"):
        status, problem = await sent(client, officer, f"{header}\nx,y,z", query)

        assert status == 422
        [fault] = problem["errors"]
        assert fault["at"] == f"row 1/{column}"
        assert word in fault["fix"]


@pytest.mark.parametrize(
    "encoded",
    [
        "name,sms\nÁni,+6281234567890\n".encode("utf-8-sig"),
        "name,sms\nÁni,+6281234567890\n".encode("utf-16"),
        b"\xfe\xff" + "name\tsms\r\nÁni\t+6281234567890\r\n".encode("utf-16-be"),
        "Name;SMS \rÁni;+6281234567890".encode(),
    ],
)
async def test_files_come_as_spreadsheets_save_them(
    client: Client, officer: Headers, encoded: bytes
) -> None:
    status, report = await sent(client, officer, encoded, "commit=true")

    assert (status, report["created"]) == (200, 1)
    assert set(await people(client, officer)) == {"Áni"}


@pytest.mark.parametrize(
    ("file", "row"),
    [
        (b"name\nAni\n\xc1ni\nBudi", 3),
        (b"name\nAni\nBudi\n" + "name".encode("utf-16-le"), 4),
        (b"\xff\xfe" + "name\nAni\n".encode("utf-16-le") + b"\x00\xd8\x41\x00\n\x00", 3),
        (b'name\nAni\n"Budi\nCahya\n', 3),
        (b'name\nAni\n"Budi" B.,\n', 3),
        (b"name\nAni\n" + b"x" * 1_500_000, 3),
        (b'name\nAni\n"' + b"x\n" * 1_000_000, 3),
        (b'name\nAni\n"' + b"x" * 900_000 + b'"', 3),
    ],
    ids=["latin-1", "mixed", "utf-16", "open quote", "after a quote", "line", "lines", "cell"],
)
async def test_a_broken_file_is_said_where_it_breaks(
    client: Client, officer: Headers, file: bytes, row: int
) -> None:
    status, report = await sent(client, officer, file)

    assert status == 200
    assert report["bad"] == 1
    assert [one["row"] for one in report["problems"]] == [row]
    assert (await sent(client, officer, file, "commit=true"))[0] == 422
    assert await people(client, officer) == {}


@pytest.mark.parametrize(
    "file", [b"", b"\n\nname\n", b"\xef\xbb\xbf", b"\xff\xfe\x00\x00n\x00\x00\x00", b",,\n"]
)
async def test_a_file_without_a_header_is_refused(
    client: Client, officer: Headers, file: bytes
) -> None:
    status, report = await sent(client, officer, file)

    assert status == 422 or report["bad"]
    assert (await sent(client, officer, file, "commit=true"))[0] == 422


async def test_other_types_charsets_and_sizes_are_refused(client: Client, officer: Headers) -> None:
    assert (await sent(client, officer, "name\nx", kind="application/json"))[0] == 415
    assert (await sent(client, officer, "name\nx", kind="text/csv; charset=latin-1"))[0] == 415
    assert (await sent(client, officer, "name\nx", kind="text/csv; charset=utf-8"))[0] == 200
    assert (await sent(client, officer, b"x" * (64 * 1024 * 1024 + 1)))[0] == 413


async def test_only_the_first_thousand_faults_are_told_and_all_are_counted(
    client: Client, officer: Headers
) -> None:
    file = "name,sms\n" + ",x\n" * 1500

    _, report = await sent(client, officer, file)

    assert (report["bad"], report["problems_total"]) == (1500, 3000)
    assert len(report["problems"]) == 1000


async def test_an_export_can_be_imported(client: Client, officer: Headers) -> None:
    await made(client, "/v1/groups", officer, name="north")

    await sent(client, officer, "name,groups\n'=Sum of all,north\n'Aisyah,|", "commit=true")

    there = await people(client, officer)
    assert there["=Sum of all"]["groups"] == ["north"]
    assert there["'Aisyah"]["groups"] == []


async def test_a_thousand_people_take_a_few_seconds_and_leave_room_for_others(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    rows = [f"E{n},Person {n},north,+62812{n:08},p{n}@example.org" for n in range(1000)]
    file = "\n".join(["external_id,name,groups,sms,email", *rows])
    importing = asyncio.create_task(sent(client, officer, file, "commit=true&create_groups=true"))

    beside = 0
    while not importing.done():
        async with ledger.write():
            beside += 1
        await asyncio.sleep(0.01)
    status, report = await importing

    assert (status, report["created"]) == (200, 1000)
    assert beside > 5
    _, page = await asked(client, "GET", "/v1/groups", officer)
    assert page["groups"][0]["members"] == 1000


async def test_a_slow_upload_holds_no_transaction(
    client: Client, officer: Headers, ledger: Ledger
) -> None:
    half_way, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"name\nAni\n"
        half_way.set()
        await go_on.wait()
        yield b"Budi\n"

    headers = {**officer, "Content-Type": "text/csv"}
    path = "/v1/recipients/import?commit=true"
    uploading = asyncio.create_task(client.post(path, headers=headers, data=slowly()))
    await half_way.wait()
    async with ledger.write():
        go_on.set()
    async with await uploading as answer:
        assert answer.status == 200

    assert set(await people(client, officer)) == {"Ani", "Budi"}


async def test_only_those_who_may_write_import(
    client: Client, auditor: Headers, integration: Headers
) -> None:
    for key in (auditor, integration):
        assert (await sent(client, key, GOOD))[0] == 403
