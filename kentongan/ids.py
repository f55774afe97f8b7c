"""Names for the things we keep: a prefix that says what, and a UUIDv7 that says when.

The 26 letters are the UUID's bytes in base32hex, lower case: they sort as the bytes do, so that
"after this id" means "made later", and they survive mail systems that fold case (VERP).
"""

import os
import time
from base64 import b32hexencode
from typing import NamedTuple, NewType, Self

from typing_extensions import override

AlertId = NewType("AlertId", str)
DeliveryId = NewType("DeliveryId", str)
PersonId = NewType("PersonId", str)
RecipientId = NewType("RecipientId", str)
PointId = NewType("PointId", str)
GroupId = NewType("GroupId", str)
KeyId = NewType("KeyId", str)
UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)

PREFIXES = {
    "alert": "alr_",
    "delivery": "dlv_",
    "person": "per_",
    "recipient": "rcp_",
    "point": "pnt_",
    "group": "grp_",
    "key": "key_",
    "user": "usr_",
    "session": "ses_",
    "event": "evt_",
    "inbound": "inb_",
    "import": "imp_",
    "worker": "wrk_",
    "audit": "aud_",
    "suppression": "sup_",
    "response": "rsp_",
}
TAIL_LENGTH = 26


def new_id(kind: str) -> str:
    """Return a fresh id of `kind`, a key of `PREFIXES`."""
    return PREFIXES[kind] + _tail()


def _tail() -> str:
    # RFC 9562, section 6.2, method 3: the 12 bits behind the milliseconds are the fraction of it,
    # so that ids made one after another in one process nearly always sort so.
    nanos = time.time_ns()
    millis, rest = divmod(nanos, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = (millis << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | random
    return b32hexencode(value.to_bytes(16, "big"))[:TAIL_LENGTH].decode().lower()


def new_ids(kind: str, count: int) -> list[str]:
    """Return fresh ids of `kind` in ascending order, as `new_id` makes them one by one.

    One look at the clock and one at the random source for all of them, and their letters are
    written column by column: a twentieth of the time. Each is a tick (a 4096th of a millisecond)
    later than the one before, which is sooner than whoever asked can have put it to use.
    """
    first = time.time_ns() * 4096 // 1_000_000
    page, turns = bytearray(), ((first & 4095) + count >> 12) + 1
    for millis in range(first >> 12, (first >> 12) + turns):
        line = PREFIXES[kind] + _digits(millis << 2 | 0b01, 10) + 16 * "." + "\n"
        within = min(first + count, millis + 1 << 12) - max(first, millis << 12)
        page += line.encode() * within
    head, random = len(PREFIXES[kind]) + 10, os.urandom(13 * count)
    ticks = slice(first & 4095, (first & 4095) + count)
    for at, digits in enumerate(_TICKS, head):
        page[at :: head + 17] = (digits * turns)[ticks]
    for no, digit_of in enumerate(_DIGIT_OF):
        some = random[no * count : (no + 1) * count]
        page[head + 3 + no :: head + 17] = some.translate(digit_of)
    return page.decode().split()


def _digits(value: int, count: int) -> str:
    return "".join(_DIGITS[value >> 5 * at & 31] for at in reversed(range(count)))


# Where the 26 digits of five bits have the parts of a UUIDv7: ten the milliseconds and half of the
# version; three the other half, the fraction and half of the variant; one the other half and four
# random bits; eleven random ones; and the last the three bits that are left of 128.
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
#: The three, each for all fractions.
_TICKS = [
    "".join(
        _DIGITS[(0b11 << 13 | fraction << 1 | 1) >> shift & 31] for fraction in range(4096)
    ).encode()
    for shift in (10, 5, 0)
]
#: The other thirteen, each for all random bytes.
_DIGIT_OF = [
    "".join(_DIGITS[byte & mask] for byte in range(256)).encode()
    for mask in (0b01111, *11 * (0b11111,), 0b11100)
]


def first_id(kind: str, millis: int) -> str:
    """Return what sorts before every id of `kind` that was made from `millis` (since 1970) on."""
    head = max(millis, 0).to_bytes(6, "big") + bytes(10)
    return PREFIXES[kind] + b32hexencode(head)[:TAIL_LENGTH].decode().lower()


def new_alert_id() -> AlertId:
    return AlertId(new_id("alert"))


def new_delivery_id() -> DeliveryId:
    return DeliveryId(new_id("delivery"))


def new_person_id() -> PersonId:
    return PersonId(new_id("person"))


class AttemptRef(NamedTuple):  # a key of many dictionaries: hashed and compared in C
    """One try at a delivery: (delivery, no), no counted from 1.

    As text (`06…c3.2`) it goes into StatusCallback URLs, ENVID and VERP, and comes back in
    receipts.
    """

    delivery_id: DeliveryId
    no: int

    @override
    def __str__(self) -> str:
        return f"{self.delivery_id.removeprefix('dlv_')}.{self.no}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; None for anything else (it comes from outside)."""
        tail, dot, no = text.partition(".")
        if not dot or len(tail) != TAIL_LENGTH or not tail.isascii() or not tail.isalnum():
            return None
        if not (no.isascii() and no.isdigit() and 0 < len(no) <= 4):
            return None
        return cls(DeliveryId("dlv_" + tail.lower()), int(no))
