"""Tells Twilio's callbacks from forged ones.

https://www.twilio.com/docs/usage/webhooks/webhooks-security. The SDK's validator raises for several
kinds of malformed input, and with no form it accepts any body; so it is wrapped, and any doubt is a
forgery. It checks two spellings of the address, each octet in Python: what is signed as it came is
known for a tenth of that.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr
from twilio.request_validator import HMAC_SHA1, RequestValidator

from kentongan.channel import Callback, ForgedCallbackError

_SIGNATURE = "x-twilio-signature"
_SETTINGS = "x-twilio-webhooks-signature-settings"


def authenticate(callback: Callback, tokens: Sequence[SecretStr]) -> None:
    """Raise `ForgedCallbackError` unless one of the auth tokens signed this callback."""
    signature = callback.headers.get(_SIGNATURE, "")
    if not signature:
        raise ForgedCallbackError("it carries no signature")
    # Pinned: whoever could choose the algorithm could choose a weaker one.
    if not _names_only_sha1(callback.headers.get(_SETTINGS, "")):
        raise ForgedCallbackError("it is signed by an algorithm that we do not use")
    try:
        params = _signed_params(callback)
        if _is_signed_as_it_came(callback.url, params, signature, tokens):
            return
        known = [_signed_by(token, callback.url, params, signature) for token in tokens]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ForgedCallbackError("its signature cannot be checked") from error
    if not any(known):
        raise ForgedCallbackError("its signature is not Twilio's")


def _names_only_sha1(settings: str) -> bool:
    named = [part.split("=", 1) for part in settings.split(",") if "=" in part]
    return all(
        value.strip() == HMAC_SHA1 for name, value in named if name.strip().lower() == "algorithm"
    )


def _signed_params(callback: Callback) -> "str | _Form":
    """Return what the signature covers beside the URL: the form, or a body with its hash in it."""
    if callback.form or not callback.body:
        return _Form(callback.form)
    if "bodySHA256" not in parse_qs(urlsplit(callback.url).query):
        raise ForgedCallbackError("nothing signs its body")
    return callback.body.decode()


def _is_signed_as_it_came(
    url: str, params: "str | _Form", signature: str, tokens: Sequence[SecretStr]
) -> bool:
    """Tell whether a token signed this form at this very address: nearly always, one did."""
    if isinstance(params, str):
        return False
    said = (url + params.as_signed()).encode()
    made = [
        b64encode(hmac.digest(token.get_secret_value().encode(), said, "sha1")) for token in tokens
    ]
    return any(hmac.compare_digest(one, signature.encode()) for one in made)


def _signed_by(token: SecretStr, url: str, params: "str | _Form", signature: str) -> bool:
    validator = RequestValidator(token.get_secret_value())
    return bool(validator.validate(url, params, signature, HMAC_SHA1))


class _Form:
    """A form as the validator wants it, with every value of a repeated name."""

    def __init__(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        self._fields = fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def as_signed(self) -> str:
        """Return names and values in their order, as the signature covers them."""
        return "".join(
            name + value
            for name in sorted(self._fields)
            for value in sorted(set(self._fields[name]))
        )

    def getall(self, name: str) -> tuple[str, ...]:
        return self._fields[name]
