"""What the pages tell people to type, follow or set exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels import discover, setting_of_providers
from cli.config_docs import markdown
from cli.main import COMMANDS
from kentongan.settings import TEST_VARIABLES, Settings, names_of
from service.app import operations
from tests.architecture.tree import ROOT, named, pages

FIRST_SCREEN = 40

every_page = pytest.mark.parametrize("page", pages(), ids=named)


def test_configuration_page_is_the_generated_one() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert written == markdown(), "run `make docs`"


def test_first_screen_has_what_it_is_what_it_never_claims_and_how_to_try_it() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first = "\n".join(lines[:FIRST_SCREEN])

    assert "not a certified public warning system" in first
    assert "is not a message read" in first
    assert re.search(r"^make up\b", first, re.MULTILINE)
    assert re.search(r"^make test\b", first, re.MULTILINE)
    assert re.search(r"^curl ", first, re.MULTILINE)


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))

    told = set(re.findall(r"(?:^|`)make ([a-z]+)", "\n".join(_code(page)), re.MULTILINE))

    assert told - targets == set()


@every_page
def test_every_command_and_option_exists(page: Path) -> None:
    words = {command.words for command in COMMANDS}
    options = {option.flag for command in COMMANDS for option in command.options} | {"--help"}
    code = "\n".join(_code(page))

    for line in re.findall(r"(?:^|/|`|exec )kentongan ([a-z][^`#|&;\n]*)", code, re.MULTILINE):
        first, *rest = line.split()
        spoken = first if first in words else " ".join([first, *rest[:1]])

        assert spoken in words, line
        assert set(re.findall(r"--[a-z-]+", line)) - options == set(), line


@every_page
def test_every_setting_exists(page: Path) -> None:
    channels = [names_of(kind.settings_type) for kind in discover().values()]
    lists = filter(None, map(setting_of_providers, discover().values()))
    known = TEST_VARIABLES.union(names_of(Settings), (name for name, _ in lists), *channels)

    # The pages call a second provider so; its variables are the channel's with that in between.
    text = _without_example_channel(page).replace("_SECOND_", "_")
    told = re.findall(r"KENTONGAN_[A-Z0-9_]*[A-Z0-9]\b(?!_)", text)

    assert {name for name in told if not {name, name.removesuffix("_FILE")} & known} == set()


@every_page
def test_every_call_exists(page: Path) -> None:
    patterns = [re.sub(r"\{\w+\}", "[^/]+", op.path) for op in operations()]

    for path in re.findall(r"(/v1/[\w/{}.$…<>-]*[\w}>])", "\n".join(_code(page))):
        assert any(re.fullmatch(pattern, path) for pattern in patterns), path


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", _text(page))
    local = [target.partition("#")[0] for target in targets if "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


@every_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    for path, _, name in re.findall(r"`(tests/[\w/.]+\.py)(::(\w+))?`", _text(page)):
        assert (ROOT / path).exists(), path
        assert not name or f"def {name}(" in _text(ROOT / path), f"{path}::{name}"


@every_page
def test_every_file_that_is_named_exists(page: Path) -> None:
    folders = "kentongan|ledger|channels|templates|workers|service|simulator|cli|docs"

    told = re.findall(rf"`((?:{folders})/[\w/.-]+\.(?:py|md|toml|j2))`", _text(page))

    assert [path for path in told if path != "channels/pigeon.py" and not _is(path)] == []


def _is(path: str) -> bool:
    return (ROOT / path).exists()


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _without_example_channel(page: Path) -> str:
    """Leave out the settings of the channel that docs/adding-a-channel.md makes."""
    return _text(page).replace("KENTONGAN_PIGEON", "PIGEON")


def _code(page: Path) -> Iterator[str]:
    """Yield what stands in blocks of shell, and between backticks."""
    text = _text(page)
    yield from re.findall(r"```(?:sh|text)\n(.*?)```", text, re.DOTALL)
    for words in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield f"`{words}`"
