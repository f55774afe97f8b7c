"""`kentongan worker`: one worker alone."""

import argparse
from collections.abc import Mapping

from cli.configured import configured, needed
from cli.errors import Exit
from cli.until_stopped import until_stopped


def worker(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Run a worker until stopped."""
    run = configured(environ)
    needed(run, "redis_url", "secret_key", "public_url")
    from workers import loop, main  # noqa: PLC0415 - a help text should not wait for twilio

    return until_stopped(
        lambda stop: main.run(run.settings, run.environ, stop=stop), loop.waking_loop
    )
