"""docs/api.md and the README's curl are run as they stand, against an installation at work."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.fakes.ledgers import Ledgers
from tests.journey.world import World

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
    pytest.mark.skipif(not shutil.which("bash"), reason="needs bash"),
    pytest.mark.xdist_group("api-page"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    ledgers = Ledgers(tmp_path_factory.mktemp("templates"))
    with World(folder, asyncio.run(ledgers.fresh("sqlite", folder))) as world:
        yield world.start()
    ledgers.close()


@pytest.fixture
def reader(world: World, tmp_path: Path) -> Path:
    """A folder like that of somebody who typed `make up`."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dev.key").write_text(world.key, encoding="ascii")
    return tmp_path


def typed(world: World, reader: Path, script: str) -> str:
    """Do what a reader types, all of which must go well; return what they see."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", world.url)],
        cwd=reader,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def test_every_example_of_the_api_page_works(world: World, reader: Path) -> None:
    script = "\n".join(blocks("docs/api.md"))

    seen = typed(world, reader, script)

    assert re.search(r"^rows,4", seen, re.MULTILINE)
    assert '"state":"stopped"' in seen
    assert '"never_told":1' in seen


def test_curl_of_the_readme_is_answered_202(world: World, reader: Path) -> None:
    world.people("name,groups,sms\nSiti Rahayu,north,+628600002001\n")
    [curl] = [block for block in blocks("README.md") if block.startswith("curl ")]

    seen = typed(world, reader, f"{curl.rstrip()} -w '%{{http_code}}'")

    assert seen.endswith("202")
    assert json.loads(seen.removesuffix("202"))["people"] == 1
