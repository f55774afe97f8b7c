"""What replies mean: the table of RFC 3463's and RFC 5321's codes, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels._shared.smtp_policy import LONGEST_DETAIL, Reply, Stage, classify, outcome_of
from kentongan.outcome import Deferred, Reason, Refused, Unknown

#: (reply, the command it answers, reason). The next two tables differ in what it becomes.
MAY_PASS = [
    ("450 4.2.0 greylisted", Stage.RCPT, Reason.BUSY),
    ("450 4.2.1 mailbox busy", Stage.RCPT, Reason.BUSY),
    ("450 4.7.1 greylisted", Stage.RCPT, Reason.THROTTLED),
    ("450 try later", Stage.RCPT, Reason.BUSY),
    ("451 4.3.0 local error", Stage.CONTENT, Reason.PROVIDER_TROUBLE),
    ("451 something", Stage.RCPT, Reason.PROVIDER_TROUBLE),
    ("452 4.2.2 mailbox full", Stage.RCPT, Reason.MAILBOX_FULL),
    ("452 4.3.1 disk full", Stage.MAIL, Reason.PROVIDER_TROUBLE),
    ("452 4.5.3 too many recipients", Stage.RCPT, Reason.THROTTLED),
    ("454 4.7.0 TLS not available", Stage.MAIL, Reason.THROTTLED),
    ("552 5.2.2 mailbox full", Stage.RCPT, Reason.MAILBOX_FULL),
    ("552 full", Stage.RCPT, Reason.MAILBOX_FULL),
]
WILL_NOT_PASS = [
    ("455 parameters", Stage.RCPT, Reason.DESTINATION),
    ("555 parameters", Stage.RCPT, Reason.DESTINATION),
    ("500 what", Stage.RCPT, Reason.BUG),
    ("501 5.5.4 syntax", Stage.RCPT, Reason.BUG),
    ("503 sequence", Stage.DATA, Reason.BUG),
    ("521 5.3.2 no mail here", Stage.RCPT, Reason.NO_ROUTE),
    ("556 5.1.10 null MX", Stage.RCPT, Reason.NO_ROUTE),
    ("552 5.3.4 too big", Stage.MAIL, Reason.CONTENT),
    ("552 too big", Stage.CONTENT, Reason.CONTENT),
    ("523 too big", Stage.CONTENT, Reason.CONTENT),
    ("550 5.1.1 no such user", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("550 5.1.2 bad domain", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("550 5.2.1 disabled", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("550 no such user", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("550 5.0.0 no such user", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("550 no", Stage.CONTENT, Reason.REJECTED),
    ("550 5.7.1 policy", Stage.RCPT, Reason.DESTINATION),
    ("550 5.7.26 DMARC", Stage.CONTENT, Reason.DESTINATION),
    ("554 5.7.25 no reverse DNS", Stage.RCPT, Reason.DESTINATION),
    ("551 not local", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("553 5.1.3 bad syntax", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("553 5.6.7 needs SMTPUTF8", Stage.RCPT, Reason.INVALID_ADDRESS),
    ("554 5.6.0 content", Stage.CONTENT, Reason.CONTENT),
]
#: Ours to mend; no delivery is charged for them.
OURS = [
    ("530 5.7.0 must issue STARTTLS", Stage.MAIL, Reason.ACCOUNT),
    ("530 5.7.1 authentication required", Stage.RCPT, Reason.ACCOUNT),
    ("534 5.7.9 mechanism too weak", Stage.LOGIN, Reason.ACCOUNT),
    ("535 5.7.8 bad credentials", Stage.LOGIN, Reason.ACCOUNT),
    ("538 5.7.11 encryption required", Stage.LOGIN, Reason.ACCOUNT),
    ("554 5.7.1 you are listed", Stage.CONNECT, Reason.ACCOUNT),
    ("550 5.7.1 sender not yours", Stage.MAIL, Reason.SENDER),
    ("553 5.1.8 sender domain does not exist", Stage.RCPT, Reason.SENDER),
    ("550 sender unknown", Stage.MAIL, Reason.SENDER),
    ("421 4.3.2 closing", Stage.RCPT, Reason.THROTTLED),
]


def reply(line: str) -> Reply:
    code, _, text = line.partition(" ")
    return Reply(int(code), text)


@pytest.mark.parametrize(("line", "stage", "reason"), MAY_PASS)
def test_what_may_pass_is_deferred(line: str, stage: Stage, reason: Reason) -> None:
    assert outcome_of(reply(line), stage, 3) == Deferred(reason, line)


@pytest.mark.parametrize(("line", "stage", "reason"), WILL_NOT_PASS)
def test_what_will_not_pass_is_refused(line: str, stage: Stage, reason: Reason) -> None:
    assert outcome_of(reply(line), stage, 3) == Refused(reason, line)


@pytest.mark.parametrize(("line", "stage", "reason"), OURS)
def test_faults_of_ours_are_charged_to_no_delivery(line: str, stage: Stage, reason: Reason) -> None:
    outcome = outcome_of(reply(line), stage, 3)

    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.counted, outcome.detail) == (reason, False, line)


@pytest.mark.parametrize("line", ["550 5.4.1 recipient rejected", "554 transaction failed"])
def test_refusals_that_relays_take_back_get_a_second_attempt(line: str) -> None:
    assert isinstance(outcome_of(reply(line), Stage.RCPT, 1), Deferred)
    assert isinstance(outcome_of(reply(line), Stage.RCPT, 2), Refused)


def test_enhanced_code_of_another_class_is_not_believed() -> None:
    assert Reply(450, "5.1.1 no such user").status == ""
    assert isinstance(outcome_of(Reply(450, "5.1.1 no such user"), Stage.RCPT, 1), Deferred)


@given(st.integers(200, 599), st.text(max_size=2000), st.sampled_from(Stage), st.integers(1, 9))
def test_every_reply_has_an_outcome_whose_words_are_fit_for_the_record(
    code: int, text: str, stage: Stage, no: int
) -> None:
    outcome = outcome_of(Reply(code, text), stage, no)

    assert isinstance(outcome, Deferred | Refused | Unknown)
    assert len(outcome.detail) <= LONGEST_DETAIL
    assert outcome.detail.isprintable()


@given(st.sampled_from("45"), st.integers(0, 999), st.integers(0, 999))
def test_every_enhanced_code_has_a_reason(kind: str, subject: int, detail: int) -> None:
    reason, may_pass = classify(f"{kind}.{subject}.{detail}")

    assert reason in Reason
    assert may_pass or kind == "5"
