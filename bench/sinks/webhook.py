"""Other systems: every POST is answered 200. `python -m bench.sinks.webhook PORT [DELAY_MS]`."""

from bench.sinks.http import response, serve

_OK = response(b"200 OK")


def answer(_head: bytes, _body: bytes) -> bytes:
    return _OK


if __name__ == "__main__":
    serve(answer)
