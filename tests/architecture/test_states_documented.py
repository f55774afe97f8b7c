"""Every state and reason that anybody is shown is explained in docs/states.md."""

from enum import StrEnum
from pathlib import Path

import pytest

from kentongan.alert import AlertState
from kentongan.delivery import Cause, PersonState, State
from kentongan.outcome import Reason

STATES = Path(__file__).parents[2] / "docs" / "states.md"


@pytest.mark.parametrize("closed_set", [AlertState, State, PersonState, Cause, Reason])
def test_every_value_is_explained(closed_set: type[StrEnum]) -> None:
    text = STATES.read_text(encoding="utf-8")

    assert [value for value in closed_set if f"`{value}`" not in text] == []
