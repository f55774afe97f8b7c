"""`kentongan up` as a stranger meets it: the printed curl is pasted, and all is told."""

import json
import os
import shlex
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.process import Program, ours
from tests.fakes.processes import Running, eventually

pytestmark = pytest.mark.journey

OPEN = {"waiting", "sending", "unknown"}
#: Where receipts follow, these are not the last word either.
HANDED_OVER = {"accepted", "sent"}
#: Seconds; the promise is 40, and nothing here measures a machine.
PATIENCE = 90.0


class House:
    """`kentongan up` in a closed folder under a long path."""

    def __init__(self, folder: Path) -> None:
        far = folder / ("far-from-the-root/" * 6)
        far.mkdir(parents=True)
        folder.chmod(0o700)
        self._folder = far
        self._runs: list[Running] = []
        # Webhooks of the example go to the simulator's port, which a restart must find again.
        http, simulator = free_ports(2)
        self._environ = {
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "KENTONGAN_HTTP_PORT": str(http),
            "KENTONGAN_SIMULATOR_PORT": str(simulator),
            "KENTONGAN_SIMULATOR_SMTP_PORT": str(free_ports(1)[0]),
            "KENTONGAN_DATA_DIR": str(far / "data"),
        }

    def start(self) -> "Calls":
        log = self._folder / f"up-{len(self._runs)}.log"
        program = Program(name="up", argv=ours("up"), environ=self._environ, log=log)
        self._runs.append(Running(program).start())
        self._runs[-1].wait_until_logged("Ctrl-C stops everything.", seconds=60)
        return Calls(self._runs[-1].read_log())

    def stop(self) -> int:
        return self._runs[-1].stop(30)

    def close(self) -> None:
        for run in self._runs:
            run.kill()


class Calls:
    """The two lines of curl that it prints."""

    def __init__(self, told: str) -> None:
        post, look = (shlex.split(line) for line in told.splitlines() if line.startswith("curl "))
        self._post, self._look = post, look

    def post(self) -> dict[str, Any]:
        return called(self._post, 202)

    def look(self, alert: str, more: str = "") -> dict[str, Any]:
        return called([word.replace("/ID", f"/{alert}{more}") for word in self._look], 200)

    def deliveries(self, alert: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.look(alert, "/deliveries?limit=200")["deliveries"]
        return found

    def delivery(self, delivery: str) -> dict[str, Any]:
        path = f"/deliveries/{delivery}"
        return called([word.replace("/alerts/ID", path) for word in self._look], 200)


def called(curl: list[str], status: int) -> dict[str, Any]:
    """Do what `curl -sS URL -H … -d …` does."""
    after = {word: curl[place + 1] for place, word in enumerate(curl[:-1]) if word == "-d"}
    headers = dict(curl[at + 1].split(": ", 1) for at, word in enumerate(curl) if word == "-H")
    body = after["-d"].encode() if after else None
    request = urllib.request.Request(curl[2], data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == status
        told: dict[str, Any] = json.load(answer)
    return told


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_printed_curl_reaches_everybody_and_a_restart_forgets_nothing(house: House) -> None:
    calls = house.start()

    alert = calls.post()["id"]
    eventually(lambda: is_settled(calls, alert), "all deliveries are final", PATIENCE)

    found = calls.deliveries(alert)
    sms = {one["address"][-4:]: one for one in found if one["channel"] == "sms"}
    assert {one["channel"] for one in found} == {"sms", "voice", "email", "webhook"}
    assert {at: sms[at]["state"] for at in ("1211", "0006", "0500", "0033", "0002")} == {
        "1211": "failed",
        "0006": "failed",
        "0500": "delivered",
        "0033": "delivered",
        "0002": "acknowledged",
    }
    [doubted] = calls.delivery(sms["0500"]["id"])["tries"]
    assert (doubted["outcome"], doubted["resolution"]) == ("unknown", "settled")
    people = calls.look(alert)["counts"]["people"]
    assert people["total"] == sum(people["states"].values()) == 24
    assert people["states"]["no_contact_point"] == 1

    before = calls.look(alert)["counts"]["channels"]
    assert house.stop() == 0
    again = house.start()

    assert again.look(alert)["counts"]["channels"] == before
    repeat = again.post()["id"]
    eventually(lambda: is_settled(again, repeat), "all is final a second time", PATIENCE)


def is_settled(calls: Calls, alert: str) -> bool:
    """Tell whether nothing is open, and what comes a little later has come as well."""
    told = calls.look(alert)
    states = {name: set(each["states"]) for name, each in told["counts"]["channels"].items()}
    return (
        told["expanded_at"] is not None
        and len(states) == 4
        and OPEN.isdisjoint(set().union(*states.values()))
        and HANDED_OVER.isdisjoint(states["sms"] | states["voice"])
        and told["counts"]["channels"]["email"]["states"].get("failed") == 2
        and told["counts"]["people"]["states"]["acknowledged"] == 2
    )
