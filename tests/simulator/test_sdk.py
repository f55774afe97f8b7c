"""Twilio's own SDK takes the simulator for Twilio."""

import asyncio

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as Twilio

from tests.simulator.client import OURS, ending, practising
from tests.simulator.ear import eventually


async def test_stock_sdk_creates_fetches_lists_and_cancels() -> None:
    async with practising() as client:
        twilio = Twilio(client.settings.account_sid, client.settings.auth_token)
        twilio.api.base_url = client.sim.url

        def talk() -> None:
            message = twilio.messages.create(to=ending("0000"), from_=OURS, body="Banjir")
            assert str(message.status) == "queued"
            assert twilio.messages(str(message.sid)).fetch().body == "Banjir"
            assert len(twilio.messages.list(to=ending("0000"), page_size=1)) == 1
            twiml = "<Response><Say>Flood</Say></Response>"
            call = twilio.calls.create(to=ending("0015"), from_=OURS, twiml=twiml)
            assert twilio.calls(str(call.sid)).fetch().direction == "outbound-api"
            account = twilio.api.accounts(client.settings.account_sid).fetch()
            assert str(account.status) == "active"
            with pytest.raises(TwilioRestException) as refusal:
                twilio.messages.create(to=ending("1211"), from_=OURS, body="Banjir")
            assert (refusal.value.status, refusal.value.code) == (400, 21211)

        await asyncio.to_thread(talk)
        await eventually(lambda: client.sim.book.get(2).status == "completed")
