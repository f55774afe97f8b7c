"""Every spelling of where Redis is; what cannot be used is said in one sentence."""

import pytest

from workers.redis_url import RedisAt, RedisUrlError, parse


@pytest.mark.parametrize(
    ("url", "at"),
    [
        ("redis://", RedisAt(host="localhost")),
        ("redis://cache", RedisAt(host="cache")),
        ("redis://cache:7000/3", RedisAt(host="cache", port=7000, database=3)),
        ("redis://[::1]:7000", RedisAt(host="::1", port=7000)),
        ("rediss://cache/", RedisAt(host="cache", tls=True)),
        (
            "redis://us%65r:p%40ss%2Fw%3Ard%25@cache",
            RedisAt(host="cache", username="user", password="p@ss/w:rd%"),
        ),
        ("redis://:secret@cache", RedisAt(host="cache", password="secret")),
        ("unix:///run/a%20b/v.sock?db=2", RedisAt(path="/run/a b/v.sock", database=2)),
        ("unix://:p%23w@/run/v.sock", RedisAt(path="/run/v.sock", password="p#w")),
        (
            "sentinel://one:1,two,three:3/main",
            RedisAt(sentinels=(("one", 1), ("two", 26379), ("three", 3)), service="main"),
        ),
        (
            "sentinel://[::1]:9/main",
            RedisAt(sentinels=(("::1", 9),), service="main"),
        ),
        (
            "sentinel://me:p%40ss@one/main/4",
            RedisAt(
                sentinels=(("one", 26379),),
                service="main",
                database=4,
                username="me",
                password="p@ss",
            ),
        ),
        (
            "sentinel://:secret@one/main",
            RedisAt(sentinels=(("one", 26379),), service="main", password="secret"),
        ),
    ],
)
def test_url_is_read(url: str, at: RedisAt) -> None:
    assert parse(url) == at


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "write it as"),
        ("cache:6379", "write it as"),
        ("http://cache", "write it as"),
        ("redis://cache:99999", "its port"),
        ("redis://cache:port", "its port"),
        ("redis://cache/first", "its database"),
        ("unix:///run/v.sock?db=first", "its database"),
        ("sentinel://one:26379", "name the master"),
        ("sentinel://one:x/main", "its port"),
        ("sentinel://one:99999/main", "its port"),
        ("sentinel://one/main/first", "its database"),
    ],
)
def test_bad_url_is_told_in_our_words(url: str, why: str) -> None:
    with pytest.raises(RedisUrlError, match=f"^{why}"):
        parse(url)
