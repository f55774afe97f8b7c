"""`kentongan up`: everything on this machine as one process tree, nothing installed by hand."""

import argparse
import json
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cli import carriers, seed, told
from cli.configured import Configured, configured
from cli.db import migrate
from cli.errors import CommandError, Exit
from cli.folder import held, kept, prepare
from cli.ports import answers, claim, reachable
from cli.process import CannotStartError, Process, Program, ours, rotate
from cli.tree import Child, StartError, Tree
from cli.valkey import Valkey
from kentongan.alert import Mode
from ledger import keys

_METRICS_PORT = "KENTONGAN_METRICS_PORT"
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
        seed.seed(run, key)
        welcome = partial(_welcome, run, key, _mode(environ))
        return _grow(run, _tree(run, complete, engine), welcome)


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
        filled["KENTONGAN_PUBLIC_URL"] = _url(settings.http_host, port)
    complete = {**environ, **filled}
    bounces = _port_near(smtp + 1 if settings.simulator_port else 0)
    filled |= carriers.pointed(environ, configured(complete).settings, bounces)
    told.write(data, filled)
    return {**environ, **filled}


def _port_near(port: int) -> int:
    """Return `port`, or any free one where somebody has it: nobody needs to know this one."""
    try:
        return claim("KENTONGAN_EMAIL_BOUNCE_LISTEN", "127.0.0.1", port)
    except CommandError:
        return claim("KENTONGAN_EMAIL_BOUNCE_LISTEN", "127.0.0.1", 0)


def _mode(environ: Mapping[str, str]) -> Mode:
    """Return the mode that the example is safe in.

    An exercise shows more (bounces come back, drills are marked), but goes where the channels
    lead; a test never leaves the simulator.
    """
    return Mode.TEST if carriers.theirs(environ) else Mode.EXERCISE


def _grow(run: Configured, tree: Tree, welcome: Callable[[], str]) -> Exit:
    """Start everything, say so, and stay until someone asks us to stop."""
    with tree.listening():
        try:
            tree.start()
            if not tree.is_ending:
                print(welcome(), flush=True)
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
    # One port cannot be shared: with `up`, the service alone has the metrics.
    environ = {name: value for name, value in environ.items() if name != _METRICS_PORT}
    workers = [process(f"worker-{n + 1}", "worker") for n in range(settings.workers)]
    engines: list[Child] = [engine] if engine else []
    return Tree(
        starts=[engines, [simulator, service, *workers]],
        stops=[[service], workers, [simulator], engines],
    )


def _at_once() -> bool:
    return True


def _welcome(run: Configured, key: str, mode: Mode) -> str:
    settings = run.settings
    here, bearer = _url(settings.http_host, settings.http_port), f"-H 'Authorization: Bearer {key}'"
    body = shlex.quote(json.dumps(seed.example(mode), separators=(",", ":")))
    return f"""
Kentongan is ready; {_carried_by(mode)}.

  address    {here}
  API key    {key}
  console    {here}/console{_first_login(run)}
  simulator  {settings.simulator_url}/messages  (what each person would have got)
  data       {run.data}  (logs in log/, this key in dev.key)

Warn the people of the example (mode {mode}):

curl -sS {here}/v1/alerts {bearer} -H 'Content-Type: application/json' -d {body}

See what became of it, with the id from the answer in place of ID:

curl -sS {here}/v1/alerts/ID {bearer}

Ctrl-C stops everything."""


def _first_login(run: Configured) -> str:
    """Make the first user, once all runs and it is shown at once: it is on the screen alone."""
    password = seed.first_admin(run)
    if password is None:
        return ""
    return f"\n             login {seed.FIRST_LOGIN}, password {password}  (once; then your own)"


def _url(bound: str, port: int) -> str:
    host = reachable(bound)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _carried_by(mode: Mode) -> str:
    if mode is Mode.EXERCISE:
        return "its carriers are simulated and reach nobody"
    return "you configured channels yourself: all but mode test goes to REAL people there"


def _tail(log: Path) -> str:
    """Return the end of a log, for a person who asks why."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
    except OSError:
        return ""
    return "".join(f"\n  {line[:300]}" for line in lines) + f"\n(from {log})"
