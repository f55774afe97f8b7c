"""Receipts verified, kept and joined, against a bare handler that verifies and inserts one row."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bench.books import Books
from bench.children import listening
from bench.doors import ALTERNATIONS, bare_door, knock, per_cpu_second, port_of
from bench.people import texted
from bench.posting import request
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.world import ACCOUNT, SENDER, UnexpectedStateError, sms_through, standing
from kentongan.ids import AttemptRef

_RECEIPTS = 2000
_LOOK_EVERY = 0.02
_JOINED_WITHIN = 60.0


async def measure(bench: Bench) -> Samples:
    """Send texts once; then each turn brings the last report of some of them."""
    samples = []
    people = _RECEIPTS * (ALTERNATIONS + 1)
    with listening("bench.sinks.twilio", bench.folder) as sink:
        environ = sms_through(sink)
        token = environ["KENTONGAN_SMS_AUTH_TOKEN"]
        async with (
            standing(bench, environ=environ) as world,
            bare_door(bench, "receipts", world.database_url, token) as door,
        ):
            await world.gather(texted("all", people))
            alert = await world.send("all", "sms", people)
            told = await _reports(world.books, alert)
            for turn in range(ALTERNATIONS + 1):
                mine = told[turn * _RECEIPTS : (turn + 1) * _RECEIPTS]
                ours = _signed(mine, port_of(world), token)
                theirs = _signed(mine, door.port, token)
                async with world.measured() as took:
                    await knock(port_of(world), ours, 200)
                    await _until_joined(world.books)
                bare = await door.take(theirs, 200)
                if turn:  # the first has warmed both
                    samples.append(per_cpu_second(_RECEIPTS, took, bare))
            states = await world.books.states(alert)
            if states != {"delivered": people}:
                raise UnexpectedStateError(f"receipts: {states} of {people}")
    return {"receipts": samples}


#: The path of a report, and its form.
Report = tuple[str, Mapping[str, str]]


async def _reports(books: Books, alert: str) -> list[Report]:
    rows = await books.ask(
        "SELECT a.delivery_id, a.no, a.provider_id, d.address FROM attempts a"
        " JOIN deliveries d ON d.id = a.delivery_id WHERE a.alert_id = $1 ORDER BY d.id",
        alert,
    )
    return [_report(AttemptRef(delivery, no), sid, to) for delivery, no, sid, to in rows]


def _report(attempt: AttemptRef, sid: str, to: str) -> Report:
    form = {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": SENDER,
        "MessageSid": sid,
        "MessageStatus": "delivered",
        "RawDlrDoneDate": "2611241201",
        "SmsSid": sid,
        "SmsStatus": "delivered",
        "To": to,
    }
    return f"/callbacks/sms/status?d={attempt}&l=routine", form


def _signed(reports: Sequence[Report], port: int, token: str) -> list[bytes]:
    """Return the reports as Twilio posts them to `port`."""
    signer = RequestValidator(token)
    at = f"127.0.0.1:{port}"
    return [
        request(
            path,
            urlencode(form).encode(),
            {
                "Host": at,
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": signer.compute_signature(f"http://{at}{path}", form),
            },
        )
        for path, form in reports
    ]


async def _until_joined(books: Books) -> None:
    async with asyncio.timeout(_JOINED_WITHIN):
        while True:
            if not await books.ask("SELECT 1 FROM provider_events WHERE joined_at IS NULL LIMIT 1"):
                return
            await asyncio.sleep(_LOOK_EVERY)


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="receipts",
            unit="receipts/CPU-s",
            better=Better.HIGHER,
            limits=dict.fromkeys(Engine, Limits(floor=0.6, aim=0.8)),
        ),
    ),
    measure=measure,
)
