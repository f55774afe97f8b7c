"""Twilio's codes and words mean to us what our table of facts says."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels._shared.twilio_http import ReplyError
from channels._shared.twilio_policy import FAULT_OF, MOST_WORDS, meaning_of, outcome_of
from channels._shared.twilio_status import Said, is_machine, of_call, of_message
from kentongan.outcome import Deferred, Outcome, Reason, Refused, Unknown
from kentongan.receipt import Receipt, ReceiptKind

FACTS = Path(__file__).parents[1] / "data/twilio_error_policy.csv"


def facts() -> Iterator[tuple[int, str]]:
    with FACTS.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["code"] != "*":
                yield int(row["code"]), row["class"]


def reply(status: int, code: int | None = None, words: str = "") -> ReplyError:
    return ReplyError(status=status, code=code, words=words, retry_after=None)


def outcome(status: int, code: int | None = None) -> Outcome:
    return outcome_of(reply(status, code), ())


def test_table_holds_every_fact_and_nothing_else() -> None:
    assert {code: str(fault) for code, fault in FAULT_OF.items()} == dict(facts())


@pytest.mark.parametrize("code", FAULT_OF)
def test_every_known_code_means_something(code: int) -> None:
    assert meaning_of(code)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Refused(Reason.INVALID_ADDRESS, "21211 (HTTP 400)")),
        (400, 21610, Refused(Reason.OPTED_OUT, "21610 (HTTP 400)")),
        (400, 21612, Refused(Reason.NO_ROUTE, "21612 (HTTP 400)")),
        (400, 21617, Refused(Reason.CONTENT, "21617 (HTTP 400)")),
        (400, 21408, Refused(Reason.DESTINATION, "21408 (HTTP 400)")),
        (429, 63038, Refused(Reason.DAILY_LIMIT, "63038 (HTTP 429)")),
        (400, 12100, Refused(Reason.BUG, "12100 (HTTP 400)")),
        (400, 21606, Deferred(Reason.SENDER, "21606 (HTTP 400)", counted=False)),
        (401, 20003, Deferred(Reason.ACCOUNT, "20003 (HTTP 401)", counted=False)),
        (429, 20429, Deferred(Reason.THROTTLED, "20429 (HTTP 429)", counted=False)),
        (400, 21611, Deferred(Reason.THROTTLED, "21611 (HTTP 400)", counted=False)),
        (500, 20500, Unknown(Reason.SERVER_ERROR, "20500 (HTTP 500)")),
        (503, 21211, Unknown(Reason.SERVER_ERROR, "21211 (HTTP 503)")),
    ],
)
def test_answer_with_a_code_is_what_the_code_says(
    status: int, code: int, expected: Outcome
) -> None:
    assert outcome(status, code) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, Unknown(Reason.GARBLED_REPLY, "HTTP 301")),
        (400, Refused(Reason.REJECTED, "HTTP 400")),
        (401, Deferred(Reason.ACCOUNT, "HTTP 401", counted=False)),
        (403, Deferred(Reason.ACCOUNT, "HTTP 403", counted=False)),
        (404, Deferred(Reason.ACCOUNT, "HTTP 404", counted=False)),
        (408, Unknown(Reason.SERVER_ERROR, "HTTP 408")),
        (429, Deferred(Reason.THROTTLED, "HTTP 429", counted=False)),
        (502, Unknown(Reason.SERVER_ERROR, "HTTP 502")),
    ],
)
def test_answer_without_a_code_is_what_its_status_says(status: int, expected: Outcome) -> None:
    assert outcome(status) == expected


def test_unknown_code_of_a_refusal_refuses_that_message_alone() -> None:
    assert outcome(400, 99999) == Refused(Reason.REJECTED, "99999 (HTTP 400)")


def test_wish_to_wait_is_passed_on() -> None:
    asked = ReplyError(status=429, code=20429, words="", retry_after=timedelta(seconds=7))

    answered = outcome_of(asked, ())

    assert isinstance(answered, Deferred)
    assert answered.retry_after == timedelta(seconds=7)


@given(words=st.text(max_size=2000), status=st.integers(100, 999))
def test_detail_is_bounded_and_free_of_what_is_hidden(words: str, status: int) -> None:
    answered = outcome_of(reply(status, 21617, words + " sesame " + words), ["sesame", ""])

    assert not hasattr(answered, "detail") or len(answered.detail) <= MOST_WORDS
    assert "sesame" not in repr(answered)


def message(word: str, code: str = "") -> Receipt:
    return of_message(Said(word=word, code=code))


def call(word: str, answered_by: str = "", sip_code: str = "") -> Receipt:
    return of_call(Said(word=word, answered_by=answered_by, sip_code=sip_code))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("accepted", ReceiptKind.ACCEPTED),
        ("queued", ReceiptKind.QUEUED),
        ("sending", ReceiptKind.SENDING),
        ("sent", ReceiptKind.SENT),
        ("delivered", ReceiptKind.DELIVERED),
        ("read", ReceiptKind.READ),
        ("undelivered", ReceiptKind.FAILED),
        ("a word of next year", ReceiptKind.NONE),
    ],
)
def test_word_of_a_message_is_kept_beside_ours(word: str, kind: ReceiptKind) -> None:
    receipt = message(word)

    assert (receipt.kind, receipt.word) == (kind, word)


@pytest.mark.parametrize(
    ("word", "code", "reason", "transient"),
    [
        ("undelivered", "30003", Reason.UNREACHABLE, True),
        ("undelivered", "30017", Reason.CONGESTION, True),
        ("undelivered", "30005", Reason.INVALID_ADDRESS, False),
        ("undelivered", "30007", Reason.CONTENT, False),
        ("failed", "30036", Reason.EXPIRED, False),
        ("failed", "30002", Reason.ACCOUNT, True),
        ("failed", "30410", Reason.NO_REPLY, False),
        ("undelivered", "21610", Reason.OPTED_OUT, False),
        ("failed", "98765", Reason.REJECTED, True),
        ("undelivered", "98765", Reason.REJECTED, False),
        ("undelivered", "not a number", Reason.REJECTED, False),
        ("canceled", "", Reason.STOPPED, False),
    ],
)
def test_failed_message_says_why_and_whether_it_may_pass(
    word: str, code: str, reason: Reason, *, transient: bool
) -> None:
    receipt = message(word, code)

    assert receipt.kind is ReceiptKind.FAILED
    assert (receipt.reason, receipt.transient, receipt.code) == (reason, transient, code)


def test_word_or_code_of_any_length_is_kept_in_part() -> None:
    receipt = message("undelivered", "9" * 5000)

    assert receipt.reason is Reason.REJECTED
    assert "9" * 20 in receipt.code
    assert len(receipt.code) + len(message("x" * 5000).word) < 100


@pytest.mark.parametrize(
    ("word", "answered_by", "kind"),
    [
        ("queued", "", ReceiptKind.QUEUED),
        ("initiated", "", ReceiptKind.QUEUED),
        ("ringing", "", ReceiptKind.SENDING),
        ("in-progress", "", ReceiptKind.SENT),
        ("in-progress", "human", ReceiptKind.ANSWERED),
        ("completed", "human", ReceiptKind.ANSWERED),
        ("completed", "machine_start", ReceiptKind.MACHINE),
        ("completed", "machine_end_beep", ReceiptKind.MACHINE),
        ("completed", "fax", ReceiptKind.MACHINE),
        ("completed", "unknown", ReceiptKind.SENT),
        ("completed", "", ReceiptKind.SENT),
        ("busy", "", ReceiptKind.FAILED),
        ("a word of next year", "human", ReceiptKind.NONE),
    ],
)
def test_completed_call_was_heard_only_by_whom_it_is_said_to(
    word: str, answered_by: str, kind: ReceiptKind
) -> None:
    assert call(word, answered_by).kind is kind


@pytest.mark.parametrize(
    ("word", "sip_code", "reason", "transient"),
    [
        ("busy", "", Reason.BUSY, True),
        ("no-answer", "", Reason.NO_ANSWER, True),
        ("failed", "", Reason.REJECTED, True),
        ("failed", "404", Reason.INVALID_ADDRESS, False),
        ("canceled", "", Reason.STOPPED, False),
    ],
)
def test_failed_call_says_why_and_whether_it_may_pass(
    word: str, sip_code: str, reason: Reason, *, transient: bool
) -> None:
    receipt = call(word, sip_code=sip_code)

    assert (receipt.reason, receipt.transient) == (reason, transient)


def test_only_machines_are_machines() -> None:
    assert is_machine("machine_start")
    assert is_machine("fax")
    assert not is_machine("human")
    assert not is_machine("unknown")
    assert not is_machine("")
