"""What all parts of the simulated carriers share."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.behaviour import Behaviour
from simulator.book import Book
from simulator.chance import Chance
from simulator.outside import Heard, Outside, Posting
from simulator.pool import Pool
from simulator.settings import SimulatorSettings

API = "2010-04-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """One simulated world: its book, its chance, its hands and its way outside."""

    settings: SimulatorSettings
    book: Book
    chance: Chance
    behaviour: Behaviour
    pool: Pool
    outside: Outside

    def now(self) -> float:
        return time.time()

    def tell(self, url: str, form: Iterable[tuple[str, str]], method: str = "POST") -> None:
        """Call back without waiting for it, unless callbacks are switched off."""
        if url and self.behaviour.callbacks:
            self.outside.tell(Posting.to(url, form, method))

    async def ask(self, url: str, form: Iterable[tuple[str, str]], method: str = "POST") -> Heard:
        """Call back and wait for the answer."""
        if not self.behaviour.callbacks:
            return Heard()
        return await self.outside.ask(Posting.to(url, form, method))
