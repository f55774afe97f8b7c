"""What an alert says on one channel in one locale: its own words there, drills marked."""

from kentongan.alert import Alert
from kentongan.clock import to_datetime
from kentongan.message import Wording
from templates.marking import mark


def wording_of(alert: Alert, channel: str, locale: str) -> Wording:
    """Return the words that `channel` prepares; drills are marked before any channel sees them."""
    words = alert.words[locale]
    own = alert.channel_words.get(channel, {}).get(locale)
    headline, text = mark(alert.mode, locale, words.headline, own or words.text)
    return Wording(
        alert_id=alert.id,
        mode=alert.mode,
        type=alert.type,
        severity=alert.severity,
        lane=alert.lane,
        locale=locale,
        headline=headline,
        text=text,
        options=alert.options,
        references=alert.references,
        accepted_at=to_datetime(alert.accepted_at),
        expires_at=to_datetime(alert.expires_at),
        structured={
            "urgency": alert.urgency.value,
            "certainty": alert.certainty.value,
            "category": list(alert.body.get("category", ())),
            "source": alert.source,
        },
    )
