"""Ports: free ones, taken ones, and whether somebody answers there."""

import http.client
import socket
import time

from cli.errors import CommandError, Exit

#: What a killed run leaves behind is gone by then.
ORPHANS_LEAVE_WITHIN = 2.0


def claim(variable: str, host: str, port: int) -> int:
    """Return `port` once it is free, or a free one for 0; raise `CommandError` naming `variable`.

    Nothing holds the port afterwards: who wants it takes it next.
    """
    deadline = time.monotonic() + ORPHANS_LEAVE_WITHIN
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Port {port} on {host} cannot be used ({error.strerror});"
                    f" set {variable} to another one.",
                    Exit.USAGE,
                ) from None
            time.sleep(0.05)


def answers(host: str, port: int, path: str) -> bool:
    """Tell whether a GET of `path` is answered with 200 within a second."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """Return the address that reaches what is bound to `host` from this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - not bound
    return anywhere.get(host, host)


def _bound(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: a connection of the last run that lingers is no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        bound: int = probe.getsockname()[1]
        return bound
