"""Imports point down only, and nobody brings a library in where it does not belong."""

import os
import subprocess
import sys
from pathlib import Path

from channels import discover
from tests.architecture.tree import ROOT


def test_every_contract_of_imports_is_kept(tmp_path: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [lint, "--config", ROOT / "pyproject.toml", "--cache-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_of_channels_is_a_channel_that_is_found() -> None:
    files = {path.stem for path in (ROOT / "channels").glob("*.py") if path.stem != "__init__"}

    found = {
        kind.__module__.removeprefix("channels.")
        for kind in discover().values()
        if kind.__module__.startswith("channels.")
    }

    assert found == files
