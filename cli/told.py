"""What `kentongan up` told its processes, for commands that look at them from beside.

The file is for its owner alone, like the keys it lies beside: it names the simulator's credentials.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from cli.configured import configured


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


def as_up_has_it(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Look at a running `kentongan up` as its own processes do, unless told where to look."""
    kept = read(configured(environ).data)
    given = {name.removesuffix("_FILE") for name in environ}
    return {
        **{name: value for name, value in kept.items() if name.removesuffix("_FILE") not in given},
        **environ,
    }
