"""One installation as a whole: real processes on a real ledger, with carriers that reach nobody."""

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from cli import simulator_book
from kentongan.access import Role
from kentongan.keyring import Keyring
from kentongan.practice import credentials
from ledger import keys
from ledger.check import check
from ledger.check_book import Comparison, Entry, compare
from ledger.engine import Ledger
from tests.fakes.processes import Processes
from tests.fakes.valkey import PrivateValkey
from tests.journey.alerts import Point, number
from tests.journey.client import Answer, Client
from tests.journey.ports import free_ports

T = TypeVar("T")

SECRET = "a secret key of the journeys that is long enough"
#: Texts of ours come from here, and go back to here.
OURS = "+15005550006"
_LOOK_EVERY = 0.2
#: States of a delivery that we ourselves shall change.
OPEN = frozenset({"waiting", "sending", "unknown"})
#: Those of who was told. Carriers repeat a report for 15 seconds; what was lost for longer is asked
#: for after two minutes, which no journey waits for.
HANDED_OVER = frozenset({"accepted", "sent", "delivered"})


class World:
    """A service, workers and the simulator, none of them started; close it to be rid of all."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        """`settings` are further variables of all processes, and go before those of journeys."""
        self.database_url = database_url
        #: Whether the last journey found the books in balance; if not, another world is made.
        self.is_sound = True
        self._numbers = 0
        self._since = 0
        self.valkey = PrivateValkey.running()
        keyring = Keyring([SECRET])
        self._keyring = keyring
        http, carrier, smtp, bounces = free_ports(4)
        self.url, self.carrier_url = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{carrier}"
        environ = {
            "KENTONGAN_DATABASE_URL": database_url,
            "KENTONGAN_REDIS_URL": self.valkey.url,
            "KENTONGAN_DATA_DIR": str(folder / "data"),
            "KENTONGAN_SECRET_KEY": SECRET,
            "KENTONGAN_PUBLIC_URL": self.url,
            "KENTONGAN_HTTP_PORT": str(http),
            "KENTONGAN_SIMULATOR_PORT": str(carrier),
            "KENTONGAN_SIMULATOR_SMTP_PORT": str(smtp),
            "KENTONGAN_SIMULATOR_URL": self.carrier_url,
            **_channels(keyring, self.carrier_url, smtp, bounces),
            **settings,
        }
        self.processes = Processes(folder / "log", environ)
        self.simulator = self.processes.simulator()
        self.service = self.processes.serve()
        self.workers = [self.processes.worker(), self.processes.worker()]
        self.key = keys.new_secret()
        self.api = Client(self.url, self.key)
        self.carrier = Client(self.carrier_url)

    def start(self) -> Self:
        """Bring everything up; return when alerts are taken."""
        waited_for(self._make_key())
        for running in (self.simulator, self.service, *self.workers):
            running.start()
        for running in (self.simulator, self.service):
            running.wait_until_ready()
        for worker in self.workers:
            worker.wait_until_logged('"ready"')
        return self

    def begin(self) -> None:
        """Begin another journey: carriers behave, and what people got before is put aside."""
        self.is_sound = False
        self.behave(delay=0)
        self._since = self.carrier.get("/livez")["records"]

    def texts(self, count: int) -> list[Point]:
        """Return contact points of people who get texts; nobody had them before."""
        first, self._numbers = self._numbers, self._numbers + count
        numbers = (number(place) for place in range(first, first + count))
        return [{"channel": "sms", "address": each} for each in numbers]

    def calls(self, count: int) -> list[Point]:
        """The same for calls."""
        return [{**each, "channel": "voice"} for each in self.texts(count)]

    async def _make_key(self) -> None:
        ledger = Ledger.open(self.database_url)
        try:
            await keys.ensure(ledger, self.key, name="journeys", role=Role.ADMIN)
        finally:
            await ledger.close()

    def accept(self, body: Mapping[str, Any], **headers: str) -> str:
        """Post an alert and return its id; it must be a 202."""
        answer = self.post(body, **headers)
        assert answer.status == 202, answer
        return str(answer.body["id"])

    def post(self, body: Mapping[str, Any], **headers: str) -> Answer:
        """Post an alert under an Idempotency-Key of its own, if none is given."""
        return self.api.post(
            "/v1/alerts", body, **{"Idempotency_Key": secrets.token_hex(8), **headers}
        )

    def people(self, csv: str) -> None:
        """Import people; their groups are made."""
        answer = self.api.post("/v1/recipients/import?commit=true&create_groups=true", csv)
        assert answer.status == 200, answer

    def behave(self, **switches: Any) -> None:
        """Turn switches of the simulator."""
        answer = self.carrier.post("/control/behaviour", switches)
        assert answer.status == 200, answer

    def states(self, alert: str) -> dict[str, int]:
        """Return how many deliveries are in each state, over all channels."""
        channels = self.api.get(f"/v1/alerts/{alert}")["counts"]["channels"].values()
        total: dict[str, int] = {}
        for channel in channels:
            for state, count in channel["states"].items():
                total[state] = total.get(state, 0) + count
        return total

    def wait_until(
        self, alert: str, holds: Callable[[dict[str, int]], bool], what: str, seconds: float = 90
    ) -> dict[str, int]:
        """Return the states once `holds` of them; fail with `what` if that takes too long."""
        deadline = time.monotonic() + seconds
        while not holds(states := self.states(alert)):
            assert time.monotonic() < deadline, f"not after {seconds:g} s: {what}; {states}"
            time.sleep(_LOOK_EVERY)
        return states

    def wait_until_decided(
        self, alert: str, deliveries: int, seconds: float = 120
    ) -> dict[str, int]:
        """Return the states once all `deliveries` exist, and none is open."""

        def holds(states: dict[str, int]) -> bool:
            open_ones = states.keys() & OPEN
            return sum(states.values()) == deliveries and not open_ones

        return self.wait_until(alert, holds, f"all {deliveries} are decided", seconds)

    def wait_until_arrived(
        self, alert: str, deliveries: int, *, but: Collection[str] = (), seconds: float = 120
    ) -> dict[str, int]:
        """The same, and each has its last receipt as well; `but` are states that have none."""

        def holds(states: dict[str, int]) -> bool:
            open_ones = states.keys() & {*OPEN, "accepted", "sent"}.difference(but)
            return sum(states.values()) == deliveries and not open_ones

        return self.wait_until(alert, holds, f"all {deliveries} have arrived", seconds)

    def deliveries(self, alert: str) -> list[dict[str, Any]]:
        """Return all deliveries of an alert."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.api.get(f"/v1/alerts/{alert}/deliveries?limit=500{cursor}")
            found += page["deliveries"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"

    def messages(self, **wanted: str) -> list[dict[str, Any]]:
        """Return what people have got since `begin`, newest first."""
        query = urlencode({"after": str(self._since), **wanted})
        found: list[dict[str, Any]] = self.carrier.get(f"/messages?limit=10000&{query}")
        return found

    def book(self) -> list[Entry]:
        """Return all that carriers have taken, oldest first."""

        async def read() -> list[Entry]:
            pages = simulator_book.entries(self.carrier_url)
            return [entry async for page in pages for entry in page]

        return waited_for(read())

    def balance(self) -> Comparison:
        """Hold the ledger against itself and the carriers' book; the books must balance."""
        found = self.compared()
        assert not found.faults, "\n".join(map(str, found.faults))
        self.is_sound = True
        return found

    def compared(self, clock_offset: float = 0) -> Comparison:
        """Return what is found by holding the ledger against itself and the carriers' book."""
        return waited_for(self._compared(clock_offset))

    async def _compared(self, clock_offset: float) -> Comparison:
        ledger = Ledger.open(self.database_url, clock_offset=clock_offset)
        try:
            book = simulator_book.entries(self.carrier_url)
            found = await compare(ledger, book, simulator_book.CHANNELS)
            found.faults = [*await check(ledger, self._keyring), *found.faults]
        finally:
            await ledger.close()
        return found

    def close(self) -> None:
        self.processes.close()
        self.valkey.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def waited_for(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end."""
    return asyncio.run(work)


def _channels(keyring: Keyring, carrier: str, smtp: int, bounces: int) -> dict[str, str]:
    """Return the settings that point the real channels at the simulator."""
    sid, token = credentials(keyring)
    account = {"ACCOUNT_SID": sid, "AUTH_TOKEN": token, "SENDER": OURS, "BASE_URL": carrier}
    given = {
        **{f"SMS_{name}": value for name, value in account.items()},
        **{f"VOICE_{name}": value for name, value in account.items()},
        "SMS_UNITS_PER_SECOND": "50",  # so that a run lasts long enough to be disturbed
        "SMS_BURST": "10",
        "VOICE_CALLS_PER_SECOND": "50",
        "VOICE_BURST": "20",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(smtp),
        "EMAIL_TLS": "none",
        "EMAIL_SENDER": "alerts@kentongan.example",
        "EMAIL_BOUNCE_DOMAIN": "bounce.kentongan.example",
        "EMAIL_BOUNCE_LISTEN": f"127.0.0.1:{bounces}",
        "WEBHOOK_ALLOW": carrier.removeprefix("http://"),
    }
    return {f"KENTONGAN_{name}": value for name, value in given.items()}
