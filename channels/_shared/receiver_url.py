"""The URL of a webhook receiver in its one normal form, and the forms that are refused.

One parser (yarl's) reads the URL here and in the HTTP client, so that the two cannot disagree
about which host is meant.
"""

import re

from yarl import URL

from channels._shared.allowed import Allowed
from channels._shared.reach import Reach, reach_of, read_address
from channels._shared.wire import Target
from kentongan.channel import AddressError

LONGEST_URL = 2048
_TOO_LONG = f"A URL may have at most {LONGEST_URL} characters, escapes included."

# yarl drops some of these in silence; what was dropped was not what the writer meant.
_NEVER_IN_URLS = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
#: An address in normal form: its server, and what is asked of it.
_NORMAL = re.compile(r"(https?://[a-z0-9._:\[\]-]+)/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
#: Servers that are kept.
_MOST_SERVERS = 10_000
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*{_LABEL}")
# The last label of a name is never a number (RFC 3696, section 2); of 127.1, 0x7f.1, 017700000001,
# 2130706433 it is, and resolvers read all of these as IPv4 addresses.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


class BlockedUrlError(AddressError):
    """The URL leads into a private network and is not allowed."""


def receiver_url(text: str, allowed: Allowed) -> URL:
    """Return the URL in normal form: IDNA host, no default port, no fragment, a path.

    Raises `AddressError` with the way to mend it. Looks no name up: what a name leads to is
    checked at the socket, each time.
    """
    url = _parsed(text)
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise AddressError("Write the whole address: https://host/path.")
    if url.user is not None or url.password is not None:
        raise AddressError("Leave user name and password out of the URL; the signature is proof.")
    host, port = _host(url.raw_host), url.port or 0
    if port == 0:
        raise AddressError("Port 0 cannot be called.")
    _refuse_private(url, host, port, allowed)
    normal = _normal(url, host)
    if len(str(normal)) > LONGEST_URL:
        raise AddressError(_TOO_LONG)
    return normal


class ReceiverUrls:
    """Reads addresses that `receiver_url` made, which ask no more than whether we may call there.

    What was answered for a server is kept: most receivers share theirs with others.
    """

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._permitted: set[str] = set()

    def read(self, address: str) -> Target:
        """Return whom to call; raises what `receiver_url` raises."""
        normal = _NORMAL.fullmatch(address)
        if normal and normal[1] in self._permitted and len(address) <= LONGEST_URL:
            server = normal[1]
            return Target(server, server.partition("://")[2], address[len(server) :])
        url = receiver_url(address, self._allowed)
        if normal and str(url) == address and len(self._permitted) < _MOST_SERVERS:
            self._permitted.add(normal[1])
        return Target.of(url)


def instead_of(address: str, base: URL) -> Target:
    """Return what below `base` stands in for `address`: itself where it is on the same server."""
    try:
        real = URL(address)
        same = real.origin() == base.origin()
        return Target.of(real if same else base / (real.raw_host or "unknown"))
    except (ValueError, TypeError):
        return Target.of(base / "unknown")


def _parsed(text: str) -> URL:
    stripped = text.strip()
    if len(stripped) > LONGEST_URL:
        raise AddressError(_TOO_LONG)
    if _NEVER_IN_URLS.search(stripped):
        raise AddressError("The URL has a blank, a backslash or an invisible character in it.")
    try:
        return URL(stripped)
    except (ValueError, TypeError):
        raise AddressError("This is no URL; write https://host/path.") from None


def _host(raw: str) -> str:
    """Return the host in normal form; raise `AddressError` for what a resolver might misread."""
    address = read_address(raw)
    if address is not None and "%" not in raw:
        return str(address)
    name = raw.lower().removesuffix(".")
    if not _HOST.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise AddressError("The host is neither a name nor an IP address in its usual form.")
    return name


def _refuse_private(url: URL, host: str, port: int, allowed: Allowed) -> None:
    address = read_address(host)
    if address is None:
        is_exempt = allowed.names(host, port)
        is_open = is_exempt or ("." in host and not host.endswith(".localhost"))
    else:
        is_exempt = allowed.has(address, port) and reach_of(address) is not Reach.NEVER
        is_open = allowed.permits(host, address, port)
    if not is_open:
        raise BlockedUrlError(
            "Addresses in private networks are called only when KENTONGAN_WEBHOOK_ALLOW names them."
        )
    if url.scheme != "https" and not is_exempt:
        raise AddressError("Use https; http is only for hosts that KENTONGAN_WEBHOOK_ALLOW names.")


def _normal(url: URL, host: str) -> URL:
    named = f"[{host}]" if ":" in host else host
    default = 443 if url.scheme == "https" else 80
    port = "" if url.port == default else f":{url.port}"
    query = f"?{url.raw_query_string}" if url.raw_query_string else ""
    return URL(f"{url.scheme}://{named}{port}{url.raw_path or '/'}{query}", encoded=True)
