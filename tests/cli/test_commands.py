import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.config_docs import markdown
from kentongan import __version__
from kentongan.settings import Settings, names_of
from ledger.keys import prefix_of
from tests.cli.conftest import Run
from tests.fakes.valkey import PrivateValkey


@pytest.fixture
def valkey() -> Iterator[PrivateValkey]:
    with PrivateValkey() as server:
        yield server


def test_help_is_answered_before_anything_heavy_is_imported() -> None:
    asked = "import sys, cli.main\ntry: cli.main.main(['--help'])\nexcept SystemExit: pass\n"
    asked += "print({'pydantic', 'sqlalchemy', 'aiohttp', 'twilio'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )

    assert "kentongan up" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_version_is_told_to_people_and_to_programs(kentongan: Run) -> None:
    assert kentongan("--version").stdout == f"kentongan {__version__}\n"
    assert kentongan("version").stdout.startswith(f"kentongan {__version__} ")
    assert json.loads(kentongan("version", "--json").stdout)["version"] == __version__


@pytest.mark.parametrize("words", [(), ("db",), ("db", "sideways"), ("beat", "the", "drum")])
def test_what_is_no_command_is_wrong_usage(kentongan: Run, words: tuple[str, ...]) -> None:
    done = kentongan(*words)

    assert done.returncode == 2
    assert "usage: kentongan" in done.stderr
    assert not done.stdout


def test_misspelt_setting_stops_every_command_with_the_right_name(kentongan: Run) -> None:
    for words in (("up",), ("serve",), ("worker",), ("db", "upgrade"), ("doctor",)):
        done = kentongan(*words, KENTONGAN_HTTP_PROT="8080")

        assert done.returncode == 2
        assert "KENTONGAN_HTTP_PROT" in done.stderr
        assert "KENTONGAN_HTTP_PORT" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_process_alone_says_which_setting_it_lacks(kentongan: Run, command: str) -> None:
    done = kentongan(command)

    assert done.returncode == 2
    assert "KENTONGAN_REDIS_URL is not set" in done.stderr


def test_ledger_is_upgraded_once_and_found_so_the_second_time(
    kentongan: Run, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"

    first = kentongan("db", "upgrade", KENTONGAN_DATABASE_URL=url)
    second = kentongan("db", "upgrade", KENTONGAN_DATABASE_URL=url)

    assert first.returncode == second.returncode == 0
    assert "(was: empty)" in first.stdout
    assert "(was:" not in second.stdout


def test_key_is_made_for_scripts_to_take(kentongan: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    kentongan("db", "upgrade", KENTONGAN_DATABASE_URL=url)

    plain = kentongan("key", "create", "--role", "auditor", KENTONGAN_DATABASE_URL=url)
    wrong = kentongan("key", "create", "--role", "king", KENTONGAN_DATABASE_URL=url)

    assert prefix_of(plain.stdout.strip())
    assert wrong.returncode == 2
    assert "--role king: use one of" in wrong.stderr


def test_database_that_is_away_is_no_fault_of_the_call(kentongan: Run) -> None:
    done = kentongan("db", "upgrade", KENTONGAN_DATABASE_URL="postgresql://u:secret@127.0.0.1:9/x")

    assert done.returncode == 8
    assert "KENTONGAN_DATABASE_URL" in done.stderr
    assert "secret" not in done.stderr


def test_doctor_says_what_to_do(kentongan: Run, valkey: PrivateValkey, tmp_path: Path) -> None:
    valkey.ask("CONFIG SET maxmemory-policy allkeys-lru")
    given = {
        "KENTONGAN_DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db",
        "KENTONGAN_REDIS_URL": valkey.url,
        "KENTONGAN_SECRET_KEY": "k" * 32,
        "KENTONGAN_PUBLIC_URL": "http://localhost:8080",
    }

    done = kentongan("doctor", "--json", **given)

    found = {each["what"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["database"]["verdict"] == "fine"
    assert found["schema"]["todo"] == "Run `kentongan db upgrade`."
    assert "noeviction" in found["maxmemory-policy"]["todo"]
    assert found["appendonly"]["verdict"] == "fine"
    assert found["public URL"]["verdict"] == "fault"
    assert found["caps"]["verdict"] == "warning"
    assert "KENTONGAN_SPEND_PER_DAY" in found["caps"]["said"]


def test_doctor_tells_what_is_away_from_what_is_ill(
    kentongan: Run, valkey: PrivateValkey, tmp_path: Path
) -> None:
    valkey.stop()

    done = kentongan(
        "doctor",
        KENTONGAN_DATABASE_URL=f"sqlite:///{tmp_path}/ledger.db",
        KENTONGAN_REDIS_URL=valkey.url,
    )

    assert done.returncode == 8
    assert "BAD   redis: cannot be reached" in done.stdout


@pytest.mark.parametrize(
    "given", [{"KENTONGAN_PRICES": "smss=0.05"}, {"KENTONGAN_PERSON_RATE": "smss=5/15m"}]
)
def test_cap_of_a_misspelt_channel_is_refused_by_name(
    kentongan: Run, given: dict[str, str]
) -> None:
    [name] = given

    done = kentongan("doctor", **given)

    assert done.returncode != 0
    assert f"{name} names smss, which is no channel; there are" in done.stderr


def test_every_setting_of_the_deployment_is_documented() -> None:
    page = markdown()

    assert all(f"`{name}`" in page for name in names_of(Settings))
