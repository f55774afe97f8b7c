"""What a channel may know of the place it runs in."""

from dataclasses import dataclass, field
from typing import Self

from kentongan.keyring import Keyring
from kentongan.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One organisation's installation.

    `public_url` is what providers call and sign (no trailing slash); `region` reads national phone
    numbers (ISO 3166 alpha-2); `countries` are those that SMS and calls may go to, empty for all.
    """

    organisation: str
    public_url: str
    locale: str
    region: str
    countries: frozenset[str]
    keyring: Keyring

    @classmethod
    def of(cls, settings: Settings, keyring: Keyring) -> Self:
        return cls(
            organisation=settings.organisation,
            public_url=settings.public_url,
            locale=settings.default_locale,
            region=settings.default_region,
            countries=frozenset(settings.countries),
            keyring=keyring,
        )

    def callback_url(self, channel: str, kind: str) -> str:
        """Return where a provider reports: `…/callbacks/<channel>/<kind>`."""
        return f"{self.public_url}/callbacks/{channel}/{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorAt:
    """Where the simulator listens, and the credentials it knows us by."""

    url: str
    smtp_host: str
    smtp_port: int
    account_sid: str
    auth_token: str = field(repr=False)
