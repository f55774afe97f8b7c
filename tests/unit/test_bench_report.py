"""The bench's arithmetic: what a ratio is, when it holds, and what is written about it."""

import json
from pathlib import Path

import pytest

from bench.report import table, times_told, write, write_times
from bench.row import Better, Engine, Limits, Result, Row, Sample, result


def a_row(better: Better = Better.HIGHER, floor: float = 0.5, aim: float = 0.65) -> Row:
    return Row(
        name="webhook",
        unit="sends/CPU-s",
        better=better,
        limits=dict.fromkeys(Engine, Limits(floor=floor, aim=aim)),
    )


def a_result(ratio: float, row: Row | None = None, engine: Engine = Engine.SQLITE) -> Result:
    return result(row or a_row(), engine, [Sample(ours=ratio * 1000, theirs=1000)])


def test_ratio_is_the_median_of_the_alternations_and_not_the_ratio_of_medians() -> None:
    samples = [Sample(ours=1, theirs=4), Sample(ours=4, theirs=5), Sample(ours=6, theirs=10)]

    found = result(a_row(), Engine.SQLITE, samples)

    assert (found.ratio, found.ours, found.theirs) == (0.6, 4, 5)


def test_what_stands_beside_is_a_median_of_those_that_have_it() -> None:
    samples = [
        Sample(ours=1, theirs=1, beside={"wall s": 3, "database s": 1}),
        Sample(ours=1, theirs=1, beside={"wall s": 5}),
    ]

    found = result(a_row(), Engine.SQLITE, samples)

    assert found.beside == {"wall s": 4, "database s": 1}


@pytest.mark.parametrize(
    ("better", "ratio", "holds", "excels"),
    [
        (Better.HIGHER, 0.49, False, False),
        (Better.HIGHER, 0.5, True, False),
        (Better.HIGHER, 0.65, True, True),
        (Better.LOWER, 0.66, False, False),
        (Better.LOWER, 0.65, True, False),
        (Better.LOWER, 0.5, True, True),
    ],
)
def test_limits_themselves_are_good_enough(
    better: Better, ratio: float, *, holds: bool, excels: bool
) -> None:
    floor, aim = (0.5, 0.65) if better is Better.HIGHER else (0.65, 0.5)

    found = a_result(ratio, a_row(better, floor, aim))

    assert (found.holds, found.excels) == (holds, excels)


def test_nothing_to_compare_with_holds_no_floor() -> None:
    found = result(a_row(Better.LOWER), Engine.SQLITE, [Sample(ours=1, theirs=0)])

    assert not found.holds


def test_record_has_what_machines_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"

    write([a_result(0.6)], path, anew=True)

    assert json.loads(path.read_text(encoding="utf-8")) == [
        {
            "name": "webhook",
            "engine": "sqlite",
            "ratio": 0.6,
            "floor": 0.5,
            "aim": 0.65,
            "better": "higher",
            "ours": 600,
            "theirs": 1000,
            "unit": "sends/CPU-s",
        }
    ]


def test_page_has_a_line_for_each_record(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"

    write([a_result(0.6), a_result(0.7, engine=Engine.POSTGRESQL)], path, anew=True)

    _, _, *lines = path.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "| webhook | sqlite | 0.6 | 0.5 | 0.65 | 600 | 1,000 | sends/CPU-s |",
        "| webhook | postgresql | 0.7 | 0.5 | 0.65 | 700 | 1,000 | sends/CPU-s |",
    ]


def test_one_row_measured_again_leaves_the_others_written(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write([a_result(0.3), a_result(0.4, engine=Engine.POSTGRESQL)], path, anew=True)

    write([a_result(0.6)], path, anew=False)

    written = json.loads(path.read_text(encoding="utf-8"))
    assert {each["engine"]: each["ratio"] for each in written} == {
        "sqlite": 0.6,
        "postgresql": 0.4,
    }


def test_whole_run_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write([a_result(0.3), a_result(0.4, engine=Engine.POSTGRESQL)], path, anew=True)

    write([a_result(0.6)], path, anew=True)

    assert [each["ratio"] for each in json.loads(path.read_text(encoding="utf-8"))] == [0.6]


def test_table_says_what_is_below_its_floor() -> None:
    shown = table([a_result(0.4), a_result(0.6), a_result(0.7)])

    _, below, held, excelled = shown.splitlines()
    assert "BELOW" in below
    assert "floor" in held.split()
    assert "aim" in excelled.split()


def test_times_of_what_was_not_measured_again_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_times({"sms on sqlite": 12, "idle on sqlite": 30}, path, anew=True)

    write_times({"sms on sqlite": 11.26}, path, anew=False)

    written = json.loads(path.with_suffix(".times.json").read_text(encoding="utf-8"))
    assert written == {"sms on sqlite": 11.3, "idle on sqlite": 30}


def test_times_are_summed_up() -> None:
    told = times_told({"sms on sqlite": 12.4, "idle on sqlite": 30.3})

    assert told == "Seconds: sms on sqlite 12, idle on sqlite 30; all 43."
