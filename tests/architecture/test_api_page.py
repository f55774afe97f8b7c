"""docs/api.md is run from top to bottom, with real curl, against an installation at work."""

import asyncio
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
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = Ledgers(tmp_path / "templates")
    (tmp_path / "templates").mkdir()
    url = asyncio.run(made.fresh("sqlite", tmp_path))
    with World(tmp_path, url) as world:
        yield world.start()
    made.close()


def test_every_example_of_the_api_page_works(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "dev.key").write_text(world.key, encoding="ascii")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", world.url)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert [int(n) for n in re.findall(r"^## (\d+)\.", page, re.MULTILINE)] == [*range(1, 11)]
    assert re.search(r"^rows,4", done.stdout, re.MULTILINE)
    assert '"state":"stopped"' in done.stdout
    assert '"never_told":1' in done.stdout
