"""`kentongan up`: everything on this machine as one process tree, nothing installed by hand."""

import argparse
import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cli import seed
from cli.configured import Configured, configured
from cli.db import migrate
from cli.errors import CommandError, Exit
from cli.folder import held, kept, prepare
from cli.ports import answers, claim, reachable
from cli.process import CannotStartError, Process, Program, ours, rotate
from cli.tree import Child, StartError, Tree
from cli.valkey import Valkey
from ledger import keys

_LOG_TAIL = 10  # lines of a child's log that explain why it did not start


def up(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Run until stopped; state lies in the data folder and is found again."""
    os.umask(0o077)  # for the children as well: whatever they write is ours alone
    data = configured(environ).data
    prepare(data)
    with held(data):
        key = kept(data / "dev.key", keys.new_secret)
        engine = None if _has(environ, "REDIS_URL") else _valkey(data, environ)
        complete = _complete(environ, data, engine)
        run = configured(complete)
        migrate(run)
        return _grow(run, _tree(run, complete, engine), key)


def _has(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(f"KENTONGAN_{name}") or environ.get(f"KENTONGAN_{name}_FILE"))


def _valkey(data: Path, environ: Mapping[str, str]) -> Valkey:
    try:
        return Valkey(data, environ)
    except CannotStartError as error:
        raise CommandError(str(error)) from None


def _complete(environ: Mapping[str, str], data: Path, engine: Valkey | None) -> dict[str, str]:
    """Return the environment of the children: the caller's, and all that it leaves open."""
    settings = configured(environ).settings
    host = reachable(settings.http_host)
    port = claim("KENTONGAN_HTTP_PORT", settings.http_host, settings.http_port)
    practice = claim("KENTONGAN_SIMULATOR_PORT", "127.0.0.1", settings.simulator_port)
    smtp = settings.simulator_smtp_port or (practice + 1 if settings.simulator_port else 0)
    smtp = claim("KENTONGAN_SIMULATOR_SMTP_PORT", "127.0.0.1", smtp)
    filled = {
        "KENTONGAN_DATA_DIR": str(data),
        "KENTONGAN_HTTP_PORT": str(port),
        "KENTONGAN_SIMULATOR_PORT": str(practice),
        "KENTONGAN_SIMULATOR_SMTP_PORT": str(smtp),
        "KENTONGAN_SIMULATOR_URL": f"http://127.0.0.1:{practice}",
    }
    if engine:
        filled["KENTONGAN_REDIS_URL"] = engine.url
    if not _has(environ, "SECRET_KEY"):
        kept(data / "secret.key", lambda: secrets.token_urlsafe(48))
        filled["KENTONGAN_SECRET_KEY_FILE"] = str(data / "secret.key")
    if not _has(environ, "PUBLIC_URL"):
        filled["KENTONGAN_PUBLIC_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return {**environ, **filled}


def _grow(run: Configured, tree: Tree, key: str) -> Exit:
    """Start everything, say so, and stay until someone asks us to stop."""
    with tree.listening():
        try:
            tree.start()
            if not tree.is_ending:
                seed.seed(run, key)
                print(_welcome(run, key), flush=True)
            tree.run()
        except StartError as error:
            raise CommandError(
                f"{error}{_tail(run.data / 'log' / f'{error.child.name}.log')}"
            ) from None
        finally:
            tree.stop()
    print("Kentongan has stopped.", file=sys.stderr)
    return Exit.DONE


def _tree(run: Configured, environ: Mapping[str, str], engine: Valkey | None) -> Tree:
    settings, folder = run.settings, run.data / "log"

    def process(name: str, *command: str, port: int = 0, path: str = "") -> Process:
        host = reachable(settings.http_host) if name == "service" else "127.0.0.1"
        log = folder / f"{name}.log"
        rotate(log)
        is_ready = partial(answers, host, port, path) if path else _at_once
        return Process(
            Program(
                name=name,
                argv=ours(*command),
                environ=environ,
                log=log,
                is_ready=is_ready,
            )
        )

    service = process("service", "serve", port=settings.http_port, path="/readyz")
    simulator = process("simulator", "simulator", port=settings.simulator_port, path="/livez")
    workers = [process(f"worker-{n + 1}", "worker") for n in range(settings.workers)]
    engines: list[Child] = [engine] if engine else []
    return Tree(
        starts=[engines, [simulator, service, *workers]],
        stops=[[service], workers, [simulator], engines],
    )


def _at_once() -> bool:
    return True


def _welcome(run: Configured, key: str) -> str:
    settings = run.settings
    here = f"http://{reachable(settings.http_host)}:{settings.http_port}"
    curl = (
        f"curl -sS {here}/v1/alerts -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(seed.EXAMPLE))}"
    )
    return f"""
Kentongan is ready; its carriers are simulated and reach nobody.

  address    {here}
  API key    {key}
  simulator  {settings.simulator_url}/messages  (what each person would have got)
  data       {run.data}  (logs in log/, this key in dev.key)

Warn the people of the example:

{curl}

Ctrl-C stops everything."""


def _tail(log: Path) -> str:
    """Return the end of a log, for a person who asks why."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
    except OSError:
        return ""
    return "".join(f"\n  {line[:300]}" for line in lines) + f"\n(from {log})"
