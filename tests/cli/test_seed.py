"""The people of the example: who they are, and that they are put in once."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from channels import practising
from cli import seed
from cli.configured import Configured, configured
from cli.db import migrate
from cli.seed_people import GROUPS, PEOPLE
from kentongan.access import Role
from kentongan.alert import Mode
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import GroupId
from kentongan.keyring import Keyring
from kentongan.recipient import Draft
from ledger import groups, keys, recipients
from ledger.engine import Ledger, read_now
from simulator import magic

SIMULATOR = "http://127.0.0.1:8090"


@pytest.fixture
def run(tmp_path: Path) -> Configured:
    made = configured(
        {"KENTONGAN_DATA_DIR": str(tmp_path), "KENTONGAN_SIMULATOR_URL": SIMULATOR},
    )
    migrate(made)
    return made


def everyone() -> list[Draft]:
    return list(seed.drafts({name: GroupId(name) for name in GROUPS}, SIMULATOR))


def in_group(group: str) -> list[Draft]:
    return [one for one in everyone() if group in one.groups]


def test_sixty_in_three_groups_speak_two_languages() -> None:
    people = everyone()

    assert len(people) == len({one.external_id for one in people}) == 60
    assert {one.locale for one in people} == {"id", "en"}
    assert {group for one in people for group in one.groups} == set(GROUPS) == set(PEOPLE)


def test_they_have_several_points_none_or_share_one() -> None:
    people = everyone()
    points = Counter(point for one in people for point in one.points)
    shared = {point for point, bearers in points.items() if bearers > 1}

    assert [one.name for one in people if not one.points] == ["Mbah Karto"]
    assert any({"sms", "voice", "email"} <= dict(one.points).keys() for one in people)
    assert [point[0] for point in shared] == ["sms"]
    assert sum(point[0] == "webhook" for point in points) == 2


async def test_their_contact_points_are_in_the_channels_normal_form() -> None:
    at = SimulatorAt(
        url=SIMULATOR,
        smtp_host="127.0.0.1",
        smtp_port=8091,
        account_sid="AC" + "0" * 32,
        auth_token="simulated",
    )
    deployment = Deployment(
        organisation="Kentongan",
        public_url="http://127.0.0.1:8080",
        locale="id",
        region="ID",
        countries=frozenset({"ID"}),
        keyring=Keyring(["k" * 32]),
    )
    channels = practising(at, deployment)

    points = [point for one in everyone() for point in one.points]

    assert points == [(channel, channels[channel].check(address)) for channel, address in points]
    for channel in channels.values():
        await channel.close()


def test_they_belong_to_nobody() -> None:
    points = [point for one in everyone() for point in one.points]

    assert {at[:6] for channel, at in points if channel in {"sms", "voice"}} == {"+62860"}
    assert {at.partition("@")[2] for channel, at in points if channel == "email"} == {"example.org"}


def test_example_meets_every_kind_of_fate_and_none_that_lasts() -> None:
    points = [point for one in in_group("north") for point in one.points]
    endings = {at[-4:] for channel, at in points if channel == "sms"}
    mailboxes = {magic.mailbox_of(at) for channel, at in points if channel == "email"}
    called = {magic.NUMBERS[at[-4:]].line for _, at in points if at[-4:] in magic.NUMBERS}

    assert {channel for channel, _ in points} == {"sms", "voice", "email", "webhook"}
    assert {"0001", "0006", "0033", "0500", "1211"} <= endings
    assert {"reject", "bounce-later", "greylist"} <= mailboxes
    assert called == {magic.Line.ANSWERED, magic.Line.MACHINE}
    assert not endings & {"0003", "0009", "0010", "0011", "0014", "0015", "0408", "0409", "0429"}


def test_example_fits_on_one_line() -> None:
    line = json.dumps(seed.example(Mode.EXERCISE))

    assert line.isascii()
    assert "'" not in line
    assert "\n" not in line


def test_seeding_twice_changes_nothing(run: Configured) -> None:
    key = keys.new_secret()

    seed.seed(run, key)
    first = asyncio.run(look(run))
    seed.seed(run, key)

    assert asyncio.run(look(run)) == first
    assert len(first["people"]) == 60
    assert first["groups"] == {"north": 24, "south": 22, "staff": 16}
    assert first["keys"] == [(Role.ADMIN, frozenset(Mode))]


def test_ledger_that_has_people_gets_a_key_and_nobody_else(run: Configured) -> None:
    asyncio.run(add(run, Draft(name="Somebody Real")))

    seed.seed(run, keys.new_secret())

    found = asyncio.run(look(run))
    assert found["people"] == ["Somebody Real"]
    assert not found["groups"]
    assert len(found["keys"]) == 1


def test_examples_that_were_deleted_do_not_come_back(run: Configured) -> None:
    key = keys.new_secret()
    seed.seed(run, key)

    asyncio.run(clear(run))
    seed.seed(run, key)

    assert not asyncio.run(look(run))["people"]


def test_first_administrator_is_made_once(run: Configured) -> None:
    assert seed.first_admin(run)
    assert seed.first_admin(run) is None


async def look(run: Configured) -> dict[str, Any]:
    async with opened(run) as ledger, ledger.read() as db:
        return {
            "people": [one.name for one in await recipients.page(db, limit=500)],
            "groups": {one.name: one.members for one in await groups.page(db, limit=100)},
            "keys": [(key.role, key.modes) for key in await keys.page(db, after="", limit=10)],
        }


async def add(run: Configured, somebody: Draft) -> None:
    async with opened(run) as ledger, ledger.write() as db:
        await recipients.add(db, [somebody], await read_now(db))


async def clear(run: Configured) -> None:
    async with opened(run) as ledger, ledger.write() as db:
        for group in await groups.page(db, limit=100):
            await groups.remove(db, group.id)
        for one in await recipients.page(db, limit=500):
            await recipients.remove(db, one.id, await read_now(db))


@asynccontextmanager
async def opened(run: Configured) -> AsyncIterator[Ledger]:
    ledger = Ledger.open(run.settings.database_url)
    try:
        yield ledger
    finally:
        await ledger.close()
