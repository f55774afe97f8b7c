"""A new way of reaching people is one new file: the one that docs/adding-a-channel.md shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: All that the file and the suite need; nothing in it knows of pigeons.
TREE = ("channels", "kentongan", "tests/fakes", "tests/contract/test_every_channel.py")
SUITE = (
    *("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
    "tests/contract/test_every_channel.py",
    "-k",
)

USE = """
from channels import configured, discover
from kentongan.settings import refuse_strangers
from tests.fakes.channels import deployment

environ = {"KENTONGAN_PIGEON_URL": "https://loft.example", "KENTONGAN_PIGEON_TOKEN": "coo"}
refuse_strangers([kind.settings_type for kind in discover().values()], environ)
assert "pigeon" not in configured({}, deployment())
pigeon = configured(environ, deployment())["pigeon"]
print(pigeon.sender, pigeon.pace.units_per_second, pigeon.retry.waits[0])
"""


CARRY = """
import channels
from kentongan.settings import SettingsError
from tests.fakes.channels import deployment

account = {"ACCOUNT_SID": "AC" + "0" * 32, "AUTH_TOKEN": "a" * 32, "SENDER": "+15005550006"}
environ = {f"KENTONGAN_SMS_{name}": value for name, value in account.items()}
environ |= {"KENTONGAN_PIGEON_URL": "https://loft.example", "KENTONGAN_PIGEON_TOKEN": "coo"}
try:
    channels.configured(environ, deployment())
except SettingsError as error:
    print(str(error).split()[0])
environ["KENTONGAN_SMS_PROVIDERS"] = "main,pigeon"
found = channels.configured(environ, deployment())
assert {"KENTONGAN_PIGEON_TOKEN", "KENTONGAN_SMS_PROVIDERS"} <= channels.names_in(environ)
print(*sorted(found), *(f"{one.provider}={one.name}" for one in found.of("sms")))
print(found.at("pigeon")[0].channel, found["sms"].provider)
"""


def shown_file() -> str:
    page = (ROOT / "docs" / "adding-a-channel.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with one file more."""
    copy = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "channels" / "pigeon.py").write_text(shown_file(), encoding="utf-8")
    return copy


def python(tree: Path, *arguments: str) -> str:
    """Run Python in the copy, which goes before the installed packages; return what it printed."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "KENTONGAN_"))
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_dropped_file_is_found_configured_and_paced(tree: Path) -> None:
    assert python(tree, "-c", USE).split() == ["https://loft.example", "2.0", "2"]


def test_dropped_file_is_held_to_the_contract(tree: Path) -> None:
    printed = python(tree, *SUITE, "pigeon")

    passed = re.search(r"(\d+) passed", printed)
    assert passed is not None
    assert int(passed[1]) >= 30
    assert "skipped" not in printed


def test_suite_catches_a_channel_that_breaks_its_promises(tree: Path, tmp_path: Path) -> None:
    broken = tmp_path / "tree"
    shutil.copytree(tree, broken)
    file = broken / "channels" / "pigeon.py"
    file.write_text(file.read_text().replace("Unknown(Reason.SERVER_ERROR", "Deferred(Reason.BUG"))

    with pytest.raises(AssertionError, match="leaves_open_whether_it_was_sent"):
        python(broken, *SUITE, "pigeon and server_error")


def test_dropped_file_may_be_a_second_provider_of_a_channel(tree: Path, tmp_path: Path) -> None:
    carrying = tmp_path / "tree"
    shutil.copytree(tree, carrying)
    file = carrying / "channels" / "pigeon.py"
    name = '    name: ClassVar[str] = "pigeon"\n'
    file.write_text(
        file.read_text().replace(name, f'{name}    carries: ClassVar[str] = "sms"\n'),
        encoding="utf-8",
    )

    assert python(carrying, "-c", CARRY).splitlines() == [
        "KENTONGAN_PIGEON_TOKEN",
        "sms webhook main=sms pigeon=pigeon",
        "sms main",
    ]
