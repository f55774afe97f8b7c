"""A service that may alert a few people; its channels are real and are never asked to send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import channels
from kentongan.ids import GroupId, RecipientId
from kentongan.recipient import Draft
from ledger import groups, recipients
from ledger.engine import Ledger, read_now
from service.wiring import House
from tests.fakes.channels import simulator_at
from tests.fakes.house import Client, Headers, deployment, made_house

SITI, BUDI = "+628111000001", "+628111000002"


def alerting_house(ledger: Ledger, **environ: str) -> House:
    """Return a house with all four channels, pointed at nothing."""
    house = made_house(ledger, environ=environ)
    four = channels.practising(simulator_at("http://127.0.0.1:9", 9), deployment(house.settings))
    return made_house(ledger, channels=four, practising=four, environ=environ)


@dataclass(frozen=True)
class Village:
    """Three people in the group `north`: two with a telephone, one whom nothing reaches."""

    group: GroupId
    people: Sequence[RecipientId]


async def settle_village(ledger: Ledger) -> Village:
    async with ledger.write() as db:
        now = await read_now(db)
        made = await groups.ensure(db, {"north": "North", "south": "South"}, now)
        north = frozenset({made["north"]})
        drafts = [
            Draft(name="Siti", locale="id", points=(("sms", SITI),), groups=north),
            Draft(
                name="Budi",
                locale="en",
                points=(("sms", BUDI), ("email", "budi@example.org")),
                groups=north,
            ),
            Draft(name="Wati", locale="id", groups=north),
        ]
        await recipients.add(db, drafts, now)
    return Village(made["north"], [draft.id for draft in drafts])


def alert(**changes: Any) -> dict[str, Any]:
    """Return a dull body that is accepted."""
    return {
        "mode": "exercise",
        "severity": "severe",
        "urgency": "immediate",
        "text": {"en": "Water rises. Move up now.", "id": "Air naik. Segera ke atas."},
        "headline": {"en": "Flood", "id": "Banjir"},
        "audience": {"groups": ["north"]},
        "channels": ["sms", "email"],
    } | changes


async def posted(
    client: Client,
    caller: Headers,
    body: Mapping[str, Any],
    *,
    key: str | None = None,
    query: str = "",
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of `POST /v1/alerts`."""
    headers = {**caller, **({"Idempotency-Key": key} if key else {})}
    async with client.post(f"/v1/alerts{query}", headers=headers, json=body) as answer:
        return answer.status, await answer.json()


async def got(client: Client, caller: Headers, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of a GET."""
    async with client.get(path, headers=caller) as answer:
        return answer.status, await answer.json()
