"""`kentongan version`."""

import argparse
import json
import platform
from collections.abc import Mapping

from cli.errors import Exit
from kentongan import __version__


def version(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> Exit:
    """Print which version this is, and which Python runs it."""
    python = platform.python_version()
    if arguments.json:
        print(json.dumps({"version": __version__, "python": python}))
    else:
        print(f"kentongan {__version__} (Python {python})")
    return Exit.DONE
