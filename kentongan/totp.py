"""Six digits of a person's phone that change each half minute (RFC 6238: SHA-1, steps of 30 s)."""

import hmac
import re
import secrets
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

STEP = 30
DIGITS = 6
#: Steps before and behind ours whose codes are taken: clocks differ, and typing takes time.
_WINDOW = 1
#: 160 bits, as RFC 4226 advises; 32 letters of base32 without filling.
_SECRET_BYTES = 20
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def new_secret() -> str:
    """Return a fresh secret in base32, to be shown once."""
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def uri(secret: str, login: str, issuer: str) -> str:
    """Return what an authenticator takes, mostly as a QR code."""
    # Some authenticators show an issuer's `+` as it stands: blanks are written %20.
    told = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    label = f"{quote(issuer, safe='')}:{quote(login, safe='')}"
    return f"otpauth://totp/{label}?{told}&algorithm=SHA1&digits={DIGITS}&period={STEP}"


def counter_of(secret: str, code: str, now_s: float, after: int | None = None) -> int | None:
    """Return the step whose code this is, if it is near `now_s` and later than `after`.

    None: a wrong code, or one that was used. Keep what is returned, and give it as `after` the next
    time: a code then serves once, and so does every earlier one.
    """
    bare = code.replace(" ", "")
    if not _CODE.fullmatch(bare):
        return None
    found, now = None, int(now_s // STEP)
    for counter in range(now - _WINDOW, now + _WINDOW + 1):
        is_it = hmac.compare_digest(code_at(secret, counter), bare)
        if is_it and (after is None or counter > after):
            found = counter
    return found


def code_at(secret: str, counter: int) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    mac = hmac.digest(b32decode(secret), max(counter, 0).to_bytes(8, "big"), "sha1")
    at = mac[-1] & 0xF
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"
