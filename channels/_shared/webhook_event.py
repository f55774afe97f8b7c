"""The event that a webhook's receiver reads, as JSON: compiled once, filled for each delivery."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kentongan.alert import Mode
from kentongan.message import Wording

#: Fields of ours that are particular to a delivery.
_OWN = frozenset({"delivery_id", "respond_url"})


@dataclass(frozen=True, slots=True)
class Compiled:
    """The body for everyone, up to where the particulars of a delivery go."""

    opening: bytes

    def filled(self, delivery_id: str, respond_url: str) -> bytes:
        """Return one delivery's body: the same bytes at every attempt."""
        page = _quoted(respond_url) if respond_url else "null"
        own = f',"delivery_id":{_quoted(delivery_id)},"respond_url":{page}}}}}'
        return self.opening + _encoded(own)


def compiled(wording: Wording) -> Compiled:
    """Write down all that is the same for everyone who reads this wording."""
    return Compiled(_json(_event(wording))[:-2])


def _event(wording: Wording) -> dict[str, object]:
    """Return the event, its `data` last. Our own fields win over what a caller structured."""
    return {
        "type": "alert.delivery",
        "timestamp": _instant(wording.accepted_at),
        "mode": wording.mode,
        "data": {
            **{name: value for name, value in wording.structured.items() if name not in _OWN},
            "alert_id": wording.alert_id,
            "mode": wording.mode,
            # A receiver that looks at nothing else must not take a test for the real thing either.
            "exercise": wording.mode is not Mode.ACTUAL,
            "type": wording.type,
            "severity": wording.severity,
            "headline": wording.headline,
            "text": wording.text,
            "locale": wording.locale,
            "options": [
                {"key": option.key, "label": option.label_in(wording.locale)}
                for option in wording.options
            ],
            "references": wording.references,
            "expires_at": _instant(wording.expires_at),
        },
    }


def _json(value: object) -> bytes:
    return _encoded(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain))


#: As `json.dumps` writes a text; it makes an encoder each time, which takes longer than the text.
_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate becomes a question mark


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return dict(value)
        case datetime():
            return _instant(value)
        case timedelta():
            return value.total_seconds()
        case Collection():
            return list(value)
        case _:
            return str(value)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
