"""Callbacks as Twilio makes them, signed by its own library, and a service that expects them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from multidict import MultiDict
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from yarl import URL

from channels import AnyChannel, Providers
from channels.email import Email
from channels.sms import Sms, SmsSettings
from channels.voice import Voice, VoiceSettings
from kentongan.deployment import SimulatorAt
from kentongan.weights import at_rest
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes import asked
from tests.fakes.house import Client, QuietBell, deployment, made_house

TOKEN, PRACTICE_TOKEN = "0123456789abcdef" * 2, "fedcba9876543210" * 2
PUBLIC = "https://warn.example"
SID = "SM" + "0" * 32
FORM = "application/x-www-form-urlencoded"


def channels_of(house: House, token: str) -> dict[str, AnyChannel]:
    place = deployment(house.settings)
    account: dict[str, Any] = {
        "account_sid": "AC" + "0" * 32,
        "auth_token": [SecretStr(token)],
        "sender": "+15005550006",
        "base_url": "http://127.0.0.1:9",
    }
    at = SimulatorAt(
        url="http://127.0.0.1:9",
        smtp_host="127.0.0.1",
        smtp_port=9,
        account_sid="AC" + "0" * 32,
        auth_token=token,
    )
    return {
        "sms": Sms(SmsSettings(**account), place),
        "voice": Voice(VoiceSettings(**account), place),
        "email": Email.for_simulator(at, place),
    }


@asynccontextmanager
async def two_sided(ledger: Ledger) -> AsyncIterator[House]:
    """Open a house whose providers and whose simulator sign with different tokens."""
    plain = made_house(ledger)
    real, practice = channels_of(plain, TOKEN), channels_of(plain, PRACTICE_TOKEN)
    yield made_house(ledger, channels=real, practising=practice)
    for channel in (*real.values(), *practice.values()):
        await channel.close()


async def told(
    client: Client,
    target: str,
    form: Mapping[str, Any],
    *,
    token: str = TOKEN,
    signature: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, str, str]:
    """Post a form as Twilio does, signed by Twilio's own library; return status, type and text."""
    made = RequestValidator(token).compute_signature(PUBLIC + target, _multi(form))
    sent = {"X-Twilio-Signature": made if signature is None else signature, "Content-Type": FORM}
    if signature == "":
        del sent["X-Twilio-Signature"]
    raw = urlencode(form, doseq=True).encode() if body is None else body
    url = URL(target, encoded=True)
    async with client.post(url, data=raw, headers={**sent, **(headers or {})}) as answer:
        return answer.status, answer.content_type, await answer.text()


def _multi(form: Mapping[str, Any]) -> MultiDict[str]:
    """Return a form as the signer reads repeated names."""
    pairs = MultiDict[str]()
    for name, value in form.items():
        for each in value if isinstance(value, list) else [value]:
            pairs.add(name, each)
    return pairs


def status_form(**changes: str) -> dict[str, str]:
    return {"MessageSid": SID, "MessageStatus": "delivered", "To": asked.PHONE} | changes


def inbound_form(body: str, sid: str = SID) -> dict[str, str]:
    return {"MessageSid": sid, "From": asked.PHONE, "To": "+15005550006", "Body": body}


def rung(house: House) -> list[tuple[str, str]]:
    assert isinstance(house.queue, QuietBell)
    return house.queue.rung


@asynccontextmanager
async def two_providers(ledger: Ledger) -> AsyncIterator[House]:
    """Open a house with two accounts for SMS, each with its SID and its token."""
    plain = made_house(ledger)
    place, both = deployment(plain.settings), list[AnyChannel]()
    for name, digit, token in (("main", "0", TOKEN), ("second", "2", PRACTICE_TOKEN)):
        account: dict[str, Any] = {
            "account_sid": "AC" + digit * 32,
            "auth_token": [SecretStr(token)],
            "sender": f"+1500555000{digit}",
            "base_url": "http://127.0.0.1:9",
        }
        both.append(Sms(SmsSettings(**account), place))
        both[-1].provider = name
    shares = {"sms": at_rest({"main": 1, "second": 1})}
    yield made_house(ledger, channels=Providers({"sms": both}, shares))
    for one in both:
        await one.close()
