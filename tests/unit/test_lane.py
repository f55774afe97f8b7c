"""What overtakes: extreme; severe and immediate; corrections."""

import pytest

from kentongan.alert import Lane, Severity, Urgency, lane_of

FLASH = {(Severity.EXTREME, urgency) for urgency in Urgency} | {
    (Severity.SEVERE, Urgency.IMMEDIATE)
}


@pytest.mark.parametrize("urgency", Urgency)
@pytest.mark.parametrize("severity", Severity)
def test_lane_follows_severity_and_urgency(severity: Severity, urgency: Urgency) -> None:
    flash = (severity, urgency) in FLASH

    assert (lane_of(severity, urgency, correction=False) is Lane.FLASH) is flash


@pytest.mark.parametrize("severity", Severity)
def test_correction_always_overtakes(severity: Severity) -> None:
    assert lane_of(severity, Urgency.PAST, correction=True) is Lane.FLASH
