"""`kentongan simulator`: carriers that reach nobody."""

import argparse
from collections.abc import Mapping
from importlib import import_module

from cli.configured import configured, needed
from cli.errors import Exit
from cli.ports import claim
from cli.until_stopped import until_stopped
from kentongan.keyring import Keyring
from kentongan.practice import credentials
from simulator.settings import SimulatorSettings


def simulator(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Run the simulator until stopped; its book lies in the data folder and is found again."""
    run = configured(environ)
    needed(run, "secret_key")
    settings = run.settings
    port = claim("KENTONGAN_SIMULATOR_PORT", "127.0.0.1", settings.simulator_port)
    sid, token = credentials(Keyring([key.get_secret_value() for key in settings.secret_key]))
    carriers = import_module("simulator.main")
    book = run.data / "simulator.jsonl"
    book.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = SimulatorSettings(
        http_port=port,
        smtp_port=settings.simulator_smtp_port,
        account_sid=sid,
        auth_token=token,
        book_path=book,
    )
    return until_stopped(lambda stop: carriers.run(chosen, stop=stop))
