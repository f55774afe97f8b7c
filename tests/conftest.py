"""How the tests are shared out among processes."""

from typing import Any

import pytest
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # no py.typed

_JOURNEYS = "tests/journey/"


class ByTree(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no py.typed
    """Gives all journeys on one engine to one process: they share an installation.

    With `--dist loadgroup`, in whose place it stands: xdist 3.8 marks its groups in a way that
    pytest 9.2 no longer knows, and shares everything out by chance.
    """

    @override
    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(_JOURNEYS):
            return nodeid
        return next((name for name in ("sqlite", "postgresql") if f"[{name}" in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByTree | None:
    """Share tests out one by one, and journeys by engine."""
    return ByTree(config, log) if config.getvalue("dist") == "loadgroup" else None
