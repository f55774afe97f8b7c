"""What becomes of the unknown after all asking: the whole table."""

from datetime import timedelta

import pytest

from kentongan.alert import Severity
from kentongan.channel import Repeat
from kentongan.settling import ASK_AFTER, LONGEST_OPEN, Resolution, decide

URGENT = (Severity.EXTREME, Severity.SEVERE)
REST = tuple(severity for severity in Severity if severity not in URGENT)
NOT_BEGUN, REPEAT, FAILED = Resolution.NOT_BEGUN, Resolution.REPEAT, Resolution.FAILED

#: (repeat, worker died, provider answered empty) → (severe and extreme, all else)
TABLE = {
    # Its worker died and the provider has nothing: it was never begun, on any channel.
    (Repeat.ALWAYS, True, True): (NOT_BEGUN, NOT_BEGUN),
    (Repeat.SAME_ID, True, True): (NOT_BEGUN, NOT_BEGUN),
    (Repeat.SEVERE, True, True): (NOT_BEGUN, NOT_BEGUN),
    (Repeat.NEVER, True, True): (NOT_BEGUN, NOT_BEGUN),
    # Nobody could be asked: webhooks and e-mails (under their id) repeat, sms by severity.
    (Repeat.ALWAYS, True, False): (REPEAT, REPEAT),
    (Repeat.SAME_ID, True, False): (REPEAT, REPEAT),
    (Repeat.SEVERE, True, False): (REPEAT, None),
    (Repeat.NEVER, True, False): (None, None),
    # It had begun, and the provider has nothing.
    (Repeat.ALWAYS, False, True): (REPEAT, REPEAT),
    (Repeat.SAME_ID, False, True): (REPEAT, FAILED),
    (Repeat.SEVERE, False, True): (REPEAT, FAILED),
    (Repeat.NEVER, False, True): (FAILED, FAILED),
    # It had begun, and nobody could be asked.
    (Repeat.ALWAYS, False, False): (REPEAT, REPEAT),
    (Repeat.SAME_ID, False, False): (REPEAT, None),
    (Repeat.SEVERE, False, False): (REPEAT, None),
    (Repeat.NEVER, False, False): (None, None),
}


@pytest.mark.parametrize("case", sorted(TABLE))
def test_every_unknown_is_decided_by_the_table(case: tuple[Repeat, bool, bool]) -> None:
    repeat, died, empty = case

    decided = tuple(
        {decide(repeat, one, worker_died=died, answered_empty=empty) for one in severities}
        for severities in (URGENT, REST)
    )

    assert decided == tuple({each} for each in TABLE[case])


def test_table_is_whole() -> None:
    assert len(TABLE) == len(Repeat) * 4


def test_call_is_never_repeated_unless_it_was_never_begun() -> None:
    repeats = {
        decide(Repeat.NEVER, severity, worker_died=died, answered_empty=empty)
        for severity in Severity
        for died in (True, False)
        for empty in (True, False)
    }

    assert REPEAT not in repeats


def test_last_question_comes_when_no_request_can_still_be_under_way() -> None:
    assert list(ASK_AFTER) == sorted(ASK_AFTER)
    assert ASK_AFTER[-1] - ASK_AFTER[0] > timedelta(seconds=12)  # a request over HTTP
    assert timedelta(seconds=55) < LONGEST_OPEN  # the longest job
