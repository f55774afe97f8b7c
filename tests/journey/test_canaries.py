"""Whatever goes wrong in a real run, no log and no metric tells what is nobody's business.

Secrets, addresses, names and texts are planted, each with a word of its own to be found by.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from kentongan.access import Role
from kentongan.keyring import Keyring
from kentongan.practice import credentials
from kentongan.webhook_signing import signing_secrets
from ledger import keys
from ledger.engine import Ledger
from ledger.migrate import upgrade
from tests.fakes.postgres import Postgres
from tests.fakes.processes import Processes, Running, eventually
from tests.journey.client import Client
from tests.journey.ports import free_ports

pytestmark = pytest.mark.journey

SECRET = "canary-of-the-secret-key-of-thirty-two-letters"
SID, TOKEN = credentials(Keyring([SECRET]))
REDIS, SMTP = "canary-redis-pw", "canary-smtp-pw"
TEXT, HEADLINE, LABEL, BLANK = "canary-text", "canary-headline", "canary-label", "canary-blank"
NAME, WRONG, INBOUND = "canary-name", "canary-of-garbage", "canary-reply"
REFUSED, UNDELIVERED, REPLIES, CALLED = (
    "+628120001211", "+628120000006", "+628120000001", "+628120000022",
)  # fmt: skip
MAIL = "reject+canary-mailbox@example.org"


@dataclass(frozen=True)
class Installation:
    processes: list[Running]
    postgres: Postgres
    database_url: str
    url: str
    carrier: str
    metrics: list[int]
    key: str

    @property
    def api(self) -> Client:
        return Client(self.url, self.key)

    def told(self) -> str:
        """Return all logs and all metrics."""
        pages = [
            urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
            for port in self.metrics
        ]
        return "\n".join([*(process.read_log() for process in self.processes), *pages])


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """All processes, as talkative as they can be, on a PostgreSQL with a password; Redis is away,
    and the mail relay wants no password of ours."""
    http, carrier, smtp, bounces, *metrics = free_ports(6)
    url, carrier_url = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{carrier}"
    account = {"ACCOUNT_SID": SID, "AUTH_TOKEN": TOKEN, "BASE_URL": carrier_url}
    postgres = Postgres.running()
    database_url = postgres.create_database()
    asyncio.run(upgrade(database_url))
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://:{REDIS}@127.0.0.1:1",
        "DATA_DIR": str(tmp_path / "data"),
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": url,
        "HTTP_PORT": str(http),
        "LOG_LEVEL": "DEBUG",
        "SIMULATOR_PORT": str(carrier),
        "SIMULATOR_SMTP_PORT": str(smtp),
        "SIMULATOR_URL": carrier_url,
        **{f"SMS_{name}": value for name, value in account.items()},
        **{f"VOICE_{name}": value for name, value in account.items()},
        "SMS_SENDER": "+15005550006",
        "VOICE_SENDER": "+15005550006",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(smtp),
        "EMAIL_TLS": "none",
        "EMAIL_USERNAME": "canary-smtp-user",
        "EMAIL_PASSWORD": SMTP,
        "EMAIL_SENDER": "alerts@kentongan.example",
        "EMAIL_BOUNCE_DOMAIN": "bounce.kentongan.example",
        "EMAIL_BOUNCE_LISTEN": f"127.0.0.1:{bounces}",
        "WEBHOOK_ALLOW": carrier_url.removeprefix("http://"),
    }
    key = asyncio.run(_key(database_url))
    named = {f"KENTONGAN_{name}": value for name, value in environ.items()}
    with Processes(tmp_path / "log", named) as made:
        simulator = made.simulator().start().wait_until_ready()
        service = made.serve(KENTONGAN_METRICS_PORT=str(metrics[0])).start().wait_until_ready()
        worker = made.worker(KENTONGAN_METRICS_PORT=str(metrics[1])).start().wait_until_ready()
        try:
            yield Installation(
                [service, worker, simulator], postgres, database_url, url, carrier_url, metrics, key
            )
        finally:
            postgres.close()


async def _key(url: str) -> str:
    ledger, secret = Ledger.open(url), keys.new_secret()
    await keys.ensure(ledger, secret, name="canaries", role=Role.ADMIN)
    await ledger.close()
    return secret


def test_no_log_and_no_metric_tells_what_is_nobodys_business(installation: Installation) -> None:
    hook = f"{installation.carrier}/hook/410/canary-hook"
    alert = accepted(installation, hook)
    guess = f"ktg_AbCd1234_canary{'x' * 37}"
    garbage(installation, guess)
    eventually(lambda: is_decided(installation, alert), "all but the letter are decided", 40)
    database_breaks(installation)

    told = installation.told()

    planted = {
        "secret key": SECRET,
        "Twilio token": TOKEN,
        "Redis password": REDIS,
        "SMTP password": SMTP,
        "database password": installation.database_url.split(":")[2].split("@")[0],
        "API key": installation.key.split("_", 2)[2],
        "guessed key": guess.split("_", 2)[2],
        "webhook secret": signing_secrets(Keyring([SECRET]), hook)[0].removeprefix("whsec_"),
        "text": TEXT,
        "headline": HEADLINE,
        "label": LABEL,
        "blank": BLANK,
        "name": NAME,
        "garbage": WRONG,
        "mailbox": "canary-mailbox",
        "webhook": "canary-hook",
        "link": "/r/",
        **{
            number: number.removeprefix("+62") for number in (REFUSED, UNDELIVERED, REPLIES, CALLED)
        },
    }
    leaked = {what: near(told, word) for what, word in planted.items() if word in told}
    assert "the ledger is away" in told  # it is all there, and
    assert "kentongan_http_requests" in told  # so are the metrics
    assert leaked == {}
    assert "canary" not in told


def accepted(installation: Installation, hook: str) -> str:
    """Import one person and warn them and others, on every channel and into every fate."""
    api = installation.api
    file = f"name,groups,sms,email\n{NAME},north,{REPLIES},{MAIL}\n"
    assert api.post("/v1/recipients/import?commit=true&create_groups=true", file).status == 200
    body = {
        "mode": "exercise",
        "severity": "extreme",
        "headline": {"en": HEADLINE},
        "text": {"en": f"{TEXT} ((what))"},
        "blanks": {"what": BLANK},
        "audience": {
            "groups": ["north"],
            "points": [
                {"channel": "sms", "address": REFUSED},
                {"channel": "sms", "address": UNDELIVERED},
                {"channel": "voice", "address": CALLED},
                {"channel": "webhook", "address": hook},
            ],
        },
        "options": [{"key": "1", "label": {"en": LABEL}}],
    }
    answer = api.post("/v1/alerts", body, Idempotency_Key=secrets.token_hex(8))
    assert answer.status == 202, answer
    return str(answer.body["id"])


def garbage(installation: Installation, guess: str) -> None:
    """Send what cannot be read, nobody signed, or nobody may."""
    api = installation.api
    said = [
        Client(installation.url, guess).ask("GET", "/v1/self"),
        api.post("/v1/alerts", {WRONG: WRONG}),
        api.post(f"/v1/recipients/{WRONG}"),
        api.post("/v1/recipients/import", f"name,sms\n{WRONG},{WRONG}\n"),
        api.ask("GET", f"/v1/recipients?cursor={WRONG}"),
        api.post("/callbacks/sms/status?d=1", f"From={WRONG}"),
    ]
    assert all(400 <= answer.status < 500 or answer.status == 200 for answer in said), said
    port = int(installation.url.rpartition(":")[2])
    for raw in (f"GET /{WRONG} HTTP/9.9\r\n\r\n", f"GET / HTTP/1.1\r\nBad {WRONG}: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(raw.encode())
            with contextlib.suppress(OSError):
                line.recv(4096)


def is_decided(installation: Installation, alert: str) -> bool:
    found = installation.api.get(f"/v1/alerts/{alert}/deliveries")["deliveries"]
    texts = [one for one in found if one["channel"] != "email"]
    open_ones = {"waiting", "sending", "unknown", "accepted", "sent"}
    return len(texts) == 5 and not any(one["state"] in open_ones for one in texts)


def database_breaks(installation: Installation) -> None:
    """Crash the database under everyone, and ask once more."""
    if not installation.postgres.can_stop:
        return
    installation.postgres.stop("immediate")
    began = time.monotonic()
    while time.monotonic() - began < 3:
        assert installation.api.ask("GET", "/v1/alerts").status == 503
        time.sleep(0.2)


def near(told: str, word: str) -> str:
    at = told.index(word)
    return told[max(0, at - 200) : at + 100]
