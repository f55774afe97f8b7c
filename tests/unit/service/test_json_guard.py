"""JSON that could mean two things, or more than we can hold, is refused with a 400."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.json_guard import MAX_DEPTH, check_json
from service.web.problems import ProblemError

BAD = {
    "nothing": b"",
    "not JSON": b"{",
    "two documents": b"{} {}",
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "infinite fraction": b'{"a": 1e999}',
    "integer of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "integer over 64 bits": b'{"a": 9223372036854775808}',
    "fraction of 5,000 digits": b'{"a": 0.' + b"1" * 5000 + b"}",
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "nested one too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "objects too deep": b'{"a":' * 40 + b"1" + b"}" * 40,
    "name twice": b'{"a": 1, "a": 2}',
    "name twice, escaped": b'{"a": 1, "\\u0061": 2}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "lone surrogate in a name": b'{"\\udc00": 1}',
    "NUL": b'{"a": "\\u0000"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "raw NUL": b'{"a": "\x00"}',
    "raw line break": b'{"a": "\n"}',
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-32": "{}".encode("utf-32"),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_dangerous_json_is_refused_and_the_answer_says_how_to_mend_it(raw: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        check_json(raw)

    assert refused.value.problem.status == 400
    assert refused.value.problem.fix


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"a": "\\ud83d\\ude00 \xf0\x9f\x98\x80"}',
        b'{"a": -9223372036854775807, "b": 1.5e300}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b' [{"a": 1}, {"a": 2}]\n',
    ],
)
def test_ordinary_json_passes(raw: bytes) -> None:
    check_json(raw)


@given(st.binary(max_size=200))
def test_any_bytes_pass_or_are_refused(raw: bytes) -> None:
    with suppress(ProblemError):
        check_json(raw)
        json.loads(raw)
