"""The words of the bench's mail, framed as ours are, with URL where a person's link goes."""

from datetime import UTC, datetime

from channels._shared.smtp_frame import framed, html_of, text_of
from kentongan.alert import AlertType, Lane, Mode, Severity
from kentongan.ids import AlertId
from kentongan.message import Option, Wording

_WORDING = Wording(
    alert_id=AlertId("alr_" + "0" * 26),
    mode=Mode.ACTUAL,
    type=AlertType.ALERT,
    severity=Severity.MODERATE,
    lane=Lane.ROUTINE,
    locale="en",
    headline="High tide tonight",
    text="The sea rises by 40 cm from nine o'clock. Move vehicles to higher ground.",
    options=(
        Option(key="1", label={"en": "Safe", "id": "Aman"}),
        Option(key="2", label={"en": "Need help", "id": "Butuh bantuan"}),
    ),
    accepted_at=datetime(2026, 2, 3, tzinfo=UTC),
    expires_at=datetime(2026, 2, 4, tzinfo=UTC),
)
_FRAMED = framed(_WORDING, "Kentongan", url="URL", name="Person")

TEXT = text_of(_FRAMED)
HTML = html_of(_FRAMED)
