"""`kentongan simulator`: carriers that reach nobody."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from channels import discover
from cli.configured import Configured, configured, needed
from cli.errors import Exit
from cli.ports import claim
from cli.until_stopped import until_stopped
from kentongan.keyring import Keyring
from kentongan.practice import credentials
from kentongan.settings import load
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
        **_ways_back(run),
    )
    return until_stopped(lambda stop: carriers.run(chosen, stop=stop))


def _ways_back(run: Configured) -> dict[str, Any]:
    """Return where people's replies and their mail servers' bounces go: to the service, if set.

    The simulator itself calls loopback addresses alone, whatever stands here.
    """
    ways: dict[str, Any] = {}
    if run.settings.public_url:
        ways["inbound_url"] = f"{run.settings.public_url}/callbacks/sms/inbound"
    if run.environ.get("KENTONGAN_EMAIL_BOUNCE_DOMAIN"):
        email = load(discover()["email"].settings_type, run.environ)
        host, _, port = str(getattr(email, "bounce_listen", "")).rpartition(":")
        ways |= {"bounce_host": host.strip("[]"), "bounce_port": int(port)}
    return ways
