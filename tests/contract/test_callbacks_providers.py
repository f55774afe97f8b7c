"""Each of a channel's providers signs with its own token, and is known by it."""

from collections.abc import Mapping

from ledger import senders
from ledger.engine import Ledger
from tests.fakes import asked
from tests.fakes.callbacks import PRACTICE_TOKEN, SID, TOKEN, told, two_providers
from tests.fakes.house import serving

MAIN, SECOND = "AC" + "0" * 32, "AC" + "2" * 32
STATUS, INBOUND = "/callbacks/sms/status", "/callbacks/sms/inbound"


def form(account: str, **more: str) -> Mapping[str, str]:
    return {"AccountSid": account, "MessageSid": SID, "MessageStatus": "delivered", **more}


async def test_callback_is_kept_under_the_provider_that_signed_it(ledger: Ledger) -> None:
    async with two_providers(ledger) as house, serving(house) as client:
        first = await told(client, STATUS, form(MAIN), token=TOKEN)
        second = await told(client, STATUS, form(SECOND), token=PRACTICE_TOKEN)

    assert (first[0], second[0]) == (200, 200)
    kept = await asked.kept(ledger)
    assert [(e.channel, e.payload["provider"]) for e in kept] == [
        ("sms", "main"),
        ("sms", "second"),
    ]


async def test_one_providers_token_does_not_speak_for_the_other(ledger: Ledger) -> None:
    async with two_providers(ledger) as house, serving(house) as client:
        status, _, _ = await told(client, STATUS, form(MAIN), token=PRACTICE_TOKEN)

    assert status == 403
    assert not await asked.kept(ledger)


async def test_who_writes_to_a_sender_is_remembered_with_its_provider(ledger: Ledger) -> None:
    message = {"From": "+628111000001", "To": "+15005550002", "Body": "where?"}

    async with two_providers(ledger) as house, serving(house) as client:
        status, _, _ = await told(
            client,
            INBOUND,
            {"AccountSid": SECOND, "MessageSid": SID, **message},
            token=PRACTICE_TOKEN,
        )

    assert status == 200
    async with ledger.read() as db:
        found = await senders.talks_to(db, "sms", ["+628111000001"])
    assert found == {"+628111000001": ("second", "+15005550002")}
