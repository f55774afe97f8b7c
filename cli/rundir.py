"""Where a unix socket may lie: beside its data, or where that path is too long, in a short one."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

#: The kernel takes 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 99


class UnsafeFolderError(Exception):
    """A folder that others can write to or own; the message says which."""


def socket_path(folder: Path, name: str, environ: Mapping[str, str]) -> Path:
    """Return `folder/name` where the kernel can open it, else a stand-in of this folder's own.

    The stand-in is the same for the same folder, so that the next run finds it again.
    """
    beside = folder.resolve() / name
    if _is_short(beside):
        return beside
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    for base in _short_lived_folders(environ):
        stand_in = base / f"kentongan-{os.geteuid()}-{digest}"
        if _is_short(stand_in / name):
            return make_private(stand_in) / name
    raise UnsafeFolderError(
        f"No path for a unix socket is short enough: {beside} has more than"
        f" {LONGEST_SOCKET_PATH} bytes. Set XDG_RUNTIME_DIR to a short folder of yours."
    )


def make_private(folder: Path) -> Path:
    """Make a folder that only we may enter; refuse one that somebody else has put there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise UnsafeFolderError(f"{folder} is not a private folder of ours; remove it.")
    return folder


def _short_lived_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and os.access(runtime, os.W_OK | os.X_OK):
        yield runtime
    yield Path(tempfile.gettempdir())
    yield Path("/tmp")  # noqa: S108 - what lies there is checked to be ours and closed to others


def _is_short(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
