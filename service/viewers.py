"""Whoever looks at what the ledger has: how far they may see, and addresses as they see them."""

from typing import Protocol

from kentongan.access import Extent


class Viewer(Protocol):
    """A caller of the API, or somebody in the console."""

    @property
    def extent(self) -> Extent:
        """How far they may go with what they ask for."""

    def may_see(self, made_by: str) -> bool:
        """Tell whether something is within reach: foreign things answer 404."""

    def shown(self, address: str) -> str | None:
        """Return an address as they may see it; None: not at all."""
