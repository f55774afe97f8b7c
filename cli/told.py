"""What `kentongan up` told its processes, for commands that look at them from beside.

The file is for its owner alone, like the keys it lies beside: it names the simulator's credentials.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path


def write(data: Path, filled: Mapping[str, str]) -> None:
    """Keep the settings that `up` filled in."""
    path = data / "up.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(filled), file, indent=1)


def read(data: Path) -> dict[str, str]:
    """Return what the last `up` in this folder filled in; nothing where there was none."""
    try:
        kept = json.loads((data / "up.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in kept.items()} if isinstance(kept, dict) else {}
