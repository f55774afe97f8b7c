"""Redis is reached wherever it is: TCP, TLS, a unix socket, behind sentinels."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.orphans import bound
from cli.valkey import binary
from tests.fakes import tls
from workers.queue import QUEUE_AWAY
from workers.redis_url import open_redis

PASSWORD = "p@ss/w:rd#%"


@asynccontextmanager
async def server(folder: Path, *settings: str, sentinel: bool = False) -> AsyncIterator[None]:
    """Run a Valkey with settings of its own; gone with the block."""
    file = folder / f"server-{len(list(folder.iterdir()))}.conf"
    file.write_text("\n".join(["save ''", *settings]) + "\n")
    argv: list[str | Path] = [binary(), file, *(["--sentinel"] if sentinel else [])]
    process = await asyncio.create_subprocess_exec(
        *bound(argv, signal.SIGKILL), cwd=folder, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def pong(url: str) -> bool:
    """Tell whether a server answers at `url` within a while."""
    async with asyncio.timeout(20):
        while True:
            redis = open_redis(url)
            try:
                return bool(await redis.ping())
            except (ConnectionError, FileNotFoundError, *QUEUE_AWAY) as error:
                if "CERTIFICATE" in str(error):
                    raise
                await asyncio.sleep(0.05)
            finally:
                await redis.aclose()


@pytest.fixture
def port(unused_tcp_port: int) -> int:
    return unused_tcp_port


async def test_password_is_percent_decoded_over_tcp_and_unix_sockets(
    tmp_path: Path, port: int
) -> None:
    socket = tmp_path / "a b.sock"
    settings = (
        *(f"port {port}", "bind 127.0.0.1", f'unixsocket "{socket}"', "databases 4"),
        f'user me on ">{PASSWORD}" ~* &* +@all',
    )
    me = f"me:{quote(PASSWORD, safe='')}"

    async with server(tmp_path, *settings):
        assert await pong(f"redis://{me}@127.0.0.1:{port}/3")
        assert await pong(f"unix://{me}@{quote(str(socket))}?db=3")


@asynccontextmanager
async def tls_before(port: int, made: tls.Certificate) -> AsyncIterator[int]:
    """Speak TLS for a server that cannot, as a proxy of a cloud does; yield where."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(4096):
                writer.write(some)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            inner, outer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pipe(reader, outer), pipe(inner, writer))

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=made.of_server())
    async with proxy:
        yield proxy.sockets[0].getsockname()[1]


async def test_tls_is_spoken_and_a_stranger_is_not_trusted(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tls.made_in(tmp_path)

    async with (
        server(tmp_path, f"port {port}", "bind 127.0.0.1"),
        tls_before(port, made) as secured,
    ):
        assert await pong(f"redis://127.0.0.1:{port}")
        with pytest.raises(QUEUE_AWAY, match="CERTIFICATE"):
            await pong(f"rediss://127.0.0.1:{secured}")
        monkeypatch.setenv("SSL_CERT_FILE", str(made.cert))
        assert await pong(f"rediss://127.0.0.1:{secured}")


async def test_master_is_found_through_sentinels(
    tmp_path: Path, port: int, unused_tcp_port_factory: Callable[[], int]
) -> None:
    other = unused_tcp_port_factory()
    watching = (
        *(f"port {other}", "bind 127.0.0.1", f"sentinel monitor main 127.0.0.1 {port} 1"),
        f'sentinel auth-pass main "{PASSWORD}"',
    )
    master = (f"port {port}", "bind 127.0.0.1", f'requirepass "{PASSWORD}"')

    async with server(tmp_path, *master), server(tmp_path, *watching, sentinel=True):
        redis_url = f"sentinel://:{quote(PASSWORD, safe='')}@127.0.0.1:9,127.0.0.1:{other}/main"
        assert await pong(redis_url)
