"""Signs requests the way Twilio does: X-Twilio-Signature.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def sign(token: str, url: str, form: Iterable[tuple[str, str]] = ()) -> str:
    """Return the signature of a request to `url` (without its fragment) that carries `form`.

    The string signed is the URL and then every name and value, sorted by name and, where a name
    comes more than once, by its distinct values, with nothing between them.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
