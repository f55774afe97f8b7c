"""Dull things that every channel is given: a deployment, a wording, an envelope, a gate."""

from asyncio import BaseTransport
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from kentongan.alert import AlertType, Lane, Mode, Option, Severity
from kentongan.deployment import Deployment, SimulatorAt
from kentongan.ids import AlertId, AttemptRef, DeliveryId, new_alert_id, new_delivery_id
from kentongan.keyring import Keyring
from kentongan.message import Envelope, Wording
from kentongan.outcome import NotBegunError, Reason

#: Planted wherever a channel gets a secret or a text; wherever else they show up, they have leaked.
SECRET = "canary-secret-key-0123456789abcdef"
TOKEN = "canary-token-0123456789abcdef0123"
TEXT = "canary words: the river rises"
HEADLINE = "canary headline"

ACCEPTED_AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def deployment(*secrets: str) -> Deployment:
    return Deployment(
        organisation="Semarang Flood Watch",
        public_url="https://warn.example.org",
        locale="id",
        region="ID",
        countries=frozenset(),
        keyring=Keyring(secrets or (SECRET,)),
    )


def simulator_at(url: str, smtp_port: int) -> SimulatorAt:
    """Anything on loopback that stands where the simulator would."""
    return SimulatorAt(
        url=url,
        smtp_host="127.0.0.1",
        smtp_port=smtp_port,
        account_sid="AC" + "0" * 32,
        auth_token=TOKEN,
    )


def wording(**changes: Any) -> Wording:
    dull: dict[str, Any] = {
        "alert_id": new_alert_id(),
        "mode": Mode.ACTUAL,
        "type": AlertType.ALERT,
        "severity": Severity.SEVERE,
        "lane": Lane.FLASH,
        "locale": "en",
        "headline": HEADLINE,
        "text": TEXT,
        "accepted_at": ACCEPTED_AT,
        "expires_at": ACCEPTED_AT + timedelta(hours=2),
        "structured": {"category": ["met"], "urgency": "immediate", "certainty": "observed"},
    }
    return Wording(**dull | changes)


def envelope(address: str, **changes: Any) -> Envelope:
    dull: dict[str, Any] = {
        "attempt": AttemptRef(new_delivery_id(), 1),
        "address": address,
        "name": "Siti",
        "lane": Lane.FLASH,
        "remaining": 3600.0,
        "response_url": "https://warn.example.org/r/token",
    }
    return Envelope(**dull | changes)


@dataclass
class CountingGate:
    """Lets pass, or stops with a reason, and counts how often it was asked."""

    stops_with: Reason | None = None
    asked: int = 0

    async def __call__(self, _transport: BaseTransport | None) -> None:
        self.asked += 1
        if self.stops_with is not None:
            raise NotBegunError(self.stops_with)


def _options() -> st.SearchStrategy[tuple[Option, ...]]:
    label = st.dictionaries(st.sampled_from(["en", "id", "jv"]), st.text(max_size=20), min_size=1)
    option = st.builds(Option, key=st.sampled_from("123456789"), label=label)
    return st.lists(option, max_size=3, unique_by=lambda each: each.key).map(tuple)


def wordings() -> st.SearchStrategy[Wording]:
    """Wordings that a template can produce, and worse: nothing here has been cleaned."""
    words = st.text(alphabet=st.characters(codec=None), max_size=300)
    leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    return st.builds(
        Wording,
        alert_id=st.just(AlertId("alr_" + "0" * 26)),
        mode=st.sampled_from(Mode),
        type=st.sampled_from(AlertType),
        severity=st.sampled_from(Severity),
        lane=st.sampled_from(Lane),
        locale=st.sampled_from(["en", "id", "id-ID", "ar", "xx", ""]),
        headline=words,
        text=words,
        options=_options(),
        references=st.lists(st.builds(new_alert_id), max_size=2).map(tuple),
        accepted_at=st.just(ACCEPTED_AT),
        expires_at=st.just(ACCEPTED_AT + timedelta(hours=2)),
        structured=st.dictionaries(
            st.text(max_size=10), leaves | st.lists(leaves, max_size=3), max_size=4
        ),
    )


def envelopes(address: str) -> st.SearchStrategy[Envelope]:
    """Envelopes for one address, or for one that never passed a check."""
    anything = st.text(alphabet=st.characters(codec=None), max_size=60)
    return st.builds(
        Envelope,
        attempt=st.builds(AttemptRef, st.just(DeliveryId("dlv_" + "0" * 26)), st.integers(1, 99)),
        address=st.just(address) | anything,
        name=anything,
        lane=st.sampled_from(Lane),
        remaining=st.floats(10, 86400),
        response_url=st.just("") | st.just("https://warn.example.org/r/token"),
    )
