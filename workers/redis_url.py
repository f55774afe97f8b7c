"""Reading `KENTONGAN_REDIS_URL` and opening the pool that arq and we share.

arq's own reading does not percent-decode passwords, and its pool has no socket time-outs: a frozen
Redis would hang a worker for ever.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from arq.connections import ArqRedis
from redis.asyncio.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from typing_extensions import override

from workers.wire import pack, unpack

#: Seconds for a connect, and for any answer.
CONNECT_TIMEOUT = 2.0
SOCKET_TIMEOUT = 5.0


class RedisUrlError(ValueError):
    """The URL cannot be used; the message says how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAt:
    """Where Redis is. `sentinels` and `service` are set for Sentinel, `path` for a unix socket."""

    host: str = ""
    port: int = 6379
    path: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""


def parse(url: str) -> RedisAt:
    """Read `redis://`, `rediss://`, `unix://` and `sentinel://host:port,host:port/service[/db]`."""
    scheme, _, rest = url.partition("://")
    if scheme == "sentinel":
        return _parse_sentinel(rest)
    if scheme not in {"redis", "rediss", "unix"}:
        raise RedisUrlError("write it as redis://, rediss://, unix:// or sentinel://")
    parts = urlsplit(url)
    common: dict[str, Any] = {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }
    if scheme == "unix":
        database = parse_qs(parts.query).get("db", ["0"])[0]
        return RedisAt(path=unquote(parts.path), database=_number(database), **common)
    return RedisAt(
        host=parts.hostname or "localhost",
        port=_port(parts) or 6379,
        database=_number(parts.path.strip("/")),
        tls=scheme == "rediss",
        **common,
    )


def _parse_sentinel(rest: str) -> RedisAt:
    """Several hosts are no URL that the standard library reads, so this takes them apart itself."""
    credentials, at, places = rest.rpartition("@")
    hosts, _, path = places.partition("/")
    service, _, database = path.partition("/")
    if not service:
        raise RedisUrlError("name the master: sentinel://host:26379,host:26379/name")
    username, _, password = credentials.partition(":")
    sentinels = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return RedisAt(
        sentinels=tuple((one.hostname or "localhost", _port(one) or 26379) for one in sentinels),
        service=unquote(service),
        database=_number(database),
        username=unquote(username) or None if at else None,
        password=unquote(password) or None if at else None,
    )


def _port(place: SplitResult) -> int | None:
    try:
        return place.port
    except ValueError:
        raise RedisUrlError("its port is not a number up to 65535") from None


def _number(database: str) -> int:
    if database and not (database.isascii() and database.isdigit()):
        raise RedisUrlError("its database is not a number")
    return int(database or 0)


def open_redis(url: str) -> ArqRedis:
    """Return a client that connects when it is first used. Close it with `aclose()`."""
    at = parse(url)
    common: dict[str, Any] = {
        "db": at.database,
        "username": at.username,
        "password": at.password,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "health_check_interval": 10,
    }
    if at.sentinels:
        sentinel = Sentinel(list(at.sentinels), socket_timeout=CONNECT_TIMEOUT)
        pool: ConnectionPool = _WatchedPool(at.service, sentinel, **common)
    elif at.path:
        del common["socket_connect_timeout"]
        pool = ConnectionPool(connection_class=UnixDomainSocketConnection, path=at.path, **common)
    elif at.tls:
        pool = ConnectionPool(connection_class=SSLConnection, host=at.host, port=at.port, **common)
    else:
        pool = ConnectionPool(host=at.host, port=at.port, **common)
    redis = ArqRedis(connection_pool=pool, job_serializer=pack, job_deserializer=unpack)
    redis.auto_close_connection_pool = True  # a pool handed in is otherwise left to its maker
    return redis


class _WatchedPool(SentinelConnectionPool):
    """Closes the connections to the sentinels with its own."""

    def __init__(self, service: str, sentinel: Sentinel, **settings: Any) -> None:
        super().__init__(service, sentinel, **settings)  # type: ignore[no-untyped-call]  # redis-py

    @override
    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        for watcher in self.sentinel_manager.sentinels:
            await watcher.aclose()
