"""What comes back to our return addresses is ours by its MAC, and is read for what it says."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels._shared.bounces import LONGEST_BOUNCE, receipt_of
from channels._shared.smtp_verp import parse_verp, verp_address
from channels.email import Email
from kentongan.channel import Callback, ForgedCallbackError
from kentongan.ids import AttemptRef, DeliveryId
from kentongan.keyring import Keyring
from kentongan.outcome import Reason
from kentongan.receipt import Receipt, ReceiptKind
from tests.fakes import mail

OURS = Path(__file__).parents[1] / "data" / "bounces"
ATTEMPT = AttemptRef(mail.DELIVERY, 1)
KEYRING = mail.deployment().keyring
DOMAIN = "bounce.example.id"
ADDRESS = verp_address(KEYRING, ATTEMPT, DOMAIN)


@pytest.fixture
def channel() -> Email:
    return Email(mail.settings(25, bounce_domain=DOMAIN), mail.deployment())


def bounce(body: bytes, to: str = ADDRESS) -> Callback:
    return Callback(kind="bounce", url="smtp:", query={"to": to}, body=body)


def ours(name: str) -> Receipt | None:
    return receipt_of((OURS / name).read_bytes(), ATTEMPT)


# Each: what it is, whether a later attempt may succeed, why, the code.
READ = {
    "failed-no-such-user.eml": (ReceiptKind.FAILED, False, Reason.INVALID_ADDRESS, "5.1.1"),
    "failed-generic-status.eml": (ReceiptKind.FAILED, False, Reason.INVALID_ADDRESS, "5.0.0"),
    "failed-mailbox-full.eml": (ReceiptKind.FAILED, True, Reason.MAILBOX_FULL, "5.2.2"),
    "failed-expired.eml": (ReceiptKind.FAILED, True, Reason.UNREACHABLE, "4.4.7"),
    "failed-policy.eml": (ReceiptKind.FAILED, False, Reason.DESTINATION, "5.7.26"),
    "prose-only.eml": (ReceiptKind.FAILED, False, Reason.INVALID_ADDRESS, "5.1.1"),
    "delayed.eml": (ReceiptKind.SENT, False, None, "4.4.1"),
    "relayed.eml": (ReceiptKind.SENT, False, None, "2.1.5"),
    "delivered.eml": (ReceiptKind.DELIVERED, False, None, "2.1.5"),
}


SILENT = {"vacation.eml", "out-of-office.eml", "complaint.eml", "person.eml"}


@pytest.mark.parametrize("name", READ)
def test_report_is_read_for_what_it_says(name: str, channel: Email) -> None:
    callback = bounce((OURS / name).read_bytes())

    channel.authenticate(callback)
    [read] = channel.receipts(callback)

    assert isinstance(read, Receipt)
    assert read.attempt == ATTEMPT
    assert (read.kind, read.transient, read.reason, read.code) == READ[name]


@pytest.mark.parametrize(
    "name", ["vacation.eml", "out-of-office.eml", "complaint.eml", "person.eml"]
)
def test_what_people_and_their_programs_answer_is_no_report(name: str) -> None:
    assert ours(name) is None


def test_every_sample_is_expected_to_be_something() -> None:
    assert {path.name for path in OURS.iterdir()} == SILENT | set(READ)


@given(st.binary(max_size=400))
def test_no_mail_makes_the_reader_raise(raw: bytes) -> None:
    receipt_of(raw, ATTEMPT)


@given(st.sampled_from(sorted(READ)), st.integers(0, 2000), st.binary(max_size=40))
def test_no_damage_to_a_report_makes_the_reader_raise(name: str, at: int, noise: bytes) -> None:
    raw = (OURS / name).read_bytes()

    receipt_of(raw[:at] + noise + raw[at + len(noise) :], ATTEMPT)


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(
            b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(2000)
        ),
        b"Content-Type: message/rfc822\n\n" * 5000,
        b"a" * (LONGEST_BOUNCE + 1),
        b"From: mailer-daemon\nSubject: " + b"undeliver " * 50_000,
        b"From: mailer-daemon\n\n" + b"mailbox " * 100_000,
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n%%%\n",
        b"From: =?x?q?y?=\nSubject: =?utf-8?b?a?=\n\n",
    ],
    ids=["nested", "letters in letters", "long", "subject", "prose", "base64", "words"],
)
def test_hostile_mail_is_survived(raw: bytes) -> None:
    receipt_of(raw, ATTEMPT)


# --- whose bounce it is ----------------------------------------------------------------------


def test_return_address_fits_a_mailbox_name_and_is_read_back_in_any_case() -> None:
    longest = AttemptRef(DeliveryId("dlv_" + "v" * 26), 9999)
    address = verp_address(KEYRING, longest, DOMAIN)

    assert len(address.partition("@")[0]) <= 64
    assert address == address.lower()
    for written in (address, address.upper(), f"<{address}>"):
        assert parse_verp(KEYRING, written) == longest


def test_old_key_still_knows_its_addresses() -> None:
    old = Keyring(["the old key, long enough to be one"])
    both = Keyring(["the new key, long enough to be one", "the old key, long enough to be one"])

    assert parse_verp(both, verp_address(old, ATTEMPT, DOMAIN)) == ATTEMPT


FORGED = [
    "", "b+", "@", "budi@example.id", f"b+{ATTEMPT}@{DOMAIN}", f"b+{ATTEMPT}-@{DOMAIN}",
    f"b+{ATTEMPT}-{'0' * 26}@{DOMAIN}", ADDRESS.replace(".1-", ".2-"), ADDRESS.replace("b+", "c+"),
    ADDRESS.replace("@", "x@"), ADDRESS[2:], ADDRESS.replace("-", "-é"),
    verp_address(Keyring(["a key of somebody else entirely"]), ATTEMPT, DOMAIN),
]  # fmt: skip


@pytest.mark.parametrize("to", FORGED)
def test_bounce_to_an_address_that_we_did_not_make_is_refused(to: str, channel: Email) -> None:
    callback = bounce((OURS / "failed-no-such-user.eml").read_bytes(), to)

    with pytest.raises(ForgedCallbackError):
        channel.authenticate(callback)
    assert channel.receipts(callback) == ()


def test_other_kinds_of_callback_are_refused(channel: Email) -> None:
    with pytest.raises(ForgedCallbackError):
        channel.authenticate(Callback(kind="status", url="https://x", query={"to": ADDRESS}))


# --- bounces of the wild ---------------------------------------------------------------------


def material() -> list[Path]:
    folder = os.environ.get("KENTONGAN_TEST_MATERIAL")
    found = sorted(Path(folder, "dsn", "maildir").glob("*/*.eml")) if folder else []
    if not found:
        pytest.skip("KENTONGAN_TEST_MATERIAL names no folder with dsn/maildir in it")
    return found


KIND_OF = {b"failed": "failed", b"delayed": "sent", b"delivered": "delivered", b"relayed": "sent"}


def test_real_bounces_with_a_machine_part_are_read_as_it_says() -> None:
    wrong, seen = [], 0
    for path in material():
        raw = path.read_bytes()
        action = re.search(rb"(?im)^Action:\s*([a-z]+)", raw)
        status = re.search(rb"(?im)^Status:\s*(\d\.\d+\.\d+)", raw)
        if action is None or status is None:
            continue
        seen += 1
        read = receipt_of(raw, ATTEMPT)
        told = KIND_OF.get(action[1].lower()), status[1].decode()
        if read is None or (read.kind, read.code) != told:
            wrong.append(path.name)

    assert seen >= 100
    assert len(wrong) <= seen * 0.05, wrong


def test_real_answering_machines_and_complaints_are_no_reports() -> None:
    silent = [path for path in material() if re.match(r"arf-|rfc3834|is-not", path.name)]

    assert len(silent) >= 10
    assert [path.name for path in silent if receipt_of(path.read_bytes(), ATTEMPT)] == []
    assert [receipt_of(path.read_bytes(), ATTEMPT) for path in material()]
