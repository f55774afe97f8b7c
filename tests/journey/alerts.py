"""Alerts that journeys send, and whom to."""

from collections.abc import Sequence
from typing import Any

Point = dict[str, str]


def number(place: int, ends: str = "") -> str:
    """Return a number of nobody's; `ends` picks its magic, without it there is none."""
    if ends:
        return f"+62812{place:04d}{ends}"
    return f"+62812{place // 8000:04d}{2000 + place % 8000:04d}"


def an_alert(points: Sequence[Point], **changes: Any) -> dict[str, Any]:
    """Return the body of a dull, urgent alert to pasted points."""
    return {
        "mode": "actual",
        "severity": "extreme",
        "urgency": "immediate",
        "certainty": "observed",
        "text": {"en": "Water rises. Go uphill.", "id": "Air naik. Naiklah ke bukit."},
        "audience": {"points": list(points)},
        **changes,
    }


OPTIONS = [
    {"key": "1", "label": {"en": "Safe", "id": "Aman"}},
    {"key": "2", "label": {"en": "Need help", "id": "Butuh bantuan"}},
]
