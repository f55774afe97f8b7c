"""A file is read in one sitting, a function at a glance; what is longer says why."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from tests.architecture.tree import named, sources

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES = MappingProxyType(
    {
        "ledger/migrations/versions/0001_the_first_schema.py": "generated from the schema",
        "ledger/schema.py": "the tables, read together",
        "tests/contract/test_every_channel.py": "one file that a new channel is held to",
        "tests/contract/test_guard.py": "a table of spellings of private addresses",
        "tests/contract/test_webhook.py": "one channel's particulars",
    }
)
LONG_FUNCTIONS = MappingProxyType(
    {
        "ledger/migrations/versions/0001_the_first_schema.py:upgrade": "generated",
        "ledger/migrations/versions/0001_the_first_schema.py:downgrade": "generated",
        "ledger/claims.py:claim": "one transaction whose statements must be seen in their order",
        "service/metrics.py:__init__": "a table of metrics",
        "workers/metrics.py:__init__": "a table of metrics",
    }
)


def test_no_file_is_longer_than_a_sitting() -> None:
    long = {named(path) for path in sources() if _lines(path) > MOST_LINES}

    assert long == LONG_FILES.keys(), "split what is new; take out of the list what was split"


def test_no_function_of_ours_is_longer_than_a_glance() -> None:
    long = {
        f"{named(path)}:{name}"
        for path in sources()
        if not named(path).startswith("tests/")
        for name, lines in _functions(path)
        if lines > MOST_LINES_OF_A_FUNCTION
    }

    assert long == LONG_FUNCTIONS.keys(), "split what is new; take out of the list what was split"


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
