"""`kentongan serve`: the service alone."""

import argparse
import errno
from collections.abc import Mapping
from importlib import import_module

from cli.configured import configured, needed
from cli.errors import CommandError, Exit
from cli.until_stopped import until_stopped


def serve(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Run the service until stopped."""
    run = configured(environ)
    needed(run, "redis_url", "secret_key", "public_url")
    service = import_module("service.main")
    try:
        return until_stopped(lambda stop: service.run(run.settings, run.environ, stop=stop))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        settings = run.settings
        raise CommandError(
            f"Port {settings.http_port} on {settings.http_host} cannot be used;"
            " set KENTONGAN_HTTP_PORT or KENTONGAN_HTTP_HOST.",
            Exit.USAGE,
        ) from None
