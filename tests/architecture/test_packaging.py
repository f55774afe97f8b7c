"""Our folders have plain names; nobody else's package may answer to them (docs/adr/0002)."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.tree import PACKAGES, ROOT

LOCKS = sorted(ROOT.glob("requirements*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PACKAGES)
def test_name_is_ours_alone(name: str) -> None:
    claimed_by = set(packages_distributions().get(name, ["kentongan"]))

    assert claimed_by == {"kentongan"}


@pytest.mark.parametrize("name", PACKAGES)
def test_name_hides_nothing_of_the_standard_library(name: str) -> None:
    assert name not in sys.stdlib_module_names


def test_wheel_contracts_and_types_know_every_package() -> None:
    tool = PROJECT["tool"]

    assert set(tool["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert set(tool["importlinter"]["root_packages"]) == {*PACKAGES, "bench"}
    assert set(tool["mypy"]["packages"]) == {*PACKAGES, "tests", "bench"}


def test_every_folder_with_python_is_known() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert folders == {*PACKAGES, "tests", "bench"}


def test_package_cannot_be_uploaded_by_mistake() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_names_versions_and_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert re.findall(r"https?:|file:|^\s*-[-if]", text.replace("--hash=", ""), re.MULTILINE) == []
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
