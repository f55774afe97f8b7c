"""What of Twilio's REST API a text needs. `python -m bench.sinks.twilio PORT [DELAY_MS]`."""

from itertools import count

from bench.sinks.http import response, serve

_SIDS = count(1)
_NOTHING = response(b"404 Not Found", b'{"code":20404,"message":"none","status":404}')
_UP = response(b"200 OK", b"{}")
_RECORD = b'{"sid":"SM%032x","status":"queued","error_code":null,"num_segments":"1"}'


def answer(head: bytes, _body: bytes) -> bytes:
    """Take each message; know of none."""
    if head.startswith(b"POST"):
        return response(b"201 Created", _RECORD % next(_SIDS))
    return _UP if head.startswith(b"GET /livez") else _NOTHING


if __name__ == "__main__":
    serve(answer)
