"""The data folder: private, used by one `up` at a time, with keys that are made once."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CommandError, Exit


def prepare(data: Path) -> None:
    """Make the folder, or close the one that is there to others; raise `CommandError`."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
        (data / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"The data folder {data} cannot be used ({error.strerror});"
            " choose another with KENTONGAN_DATA_DIR.",
            Exit.USAGE,
        ) from None


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the folder for this process; raise `CommandError` if another `up` has it."""
    with (data / "up.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"Kentongan already runs in {data} (process {lock.read().strip() or 'unknown'});"
                " stop it, or choose another KENTONGAN_DATA_DIR.",
                Exit.USAGE,
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept at `path`, made and written owner-only the first time."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        secret = make()
    # Written aside and moved: a crash leaves no half of a key, and nobody sees it opened wider.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return secret
