"""The relay that takes our mail, as an operator sets it."""

import ipaddress
import re
import ssl
from enum import StrEnum

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from channels._shared.smtp_address import normal_address
from kentongan.channel import AddressError

_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*")


class Tls(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


_USUAL_PORT = {Tls.NONE: 25, Tls.STARTTLS: 587, Tls.IMPLICIT: 465}


class EmailSettings(BaseSettings):
    """`KENTONGAN_EMAIL_*`."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_EMAIL_", extra="ignore")

    host: str = Field(min_length=1, description="Name or address of the relay that takes our mail.")
    port: int = Field(
        0, ge=0, le=65535, description="Its port; 0: 587 (starttls), 465 (implicit) or 25 (none)."
    )
    allow_plaintext: bool = Field(
        default=False, description="Permit `tls` = `none` to a relay that is not on this machine."
    )
    tls: Tls = Field(
        Tls.STARTTLS,
        description="`starttls`, `implicit`, or `none` (to this machine). TLS is never given up "
        "for a relay that does not offer it.",
    )
    ca_certificates: str = Field("", description="Certificates to trust instead of the system's.")
    username: str | None = Field(None, description="Log in as.")
    password: SecretStr | None = Field(None, description="Log in with.")
    sender: str = Field(
        description="From address; the organisation is its display name. Give its domain SPF, DKIM "
        "and DMARC."
    )
    bounce_domain: str | None = Field(
        None, description="A domain whose mail comes to our bounce listener; none: no receipts."
    )
    bounce_listen: str = Field(
        "127.0.0.1:2525", description="host:port of the bounce listener, on with `bounce_domain`."
    )
    connections: int = Field(8, ge=1, le=200, description="Connections to the relay, per worker.")
    messages_per_connection: int = Field(100, ge=1, description="Then a connection is replaced.")
    units_per_second: float = Field(50, gt=0, description="Messages a second, all workers.")
    burst: int = Field(50, ge=1, description="Messages at once.")
    units_per_day: int = Field(
        0, ge=0, description="Messages a day (UTC) that the relay takes; 0: no limit."
    )
    connect_timeout: float = Field(
        3, gt=0, description="Seconds for TCP, TLS and greeting; more for a relay that greets late."
    )
    reply_timeout: float = Field(10, gt=0, description="Seconds for each answer of the relay.")
    final_timeout: float = Field(
        30, gt=0, description="Seconds for its answer to a whole message; then it is *unknown*."
    )
    total_timeout: float = Field(45, gt=0, le=50, description="Seconds for one message in all.")

    @field_validator("tls")
    @classmethod
    def _not_in_the_clear(cls, value: Tls, info: ValidationInfo) -> Tls:
        host, allowed = info.data.get("host", ""), info.data.get("allow_plaintext", False)
        if value is Tls.NONE and not allowed and not _is_here(host):
            raise ValueError(
                "without TLS anyone on the way reads and changes alerts; set "
                "KENTONGAN_EMAIL_ALLOW_PLAINTEXT=true if that way is safe"
            )
        return value

    @field_validator("ca_certificates")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            if value:
                ssl.create_default_context(cafile=value)
        except OSError:
            raise ValueError("it holds no certificates that can be read (PEM)") from None
        return value

    @field_validator("sender")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            normal = normal_address(value)
        except AddressError as error:
            raise ValueError(str(error)) from None
        if not normal.isascii():
            raise ValueError("use ASCII letters before the @: not every relay takes others")
        return normal

    @field_validator("bounce_domain")
    @classmethod
    def _is_domain(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not _DOMAIN.fullmatch(value.lower()):
            raise ValueError("write it as bounce.example.org")
        return value.lower()

    @field_validator("bounce_listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        _, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise ValueError("write it as host:port")
        return value

    @property
    def usual_port(self) -> int:
        """The port that is meant."""
        return self.port or _USUAL_PORT[self.tls]

    def context(self) -> ssl.SSLContext | None:
        """Return how TLS is done; None without it. Reads files."""
        if self.tls is Tls.NONE:
            return None
        return ssl.create_default_context(cafile=self.ca_certificates or None)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
