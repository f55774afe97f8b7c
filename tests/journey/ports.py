"""Ports that stay ours while the server behind them is dead."""

import os
import random
import socket

#: Below what the kernel hands out to clients (32768 and up): a server that is killed must find its
#: port again, and a client's connection may have got it meanwhile.
_LOWEST, _HIGHEST = 20_000, 32_000

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses, and that this process gives to nobody else."""
    chance = random.Random(os.getpid() * 7919 + len(_given))
    found: list[int] = []
    while len(found) < count:
        port = chance.randrange(_LOWEST, _HIGHEST)
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
