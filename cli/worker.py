"""`kentongan worker`: one worker alone."""

import argparse
from collections.abc import Mapping
from importlib import import_module

from cli.configured import configured, needed
from cli.errors import Exit
from cli.until_stopped import until_stopped


def worker(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Run a worker until stopped."""
    run = configured(environ)
    needed(run, "redis_url", "secret_key", "public_url")
    workers = import_module("workers.main")
    return until_stopped(lambda stop: workers.run(run.settings, run.environ, stop=stop))
