"""Channels that face a Twilio of the tests' own, and callbacks as Twilio signs them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from twilio.request_validator import RequestValidator

from channels.sms import Sms, SmsSettings
from channels.voice import Voice, VoiceSettings
from kentongan.channel import Callback
from kentongan.deployment import Deployment
from tests.fakes import servers
from tests.fakes.channels import TOKEN, deployment

ACCOUNT = "AC" + "0" * 31 + "1"
SENDER = "+15005550006"
PERSON = "+6281234567890"
MESSAGE_SID = "SM" + "a1" * 16
CALL_SID = "CA" + "b2" * 16


def sms(url: str, place: Deployment | None = None, **changes: Any) -> Sms:
    """Return an SMS channel that knows no other Twilio than the one at `url`."""
    return Sms(SmsSettings(**_dull(url) | changes), place or deployment())


def voice(url: str, place: Deployment | None = None, **changes: Any) -> Voice:
    """Return a voice channel that knows no other Twilio than the one at `url`."""
    return Voice(VoiceSettings(**_dull(url) | changes), place or deployment())


def _dull(url: str) -> dict[str, Any]:
    return {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "api_key": "",
        "api_secret": "",
        "sender": SENDER,
        "base_url": url,
        "timeout": 5.0,
    }


@asynccontextmanager
async def texting(
    talk: servers.Talk, place: Deployment | None = None, **changes: Any
) -> AsyncIterator[tuple[Sms, servers.Heard]]:
    """Yield an SMS channel whose Twilio behaves as `talk`."""
    async with servers.serving(talk) as heard:
        channel = sms(heard.url, place, **changes)
        try:
            yield channel, heard
        finally:
            await channel.close()


@asynccontextmanager
async def calling(
    talk: servers.Talk, place: Deployment | None = None, **changes: Any
) -> AsyncIterator[tuple[Voice, servers.Heard]]:
    """Yield a voice channel whose Twilio behaves as `talk`."""
    async with servers.serving(talk) as heard:
        channel = voice(heard.url, place, **changes)
        try:
            yield channel, heard
        finally:
            await channel.close()


def created(sid: str = MESSAGE_SID) -> servers.Talk:
    """Answer 201 as Twilio does for a message or call just made."""
    return servers.answering(201, body=json.dumps({"sid": sid, "status": "queued"}).encode())


def error(status: int, code: int, words: str = "Some words of Twilio's") -> servers.Talk:
    """Answer as Twilio does for what it does not take."""
    body = {"code": code, "message": words, "more_info": "", "status": status}
    return servers.answering(status, body=json.dumps(body).encode())


def form_of(request: bytes) -> dict[str, list[str]]:
    """Return the form that a recorded request carried."""
    return parse_qs(request.partition(b"\r\n\r\n")[2].decode(), keep_blank_values=True)


def signed(
    channel: str,
    kind: str,
    form: Mapping[str, str],
    query: Mapping[str, str] | None = None,
    token: str = TOKEN,
) -> Callback:
    """Return a callback to the dull deployment, signed."""
    url = deployment().callback_url(channel, kind)
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    callback = Callback(
        kind=kind,
        url=url,
        query=dict(query or {}),
        form={name: (value,) for name, value in form.items()},
        body=b"the form as it came",
    )
    signature = RequestValidator(token).compute_signature(url, dict(form))
    return replace(callback, headers={"x-twilio-signature": signature})
