"""`kentongan dead`: what was given up, and trying it again, past the service."""

import argparse
import asyncio
import json
from collections.abc import Mapping

from cli.configured import configured
from cli.errors import CommandError, Exit
from cli.on_ledger import ACTOR, on_ledger
from ledger import audit, dead_letters
from ledger.dead_letters import DeadLetter, Replayed, SetAside, Which
from ledger.engine import Db, Ledger

#: Dead letters a page, and those that one transaction tries again.
PAGE = 500


def list_dead(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print dead letters, the latest first, without addresses; those that stay say why."""
    which = _which(arguments)
    url = configured(environ).settings.database_url
    letters, aside = asyncio.run(on_ledger(url, lambda ledger: _all(ledger, which)))
    if arguments.json:
        told = [
            {
                "delivery": one.delivery.id,
                "alert": one.delivery.alert_id,
                "channel": one.delivery.channel,
                "reason": one.delivery.reason,
                "attempts": one.delivery.attempts,
                "hindrance": one.hindrance,
            }
            for one in letters
        ]
        print(json.dumps({"dead_letters": told, "alerts": [one.alert_id for one in aside]}))
        return Exit.DONE
    for alert in aside:
        print(f"{alert.alert_id}  expansion  poison{_stays(alert.hindrance)}")
    for one in letters:
        said = f"{one.delivery.id}  {one.delivery.channel}  {one.delivery.reason}"
        print(f"{said}{_stays(one.hindrance)}")
    return Exit.DONE


def replay(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Try again what fits; print how many, and what is left for which reason."""
    which = _which(arguments, arguments.delivery)
    if which == Which():
        sentence = "Say which: --delivery, --alert, --channel or --reason."
        raise CommandError(sentence, Exit.USAGE)
    url, even = configured(environ).settings.database_url, arguments.even_if_got
    done, left, begun = asyncio.run(
        on_ledger(url, lambda ledger: _replay_all(ledger, which, even_if_got=even))
    )
    if arguments.json:
        print(json.dumps({"replayed": done, "left": left, "alerts": begun}))
        return Exit.DONE
    print(f"{done} are tried again.")
    for alert_id in begun:
        print(f"The people of {alert_id} are looked for again.")
    for why, count in left.items():
        print(f"{count} stay: {why}.")
    return Exit.DONE


def _which(arguments: argparse.Namespace, delivery: str | None = None) -> Which:
    return Which(
        ids=[delivery] if delivery else (),
        alert=arguments.alert,
        channels=[arguments.channel] if arguments.channel else (),
        reasons=[arguments.reason] if arguments.reason else (),
    )


def _stays(hindrance: str | None) -> str:
    return f"  (stays: {hindrance})" if hindrance else ""


async def _all(ledger: Ledger, which: Which) -> tuple[list[DeadLetter], list[SetAside]]:
    found: list[DeadLetter] = []
    async with ledger.read() as db:
        aside = await dead_letters.set_aside(db, which)
    while True:
        before = found[-1].delivery.id if found else None
        async with ledger.read() as db:
            page = await dead_letters.page(db, which, before=before, limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found, aside


async def _replay_all(
    ledger: Ledger, which: Which, *, even_if_got: bool
) -> tuple[int, dict[str, int], list[str]]:
    count, begun = 0, list[str]()
    while True:
        async with ledger.write() as db:
            done = await dead_letters.replay(db, which, even_if_got=even_if_got, limit=PAGE)
            begun += await dead_letters.start_again(db, which) if which.alert else []
            await _note(db, done, begun, even_if_got=even_if_got)
        count += sum(done.by_alert.values())
        if not done.more:
            return count, {str(why): many for why, many in done.left.items()}, begun


async def _note(db: Db, done: Replayed, begun: list[str], *, even_if_got: bool) -> None:
    for alert_id in sorted({*done.by_alert, *begun}):
        await audit.add(
            db,
            actor=ACTOR,
            action="delivery.replay",
            subject=alert_id,
            detail={
                "deliveries": done.by_alert.get(alert_id, 0),
                "expansion": alert_id in begun,
                "even_if_got": even_if_got,
            },
        )
