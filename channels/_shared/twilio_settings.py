"""What SMS and calls need to know of a Twilio account, each for itself."""

import re
from collections.abc import Iterator
from typing import Annotated, Self

import aiohttp
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

PUBLIC_BASE_URL = "https://api.twilio.com"

_SID = "[0-9a-fA-F]{32}"
E164 = re.compile(r"\+[1-9]\d{6,14}")


class TwilioSettings(BaseSettings):
    """An account, who may send in its name, and how patient we are with it."""

    account_sid: str = Field(
        pattern=f"^AC{_SID}$",
        description="Twilio's account SID, `AC…`.",
        examples=["AC" + "0" * 32],
    )
    auth_token: Annotated[list[SecretStr], NoDecode] = Field(
        min_length=1,
        max_length=2,
        description="The account's auth token; it verifies callbacks. Two, comma-separated, while "
        "one replaces the other. Without an API key the first also sends.",
        examples=["0123456789abcdef0123456789abcdef"],
    )
    api_key: str = Field(
        "",
        pattern=f"^(SK{_SID})?$",
        description="SID of an API key, `SK…`; better than sending with the auth token.",
    )
    api_secret: SecretStr = Field(SecretStr(""), description="The API key's secret.")
    sender: str = Field(description="Who it comes from.", examples=["+15005550006"])
    base_url: str = Field(
        PUBLIC_BASE_URL,
        pattern=r"^https?://[^/?#\s]+$",
        description="Where Twilio's REST API is; another only for rehearsals.",
    )
    concurrency: int = Field(
        256,
        ge=1,
        le=4096,
        description="Connections at once, per process; who finds none within the connect time-out "
        "tries again later.",
    )
    connect_timeout: float = Field(
        3.0, gt=0, le=15, description="Seconds until a connection is held."
    )
    timeout: float = Field(
        10.0, gt=0, le=25, description="Seconds for a whole request; then its outcome is unknown."
    )

    @field_validator("auth_token", mode="before")
    @classmethod
    def _read_tokens(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @model_validator(mode="after")
    def _whole_key(self) -> Self:
        if bool(self.api_key) != bool(self.api_secret.get_secret_value()):
            raise ValueError("api_key and api_secret go together; set both or neither")
        return self

    def credentials(self) -> tuple[str, str]:
        """Return the user and the password that requests are sent with."""
        if self.api_key:
            return self.api_key, self.api_secret.get_secret_value()
        return self.account_sid, self.auth_token[0].get_secret_value()

    def secrets(self) -> Iterator[str]:
        """Yield what may stand in no outcome and no log."""
        user, password = self.credentials()
        yield aiohttp.encode_basic_auth(user, password).removeprefix("Basic ")
        yield password
        yield from (token.get_secret_value() for token in self.auth_token)
