"""CPU seconds and memory of processes, as the kernel counts them."""

import os
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
#: Where user, system, and those two of ended children stand in `stat`, counted behind the name.
_TIMES = slice(11, 15)


def cpu_of(*pids: int | None) -> float:
    """Return the CPU seconds of processes and all that they have started; None counts nothing."""
    return sum(_seconds(each) for pid in pids if pid is not None for each in _tree(pid))


def peak_memory(pid: int) -> int:
    """Return the most bytes that a process has had resident since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def forget_peak(pid: int) -> None:
    """Have the kernel take what a process has now for the most that it had."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _tree(pid: int) -> list[int]:
    found, at = [pid], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*/children"):
            found += map(int, _text(task).split())
        at += 1
    return found


def _seconds(pid: int) -> float:
    # What has ended was counted into its parent by the time the parent is read, or is missed once.
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[_TIMES])) * _TICK


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
