"""The JSON in which the provider shows accounts, messages and calls."""

from email.utils import formatdate
from functools import lru_cache
from typing import Any

from kentongan.segments import count
from simulator.book import Record
from simulator.carrier import API
from simulator.faults import MEANING


def account(sid: str) -> dict[str, Any]:
    """Return an account that is active; its token is never shown."""
    uri = f"/{API}/Accounts/{sid}"
    return {
        "sid": sid,
        "owner_account_sid": sid,
        "friendly_name": "Simulator",
        "status": "active",
        "type": "Full",
        "auth_token": None,
        "date_created": _moment(0),
        "date_updated": _moment(0),
        "uri": f"{uri}.json",
        "subresource_uris": {"messages": f"{uri}/Messages.json", "calls": f"{uri}/Calls.json"},
    }


def message(sid: str, record: Record) -> dict[str, Any]:
    """Return a message as create, fetch and list show it."""
    uri = f"/{API}/Accounts/{sid}/Messages/{record.id}"
    is_kept = record.params.get("ContentRetention") != "discard"
    is_reply = "InReplyTo" in record.params
    sent_at = record.since("sent", "delivered", "undelivered")
    return {
        "account_sid": sid,
        "api_version": API,
        "body": record.text if is_kept else "",
        "date_created": _moment(record.at),
        "date_sent": _moment(sent_at) if sent_at else None,
        "date_updated": _moment(record.updated_at),
        "direction": "outbound-reply" if is_reply else "outbound-api",
        "error_code": record.code or None,
        "error_message": MEANING.get(record.code) if record.code else None,
        "from": None if record.status == "accepted" else record.sender,
        "messaging_service_sid": record.params.get("MessagingServiceSid"),
        "num_media": "0",
        "num_segments": str(count(record.text).segments),
        "price": None,
        "price_unit": "USD",
        "sid": record.id,
        "status": record.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": record.to,
        "uri": f"{uri}.json",
    }


def call(sid: str, record: Record) -> dict[str, Any]:
    """Return a call as create, fetch and list show it."""
    uri = f"/{API}/Accounts/{sid}/Calls/{record.id}"
    started = record.since("in-progress")
    ended = record.since("completed", "busy", "failed", "no-answer", "canceled")
    return {
        "account_sid": sid,
        "answered_by": record.answered_by or None,
        "api_version": API,
        "caller_name": None,
        "date_created": _moment(record.at),
        "date_updated": _moment(record.updated_at),
        "direction": "outbound-api",
        "duration": str(record.duration) if ended else None,
        "end_time": _moment(ended) if ended else None,
        "forwarded_from": None,
        "from": record.sender,
        "from_formatted": record.sender,
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": record.id,
        "start_time": _moment(started) if started else None,
        "status": record.status,
        "subresource_uris": {"events": f"{uri}/Events.json"},
        "to": record.to,
        "to_formatted": record.to,
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


def _moment(at: float) -> str:
    return _rfc2822(int(at))


@lru_cache(maxsize=64)
def _rfc2822(at: int) -> str:
    """Twilio writes +0000, where Python would write -0000 for "UTC, zone unknown"."""
    return formatdate(at).replace("-0000", "+0000")
