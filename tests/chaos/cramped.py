"""A disk so small that it can be filled: a tmpfs, where mounting one is allowed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.ordeal import NotPossibleError

_SIZE = "600m"
_PIECE = b"\0" * 65536


class Disk:
    """A file system of its own at `folder`; close it to be rid of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        folder.parent.chmod(0o711)  # a server that runs as somebody else must get through
        argv = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=1777", "tmpfs", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotPossibleError(f"no small disk can be mounted here: {done.stderr.strip()}")
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filler.open("ab", buffering=0) as file:
            size = len(_PIECE)
            while size:
                try:
                    file.write(_PIECE[:size])
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    @contextmanager
    def as_temporary(self) -> Iterator[None]:
        """Let what is made in the block lie here."""
        before = tempfile.tempdir
        tempfile.tempdir = str(self.folder)
        try:
            yield
        finally:
            tempfile.tempdir = before

    def close(self) -> None:
        self.empty()
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
