"""What `kentongan doctor` looks at: each function asks one thing and says what it found."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from arq.connections import ArqRedis
from redis.exceptions import RedisError, ResponseError

from channels import AnyChannel, Providers, configured, discover
from cli.configured import Configured
from kentongan.channel import CannotAskError
from kentongan.deployment import Deployment
from kentongan.keyring import Keyring
from kentongan.settings import SettingsError
from ledger import migrate
from ledger.engine import Ledger, LedgerAwayError
from workers.redis_url import RedisUrlError, open_redis

#: A lease lasts 12 s and nothing is begun in its last second: two seconds of skew are no danger
#: yet, but a sign that no clock is kept.
SKEW_TOLERATED = 2.0
_PATIENCE = 5.0  # seconds for each question


class Verdict(StrEnum):
    FINE = "fine"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `away`: it could not be reached at all."""

    what: str
    verdict: Verdict
    said: str
    todo: str = ""
    away: bool = False


def fine(what: str, said: str) -> Finding:
    return Finding(what=what, verdict=Verdict.FINE, said=said)


def warning(what: str, said: str, todo: str) -> Finding:
    return Finding(what=what, verdict=Verdict.WARNING, said=said, todo=todo)


def fault(what: str, said: str, todo: str, *, away: bool = False) -> Finding:
    return Finding(what=what, verdict=Verdict.FAULT, said=said, todo=todo, away=away)


async def database(run: Configured) -> Sequence[Finding]:
    """Reachable, at this version's schema, with a clock like ours."""
    ledger = Ledger.open(run.settings.database_url, patience=_PATIENCE)
    try:
        before = time.time()
        theirs = await ledger.now() / 1e6
        ours = (before + time.time()) / 2
    except LedgerAwayError as error:
        todo = "Check KENTONGAN_DATABASE_URL, and that the database runs."
        return [fault("database", f"cannot be reached ({error})", todo, away=True)]
    finally:
        await ledger.close()
    return [fine("database", "answers"), await _schema(run), _clock(theirs - ours)]


async def _schema(run: Configured) -> Finding:
    found, needed = await migrate.current(run.settings.database_url), migrate.head()
    if found == needed:
        return fine("schema", f"at {found}")
    said = f"at {found or 'nothing'}, this version needs {needed}"
    return fault("schema", said, "Run `kentongan db upgrade`.")


def _clock(skew: float) -> Finding:
    if abs(skew) <= SKEW_TOLERATED:
        return fine("clock", f"{skew:+.2f} s from the database's")
    return warning(
        "clock",
        f"{skew:+.1f} s from the database's",
        "Keep both clocks with NTP (chrony, timesyncd).",
    )


async def redis(run: Configured) -> Sequence[Finding]:
    """Reachable, and set up to forget no job."""
    url = run.settings.redis_url
    if not url:
        todo = "Set KENTONGAN_REDIS_URL (`kentongan up` brings a Valkey of its own)."
        return [fault("redis", "is not set", todo)]
    try:
        client = open_redis(url)
    except RedisUrlError as error:
        return [fault("redis", f"cannot be used: {error}", "Mend KENTONGAN_REDIS_URL.")]
    try:
        await client.ping()
        return [fine("redis", "answers"), *[await _set(client, *each) for each in _REDIS_NEEDS]]
    except (RedisError, OSError) as error:
        todo = "Check KENTONGAN_REDIS_URL, and that Redis runs. Alerts are accepted meanwhile."
        return [fault("redis", f"cannot be reached ({type(error).__name__})", todo, away=True)]
    finally:
        await client.aclose()


_REDIS_NEEDS = (
    ("maxmemory-policy", "noeviction", "jobs are evicted when memory is short"),
    ("appendonly", "yes", "jobs are forgotten on a restart, and sending resumes late"),
)


async def _set(client: ArqRedis, name: str, wanted: str, else_: str) -> Finding:
    todo = f"CONFIG SET {name} {wanted}, and the same in redis.conf; else {else_}."
    try:
        found: Mapping[Any, Any] = await client.config_get(name)
    except ResponseError:  # managed services often forbid CONFIG
        return warning(name, "cannot be read", f"Make sure that it is {wanted}; else {else_}.")
    value = next((_text(value) for key, value in found.items() if _text(key) == name), "")
    return fine(name, value) if value == wanted else warning(name, f"is {value or 'unknown'}", todo)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def address(run: Configured) -> Sequence[Finding]:
    """The public URL is one that providers and people can call, and nobody can listen in on."""
    url = run.settings.public_url
    practising = bool(run.settings.simulator_url)
    todo = "Set KENTONGAN_PUBLIC_URL to the https:// address that providers and people can reach."
    if not url:
        return [fault("public URL", "is not set", todo)]
    local = (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}
    if local:
        only = "is this machine alone: real providers cannot report, and links in messages are dead"
        return [(warning if practising else fault)("public URL", only, todo)]
    if not url.startswith("https://"):
        return [
            warning("public URL", "is not https: reports and links can be read and forged", todo)
        ]
    return [fine("public URL", url)]


async def caps(run: Configured) -> Sequence[Finding]:
    """Something bounds how often a person is written to, what is spent, and where numbers are."""
    settings = run.settings
    bounds = {
        "KENTONGAN_PERSON_RATE": settings.person_rate,
        "KENTONGAN_SPEND_PER_DAY": settings.spend_per_day or settings.spend_per_month,
        "KENTONGAN_COUNTRIES": settings.countries,
    }
    unset = [name for name, value in bounds.items() if not value]
    if not unset or settings.simulator_url:
        return [fine("caps", "are set" if not unset else "are not needed for practice")]
    todo = "Set them, so that neither a loop nor a stolen key can do much; extreme alerts pass."
    return [warning("caps", f"are not all set: {', '.join(unset)}", todo)]


async def providers(run: Configured) -> Sequence[Finding]:
    """Each channel is configured, and its provider takes our credentials."""
    if not run.settings.secret_key:
        todo = "Set KENTONGAN_SECRET_KEY_FILE."
        return [fault("channels", "cannot be asked without a secret key", todo)]
    try:
        found = configured(run.environ, _deployment(run))
    except SettingsError as error:
        return [fault("channels", f"cannot be used: {error}", "Mend that setting.")]
    unused = sorted(
        name for name, kind in discover().items() if not kind.carries and name not in found
    )
    asked = await asyncio.gather(*(_provider(found, channel) for channel in found.every()))
    return [*asked, *map(_not_in_use, unused)]


def _not_in_use(name: str) -> Finding:
    return warning(f"channel {name}", "is not in use", "Set it, if this channel is wanted.")


async def _provider(every: Providers, channel: AnyChannel) -> Finding:
    alone = len(every.of(channel.channel)) == 1
    what = f"channel {channel.channel}" + ("" if alone else f", provider {channel.provider}")
    try:
        await asyncio.wait_for(channel.probe(), 2 * _PATIENCE)
    except (CannotAskError, TimeoutError) as error:
        said = f"its provider cannot be used ({str(error) or 'no answer in time'})"
        return fault(what, said, "Check its credentials and the way to it.", away=True)
    finally:
        await channel.close()
    return fine(what, "its provider answers")


def _deployment(run: Configured) -> Deployment:
    settings = run.settings
    return Deployment(
        organisation=settings.organisation,
        public_url=settings.public_url,
        locale=settings.default_locale,
        region=settings.default_region,
        countries=frozenset(settings.countries),
        keyring=Keyring([key.get_secret_value() for key in settings.secret_key]),
    )
