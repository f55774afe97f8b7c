"""What endurance runs make of what they saw: how soon work went on, and what is written down."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import report
from tests.chaos.judge import tardiness
from tests.chaos.ordeal import Limits
from tests.chaos.recovery import Recovery, gaps
from tests.chaos.report import Result


def a_result(**changes: Any) -> Result:
    dull: dict[str, Any] = {
        "name": "kills",
        "engine": "sqlite",
        "faults": 3,
        "deliveries": 100,
        "lost": 0,
        "doubled": 0,
        "unsettled": 0,
        "worst_recovery_s": 1.5,
        "seed": 7,
    }
    return Result(**{**dull, **changes})


@pytest.mark.parametrize(
    ("moments", "times", "found"),
    [
        ([10.0], [9.0, 12.0, 30.0], {0: 2.0}),  # until the first of what was waiting
        ([10.0], [9.0], {}),  # nothing was waiting
        ([10.0, 11.0], [12.0], {1: 1.0}),  # struck again before: the later one counts
        ([10.0, 20.0], [12.0, 25.0], {0: 2.0, 1: 5.0}),
        ([4.0], [9.0], {}),  # it was posted later
    ],
)
def test_recovery_is_the_time_from_a_fault_to_the_next_claim(
    moments: Sequence[float], times: Sequence[float], found: dict[int, float]
) -> None:
    assert gaps(moments, 5.0, times) == found


def test_what_took_too_long_is_told() -> None:
    was = Recovery(flash=12.0, routine=12.0, decided=50.0)
    limits = Limits(flash=10, routine=30, decided=60)

    assert list(tardiness(limits, was)) == ["flash work flowed again after 12.0 s, not 10"]


def test_file_keeps_the_rows_of_other_faults_and_engines(tmp_path: Path) -> None:
    path = tmp_path / "build" / "chaos.json"

    report.write([a_result(), a_result(engine="postgresql")], path)
    report.write([a_result(lost=1), a_result(name="redis")], path)

    found = {(row["name"], row["engine"]): row["lost"] for row in json.loads(path.read_text())}
    assert found == {
        ("kills", "sqlite"): 1,
        ("kills", "postgresql"): 0,
        ("redis", "sqlite"): 0,
    }


def test_a_row_that_does_not_hold_says_so() -> None:
    table = report.table([a_result(), a_result(name="redis", wrong=["1 deliveries are missing"])])

    assert [line.split()[-2] for line in table.splitlines()[1:]] == ["holds", "FAILS"]
