"""One request to the console: who looks, in which language, and what they may see."""

from dataclasses import dataclass, replace
from typing import Self

from aiohttp import web

from kentongan.access import Extent, masked
from kentongan.ids import UserId
from ledger.engine import Ledger
from ledger.sessions import Session
from ledger.users import User
from service.console.speech import Speech, language_asked
from service.wiring import House
from templates.language import language_of


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody who is signed in, and how far they may go on this page."""

    user: User
    session: Session
    extent: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What the handler of a page gets. A `service.viewers.Viewer`, once somebody is signed in."""

    request: web.Request
    house: House
    speech: Speech
    signed: Signed | None = None

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self.house.ledger

    @property
    def by(self) -> Signed:
        """Whoever is signed in: pages that need an act have somebody."""
        assert self.signed is not None
        return self.signed

    @property
    def caller(self) -> UserId:
        """Who asks: the actor of audit rows."""
        return self.by.user.id

    @property
    def extent(self) -> Extent:
        """How far they may go."""
        return self.by.extent

    def may_see(self, made_by: str) -> bool:
        """Tell whether something is within reach."""
        return self.extent is not Extent.OWN or made_by == self.caller

    def shown(self, address: str) -> str:
        """Return an address as every page shows it, to whomever: over a shoulder, on a wall."""
        return masked(address)

    def of(self, signed: Signed) -> Self:
        """Return the visit of somebody who turned out to be signed in, in their language."""
        spoken = replace(self.speech, language=language_of(signed.user.locale))
        return replace(self, signed=signed, speech=spoken)


def visit_of(request: web.Request, house: House) -> Visit:
    """Return the visit of a stranger: in the language that their browser asks for."""
    language = language_asked(request.headers.get("Accept-Language", ""), house.deployment.locale)
    return Visit(request=request, house=house, speech=Speech(language, house.settings.caps.zone))
